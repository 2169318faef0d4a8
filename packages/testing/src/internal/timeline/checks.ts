/** The assertions about a timeline, as pure functions of its records. */
import type { LarderEvent } from "@larder/core"
import { namesShown } from "../limits.ts"
import { seconds, short } from "./describe.ts"
import type { Answered, Called, Happened, Record, Served } from "./record.ts"
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
  /** The cluster in which an arbiter orders the versions of a larder. */
  readonly clusterOf: (place: Place) => string | undefined
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

export const isAt = (record: Record, { larder, node }: Subject): boolean =>
  (node === undefined || record.node === node) &&
  (larder === undefined || !("larder" in record) || record.larder === larder)

export const named = ({ key }: Subject): string => (key === undefined ? "every key" : key)

type LookupRecord = Happened & { readonly event: LarderEvent.LookupStarted }

/** The lookups of a key, or of all keys. */
const lookupsOf = (records: ReadonlyArray<Record>, subject: Subject): ReadonlyArray<LookupRecord> =>
  records.filter(
    (record): record is LookupRecord =>
      record._tag === "Happened" &&
      record.event._tag === "LookupStarted" &&
      (subject.key === undefined || record.event.key === subject.key) &&
      isAt(record, subject),
  )

const counted = (number: number): string => `${number} ${number === 1 ? "lookup" : "lookups"}`

/** Without a key, an assertion counts the lookups of all keys together. */
const expectedLookups = (least: number, most: number, { key }: Subject): string => {
  if (most === 0) return `expected ${key ?? "every key"} never to be looked up`
  const number = least === most ? counted(most) : `at most ${counted(most)}`
  return `expected ${number} of ${key ?? "all keys together"}`
}

export const lookups =
  (least: number, most: number): Check =>
  (records, subject, { began }) => {
    const found = lookupsOf(records, subject)
    if (found.length >= least && found.length <= most) return undefined
    const places = found.slice(0, namesShown).map(({ at, event, node }) => {
      const key = subject.key === undefined ? `${event.key} ` : ""
      return `${key}at ${seconds(at - began)} on ${node}`
    })
    const left = found.length - places.length
    const where = [...places, ...(left > 0 ? [`and ${left} more`] : [])].join(", ")
    const number = most === 0 ? counted(found.length) : found.length || "none"
    const were = `there ${found.length > 1 ? "were" : "was"} ${number}`
    return {
      message: `${expectedLookups(least, most, subject)}, but ${were}${where && `: ${where}`}`,
      moment: found[most] ?? records.at(-1),
    }
  }

export interface ServedAt {
  readonly record: Answered
  readonly answer: Served
}

/** The values that callers got. */
export const servedOf = (
  records: ReadonlyArray<Record>,
  subject: Subject,
): ReadonlyArray<ServedAt> =>
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
export const nothing = (records: ReadonlyArray<Record>, message: string): Violation => ({
  message,
  moment: records.at(-1),
})

interface Known {
  readonly records: ReadonlyArray<Record>
  readonly nodes: ReadonlyArray<string>
  readonly larders: ReadonlyArray<string>
}

/** Assertions count what there was, and may be about any record that is gone. */
export const forgotten = (
  known: Pick<Known, "records"> & { readonly forgotten: number },
): Violation | undefined =>
  known.forgotten === 0
    ? undefined
    : nothing(
        known.records,
        `the timeline has forgotten its first ${known.forgotten} records, so that nothing can be said of what happened: assert earlier, or let fewer calls be recorded`,
      )

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

const keysIn = (record: Record): ReadonlyArray<string> => {
  if (record._tag === "Called") return record.method === "invalidateTags" ? [] : record.keys
  if (record._tag !== "Happened" || !("key" in record.event)) return []
  return [record.event.key]
}

/** Says which keys there are, for a message about one that the timeline does not have. */
export const unknownKey = (records: ReadonlyArray<Record>, { key }: Subject): string => {
  const known = new Set(records.flatMap(keysIn))
  if (key === undefined || known.has(key)) return ""
  if (known.has(`#${key}`)) {
    return `. The timeline has the key #${key}, which is a number: give ${key} as a number`
  }
  const others = [...known].slice(0, namesShown)
  const more = known.size > others.length ? " and others" : ""
  const has = others.length === 0 ? "has no key" : `has ${others.join(", ")}${more}`
  return `. The timeline has no record of this key; it ${has}`
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

export const isAbout = ({ keys, method }: Called | Answered, { key }: Subject): boolean =>
  key === undefined ||
  (method !== "invalidateTags" && method !== "invalidateWhen" && keys.includes(key))

export const callText = ({ keys, method }: Called | Answered): string =>
  `${method} ${keys.join(", ")}`.trimEnd()

export const waitsText = (millis: number): string => `has waited for ${millis} ms and has no answer`

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
      const found = answer === undefined ? waitsText(took) : `took ${took} ms`
      return {
        message: `${expected}, but ${callText(call)} on ${call.node}, called at ${seconds(call.at - began)}, ${found}`,
        moment: answer ?? call,
      }
    }
    return undefined
  }
