/** What callers, upstream and nodes see of a run, without times. */
import type { Answer, Call, History, Lookup, Moment } from "../../src/history/History.ts"

/**
 * Names of values and versions that mean the same in two runs: the place among those of the key, in the order
 * in which values are made, and of versions.
 */
class Names {
  readonly #values: Places
  readonly #versions: Places

  constructor({ calls, values }: History) {
    this.#values = placesOf([...values.values()].map(({ key, value }) => [key, value]))
    this.#versions = placesOf(calls.flatMap(versionsIn))
  }

  value(key: string | undefined, value: number | undefined): number | undefined {
    return value === undefined ? undefined : this.#values(key, value)
  }

  version(key: string | undefined, version: number | undefined): number | undefined {
    return version === undefined ? undefined : this.#versions(key, version)
  }
}

type Keyed = readonly [key: string | undefined, number: number]
type Places = (...keyed: Keyed) => number

const placesOf = (all: ReadonlyArray<Keyed>): Places => {
  const byKey = Map.groupBy(all, ([key]) => key)
  const sorted = new Map(
    [...byKey].map(([key, found]) => {
      const numbers = [...new Set(found.map(([, number]) => number))]
      return [key, numbers.toSorted((one, other) => one - other)] as const
    }),
  )
  return (key, number) => (sorted.get(key) ?? []).indexOf(number)
}

const versionsIn = (call: Call): ReadonlyArray<Keyed> => {
  if (call._tag === "Change") return call.settled ? [[call.key, call.version]] : []
  return call.answers.flatMap((answer) =>
    answer._tag === "Value" && answer.version !== undefined ? [[answer.key, answer.version]] : [],
  )
}

/** Whether the call ended after a later step had begun. */
const hasWaited = ({ steps }: History, { begin, end }: Call): boolean =>
  end !== undefined && steps.some(({ at }) => at.order > begin.order && at.order < end.order)

/** Whether the node of a call may have missed messages before. */
const hasMissed = ({ deliveries }: History, { begin, life }: Call): boolean =>
  deliveries.some(
    ({ at, life: by, message }) => by === life && message._tag === "Gap" && at.order < begin.order,
  )

/**
 * The tier of an answer, as far as it is the same for real. Where a caller that waits finds a value that another
 * call has brought depends on the order of messages. After a gap, a node confirms its entries after a random
 * pause. An entry of a file counts as that of the shared tier if both have the same time, and the times of two
 * real clocks differ by some milliseconds.
 */
const tierOf = (history: History, call: Call, tier: string | undefined): string | undefined => {
  if (tier === undefined || tier === "upstream") return tier
  if (hasWaited(history, call) || hasMissed(history, call)) return "some tier"
  return tier === "memory" ? tier : "a tier behind memory"
}

const answerOf = (history: History, names: Names, call: Call, answer: Answer): object => {
  switch (answer._tag) {
    case "Value": {
      const { key, tier, value, version } = answer
      return {
        ...answer,
        tier: tierOf(history, call, tier),
        value: names.value(key, value),
        version: names.version(key, version),
      }
    }
    case "Failed":
      return {
        ...answer,
        lookup: answer.lookup === undefined ? undefined : history.lookups[answer.lookup]!.ofKey,
      }
    case "Other":
      return { ...answer, text: firstLine(answer.text) }
    default:
      return answer
  }
}

const firstLine = (text: string): string => text.split("\n")[0]!

const nodeOf = ({ life: { node, number } }: Call | Lookup): string => `${node}/${number}`

const callOf = (history: History, names: Names, call: Call): object => {
  const { _tag, end, left, op } = call
  const what = { _tag, op, node: nodeOf(call), ended: end !== undefined, left: left !== undefined }
  if (call._tag === "Read") {
    const answers = call.answers.map((answer) => answerOf(history, names, call, answer))
    return { ...what, keys: call.keys, answers }
  }
  const { failure, isClosed, key, settled, tags, value, version } = call
  return {
    ...what,
    key,
    tags,
    value: names.value(key, value),
    settled,
    version: settled ? names.version(key, version) : undefined,
    isClosed,
    failure: failure && firstLine(failure),
  }
}

const lookupOf = (names: Names, lookup: Lookup): object => {
  const { behaviour, key, ofKey, outcome, value } = lookup
  return { key, ofKey, behaviour, outcome, value: names.value(key, value), node: nodeOf(lookup) }
}

export interface Outcomes {
  readonly calls: ReadonlyArray<object>
  readonly lookups: ReadonlyArray<object>
}

/** The call as it was at a moment. */
const endedIn = (call: Call, { order }: Moment): Call => {
  if (call.end === undefined || call.end.order < order) return call
  return call._tag === "Read"
    ? { ...call, end: undefined, answers: [] }
    : { ...call, end: undefined, settled: false, isClosed: false, failure: undefined }
}

/** Of everything that began before all faults were ended. */
export const outcomesOf = (history: History): Outcomes => {
  const { healed } = history
  const before = ({ begin }: Call | Lookup): boolean => begin.order < healed.order
  const calls = history.calls.filter(before).map((call) => endedIn(call, healed))
  const names = new Names({ ...history, calls })
  const lookups = Map.groupBy(history.lookups.filter(before), ({ key }) => key)
  return {
    calls: calls.map((call) => callOf(history, names, call)),
    lookups: [...lookups.keys()]
      .toSorted()
      .flatMap((key) => lookups.get(key)!.map((lookup) => lookupOf(names, lookup))),
  }
}
