/** The assertions about a timeline, as pure functions of its records. */
import type { Larder } from "@larder/core"
import { seconds, short } from "./describe.ts"
import type { Answered, Called, Record, Served } from "./record.ts"
import type { Place } from "./recorder.ts"

/** Which records an assertion is about. */
export interface Subject {
  /** The key as a string; undefined for every key. */
  readonly key: string | undefined
  readonly node: string | undefined
  readonly larder: string | undefined
}

/** What a check knows besides the records. */
export interface Surroundings {
  /** ms. */
  readonly now: number
  /** ms. */
  readonly began: number
  readonly isArbitrated: (place: Place) => boolean
}

/** A broken assertion: what was expected and what was found, and the record that shows it. */
export interface Violation {
  readonly message: string
  readonly moment: Record | undefined
}

export type Check = (
  records: ReadonlyArray<Record>,
  subject: Subject,
  surroundings: Surroundings,
) => Violation | undefined

const isAt = (record: Record, { larder, node }: Subject): boolean =>
  (node === undefined || record.node === node) &&
  (larder === undefined || !("larder" in record) || record.larder === larder)

const named = ({ key }: Subject): string => (key === undefined ? "every key" : key)

/** The lookups of a key, or of all keys. */
export const lookupsOf = (records: ReadonlyArray<Record>, subject: Subject) =>
  records.filter(
    (record) =>
      record._tag === "Happened" &&
      record.event._tag === "LookupStarted" &&
      (subject.key === undefined || record.event.key === subject.key) &&
      isAt(record, subject),
  )

const counted = (number: number): string => `${number} ${number === 1 ? "lookup" : "lookups"}`

export const lookups =
  (least: number, most: number): Check =>
  (records, subject, { began }) => {
    const found = lookupsOf(records, subject)
    if (found.length >= least && found.length <= most) return undefined
    const where = found.map(({ at, node }) => `at ${seconds(at - began)} on ${node}`).join(", ")
    const expected = least === most ? counted(least) : `at most ${counted(most)}`
    return {
      message: `expected ${expected} of ${named(subject)}, but there were ${found.length}${where && `: ${where}`}`,
      moment: found[most] ?? records.at(-1),
    }
  }

interface ServedAt {
  readonly record: Answered
  readonly answer: Served
}

/** The values that callers got. */
const servedOf = (records: ReadonlyArray<Record>, subject: Subject): ReadonlyArray<ServedAt> =>
  records.flatMap((record) =>
    record._tag === "Answered" && isAt(record, subject)
      ? record.answers.flatMap((answer) =>
          answer._tag === "Served" && (subject.key === undefined || answer.key === subject.key)
            ? [{ record, answer }]
            : [],
        )
      : [],
  )

/** An assertion about nothing would pass whatever the larder does. */
const nothing = (records: ReadonlyArray<Record>, message: string): Violation => ({
  message,
  moment: records.at(-1),
})

interface Known {
  readonly records: ReadonlyArray<Record>
  readonly nodes: ReadonlyArray<string>
  readonly larders: ReadonlyArray<string>
}

/** A node or a larder of which there is no record: no assertion would be about anything. */
export const unknownName = (
  { larders, nodes, records }: Known,
  { larder, node }: Subject,
): Violation | undefined => {
  const unknown = (kind: string, name: string | undefined, known: ReadonlyArray<string>) => {
    if (name === undefined || known.includes(name)) return undefined
    const others = known.length === 0 ? "there is none" : `there are ${known.join(", ")}`
    return nothing(records, `the timeline has no record of a ${kind} ${name}; ${others}`)
  }
  return unknown("node", node, nodes) ?? unknown("larder", larder, larders)
}

export const neverOlderThan =
  (millis: number): Check =>
  (records, subject, { began }) => {
    const served = servedOf(records, subject)
    const expected = `expected ${named(subject)} never to be served older than ${millis} ms`
    if (served.length === 0) return nothing(records, `${expected}, but no caller got a value`)
    const older = served.find(({ answer }) => (answer.age ?? 0) > millis)
    if (older === undefined) return undefined
    const { answer, record } = older
    return {
      message: `${expected}, but ${record.method} on ${record.node} got ${short(answer.value)} for ${answer.key}, ${answer.age} ms old, at ${seconds(record.at - began)}`,
      moment: record,
    }
  }

const isAbout = ({ keys, method }: Called | Answered, { key }: Subject): boolean =>
  key === undefined ||
  (method !== "invalidateTags" && method !== "invalidateWhen" && keys.includes(key))

export const answeredWithin =
  (millis: number): Check =>
  (records, subject, { began, now }) => {
    const calls = records.filter(
      (record): record is Called =>
        record._tag === "Called" && isAt(record, subject) && isAbout(record, subject),
    )
    const expected = `expected ${named(subject)} to be answered within ${millis} ms`
    if (calls.length === 0) return nothing(records, `${expected}, but no caller asked`)
    const answers = new Map(
      records.flatMap((record) =>
        record._tag === "Answered" ? [[record.call, record] as const] : [],
      ),
    )
    for (const call of calls) {
      const answer = answers.get(call.call)
      const took = (answer?.at ?? now) - call.at
      if (took <= millis || answer?.answers[0]?._tag === "Left") continue
      const what = `${call.method} ${call.keys.join(", ")}`.trimEnd()
      const found =
        answer === undefined ? `has waited for ${took} ms and has no answer` : `took ${took} ms`
      return {
        message: `${expected}, but ${what} on ${call.node}, called at ${seconds(call.at - began)}, ${found}`,
        moment: answer ?? call,
      }
    }
    return undefined
  }

interface Change {
  readonly record: Answered
  readonly began: number
  readonly ack: Larder.Ack
}

const changesOf = (records: ReadonlyArray<Record>, subject: Subject): ReadonlyArray<Change> =>
  records.flatMap((record) => {
    if (record._tag !== "Answered" || !isAt(record, { ...subject, node: undefined })) return []
    const isOfKey = record.method === "invalidateTags" || record.method === "clear"
    if (!isOfKey && !isAbout(record, subject)) return []
    return record.answers.flatMap((answer) =>
      answer._tag === "Changed" && answer.ack.refused !== true
        ? [{ record, began: record.at - record.millis, ack: answer.ack }]
        : [],
    )
  })

/** Whether a value is from before a change that covers it. */
const isFromBefore = ({ ack, record }: Change, { key, asOf, tags, version }: Served): boolean => {
  switch (record.method) {
    case "clear":
      return asOf !== undefined && asOf < ack.version
    case "invalidateTags":
      return record.keys.some((tag) => tags.includes(tag)) && (asOf ?? Infinity) < ack.version
    default:
      return record.keys.includes(key) && (version ?? Infinity) < ack.version
  }
}

/** Whether the arbiter has a change by then: it was settled, or the tier has recovered since. */
const isSettledBy = (records: ReadonlyArray<Record>, change: Change, by: number): boolean => {
  const { ack, record } = change
  if (ack.settled) return record.at <= by
  return records.some(
    (other) =>
      other._tag === "Happened" &&
      other.event._tag === "Recovered" &&
      other.node === record.node &&
      other.larder === record.larder &&
      other.at >= record.at &&
      other.at <= by,
  )
}

export const settlesWithin =
  (millis: number): Check =>
  (records, subject, surroundings) => {
    const changes = changesOf(records, subject)
    if (changes.length === 0) {
      const expected = `expected the changes of ${named(subject)} to settle within ${millis} ms`
      return nothing(records, `${expected}, but no caller changed anything`)
    }
    for (const change of changes) {
      const violation = unsettled(records, subject, surroundings, change, millis)
      if (violation !== undefined) return violation
    }
    return undefined
  }

const unsettled = (
  records: ReadonlyArray<Record>,
  subject: Subject,
  { began, isArbitrated, now }: Surroundings,
  change: Change,
  millis: number,
): Violation | undefined => {
  const { record } = change
  const by = change.began + millis
  const what = `${record.method} ${record.keys.join(", ")}`.trimEnd()
  const expected = `expected ${what} on ${record.node}, called at ${seconds(change.began - began)}, to settle within ${millis} ms`
  if (now < by) {
    const passed = `only ${now - change.began} ms have passed: advance the clock before you ask`
    return { message: `${expected}, but ${passed}`, moment: record }
  }
  if (!isSettledBy(records, change, by)) {
    const pending = change.ack.pending.join(", ") || "no tier"
    const found = `the arbiter does not have it, pending in ${pending}`
    return { message: `${expected}, but ${found}`, moment: record }
  }
  const older = servedOf(records, subject).find(
    ({ answer, record: later }) =>
      later.larder === record.larder &&
      later.at - later.millis >= by &&
      answer.freshness === "Fresh" &&
      (later.node === record.node || isArbitrated(record)) &&
      isFromBefore(change, answer),
  )
  if (older === undefined) return undefined
  const { answer, record: later } = older
  return {
    message: `${expected}, but ${later.method} on ${later.node} got the older ${short(answer.value)} for ${answer.key} as fresh at ${seconds(later.at - began)}`,
    moment: later,
  }
}
