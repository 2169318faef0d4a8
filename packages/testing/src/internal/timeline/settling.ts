/** Whether changes settle: the arbiter gets them, and callers get nothing older as fresh after that. */
import type { Larder } from "@larder/core"
import {
  callText,
  type Check,
  isAbout,
  isAt,
  named,
  nothing,
  servedOf,
  type ServedAt,
  type Subject,
  type Surroundings,
  waitsText,
} from "./checks.ts"
import { seconds, short } from "./describe.ts"
import type { Answered, Called, Method, Record } from "./record.ts"
import { type Place, placeName } from "./recorder.ts"

interface Change {
  readonly record: Answered
  readonly ack: Larder.Ack
  /** When the caller made the change, ms. */
  readonly began: number
  /** From then on it must be settled, ms. */
  readonly by: number
  /** When a tier of the larder recovered next, ms; undefined if none has. */
  readonly recovered: number | undefined
}

const changing: ReadonlySet<Method> = new Set([
  "set",
  "expire",
  "remove",
  "invalidateTags",
  "clear",
])

/** Calls that change something of the subject. All nodes must see a change: the subject's node does not count. */
const isChange = (record: Answered | Called, subject: Subject): boolean => {
  const { method } = record
  if (!changing.has(method) || !isAt(record, { ...subject, node: undefined })) return false
  return method === "invalidateTags" || method === "clear" || isAbout(record, subject)
}

interface Found {
  readonly changes: ReadonlyArray<Change>
  /** The first call without an answer. */
  readonly waiting: Called | undefined
}

/** The changes, in their order. The pass goes backwards: what it met last comes next after a record. */
const changesOf = (records: ReadonlyArray<Record>, subject: Subject, millis: number): Found => {
  const recoveries = new Map<string, number>()
  const answered = new Set<number>()
  const changes: Array<Change> = []
  let waiting: Called | undefined
  for (const record of records.toReversed()) {
    if (record._tag === "Happened" && record.event._tag === "Recovered") {
      recoveries.set(placeName(record), record.at)
    }
    if (record._tag === "Called" && isChange(record, subject) && !answered.has(record.call)) {
      waiting = record
    }
    if (record._tag !== "Answered" || !isChange(record, subject)) continue
    answered.add(record.call)
    const began = record.at - record.millis
    const recovered = recoveries.get(placeName(record))
    for (const answer of record.answers) {
      if (answer._tag !== "Changed" || answer.ack.refused === true) continue
      changes.push({ record, ack: answer.ack, began, by: began + millis, recovered })
    }
  }
  return { changes: changes.toReversed(), waiting }
}

type Covering = "key" | "tag" | "all"

/** The newest change of each key, of each tag and of everything, among those that must be settled. */
class Newest {
  readonly #clusterOf: Surroundings["clusterOf"]
  readonly #changes = new Map<string, Change>()

  constructor(clusterOf: Surroundings["clusterOf"]) {
    this.#clusterOf = clusterOf
  }

  /** Without an arbiter, versions of two nodes do not compare. */
  #nameOf({ larder, node }: Place, covering: Covering, covered: string): string {
    const cluster = this.#clusterOf({ larder, node })
    return JSON.stringify([covering, covered, larder, cluster ?? null, cluster ?? node])
  }

  add(change: Change): void {
    const { record } = change
    const { keys, method } = record
    const covering = method === "invalidateTags" ? "tag" : method === "clear" ? "all" : "key"
    for (const covered of covering === "all" ? [""] : keys) {
      const name = this.#nameOf(record, covering, covered)
      const known = this.#changes.get(name)
      if (known === undefined || known.ack.version < change.ack.version) {
        this.#changes.set(name, change)
      }
    }
  }

  /** A change that covers the value and is newer. */
  above({ answer, record }: ServedAt): Change | undefined {
    const lookedUp = record.at - (answer.age ?? Infinity) - (answer.loadMillis ?? 0)
    const above = (version: number | undefined, covering: Covering, covered: string) => {
      const change = this.#changes.get(this.#nameOf(record, covering, covered))
      // A node that could not hear of the change looks up a newer value under a lower number.
      if (change === undefined || lookedUp > change.began) return undefined
      return (version ?? Infinity) < change.ack.version ? change : undefined
    }
    const ofTag = () => {
      for (const tag of answer.tags) {
        const change = above(answer.asOf, "tag", tag)
        if (change !== undefined) return change
      }
      return undefined
    }
    return above(answer.version, "key", answer.key) ?? ofTag() ?? above(answer.asOf, "all", "")
  }
}

interface Overtaken extends ServedAt {
  readonly change: Change
}

/** The first value that a caller got as fresh although a change of it had to be settled before. */
const firstOvertaken = (
  served: ReadonlyArray<ServedAt>,
  changes: ReadonlyArray<Change>,
  clusterOf: Surroundings["clusterOf"],
): Overtaken | undefined => {
  const due = changes.toSorted((one, other) => one.by - other.by).values()
  const asked = ({ record }: ServedAt) => record.at - record.millis
  const newest = new Newest(clusterOf)
  let next = due.next()
  for (const one of served.toSorted((one, other) => asked(one) - asked(other))) {
    for (; next.done !== true && next.value.by <= asked(one); next = due.next()) {
      newest.add(next.value)
    }
    const change = one.answer.freshness === "Fresh" ? newest.above(one) : undefined
    if (change !== undefined) return { ...one, change }
  }
  return undefined
}

/** The arbiter got the change in time: it was settled at once, or a tier has recovered since. */
const isSettled = ({ ack, by, record, recovered }: Change): boolean =>
  (ack.settled ? record.at : (recovered ?? Infinity)) <= by

export const settlesWithin =
  (millis: number): Check =>
  (records, subject, { began, clusterOf, now }) => {
    const broken = (call: Called | Answered, at: number, found: string, moment: Record) => ({
      message: `expected ${callText(call)} on ${call.node}, called at ${seconds(at - began)}, to settle within ${millis} ms, but ${found}`,
      moment,
    })
    const { changes, waiting } = changesOf(records, subject, millis)
    if (waiting !== undefined && now - waiting.at > millis) {
      return broken(waiting, waiting.at, `it ${waitsText(now - waiting.at)}`, waiting)
    }
    if (changes.length === 0) {
      const expected = `expected the changes of ${named(subject)} to settle within ${millis} ms`
      return nothing(records, `${expected}, but no caller changed anything`)
    }
    const unsettled = changes.find((change) => change.by <= now && !isSettled(change))
    if (unsettled !== undefined) {
      const { ack, record } = unsettled
      const found = `the arbiter does not have it, pending in ${ack.pending.join(", ") || "no tier"}`
      return broken(record, unsettled.began, found, record)
    }
    const overtaken = firstOvertaken(servedOf(records, subject), changes, clusterOf)
    if (overtaken !== undefined) {
      const { answer, change, record } = overtaken
      const found = `${record.method} on ${record.node} got the older ${short(answer.value)} for ${answer.key} as fresh at ${seconds(record.at - began)}`
      return broken(change.record, change.began, found, record)
    }
    const early = changes.find(({ by }) => now < by)
    if (early === undefined) return undefined
    const passed = `only ${now - early.began} ms have passed: advance the clock before you ask`
    return broken(early.record, early.began, passed, early.record)
  }
