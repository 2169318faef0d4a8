/** The figures of all contenders, as text. */
import { aligned } from "../aligned.ts"
import { compare, summary } from "../statistics.ts"
import { contender, type ContenderName } from "./contenders.ts"
import type { Figures } from "./round.ts"

/** The most bytes per entry that Larder may use beyond key and value. */
const bytesGoal = 95

/** The most time of a hit, as a multiple of lru-cache's. */
const hitGoal = 1.5

/** The figures of each contender, round by round. */
export type Seen = ReadonlyMap<ContenderName, ReadonlyArray<Figures>>

const heads = [
  "",
  "bytes",
  "goal",
  "",
  "ns a hit",
  "ratio",
  "rounds",
  "goal",
  "",
  "ns a set",
  "ratio",
]

const times = (ratio: number): string => `${ratio.toFixed(2)}x`

const row = (seen: Seen, name: ContenderName): ReadonlyArray<string> => {
  const { baseline, isLarder } = contender(name)
  const [own, other] = [seen.get(name), seen.get(baseline)]
  if (own === undefined || other === undefined) {
    throw new Error(`${name} has to be beside ${baseline}`)
  }
  const verdict = (value: number, goal: number, shown: string) =>
    isLarder ? [`<= ${shown}`, value <= goal ? "met" : "MISSED"] : ["", ""]
  const bytes = summary(own.map((round) => round.bytes)).median
  const hits = compare(
    own.map((round) => round.nanosPerHit),
    other.map((round) => round.nanosPerHit),
  )
  const sets = compare(
    own.map((round) => [round.nanosPerSet]),
    other.map((round) => [round.nanosPerSet]),
  )
  return [
    name,
    bytes.toFixed(1),
    ...verdict(bytes, bytesGoal, String(bytesGoal)),
    summary(own.flatMap((round) => round.nanosPerHit)).median.toFixed(0),
    times(hits.ratio),
    `${hits.lowest.toFixed(2)}-${hits.highest.toFixed(2)}`,
    ...verdict(hits.ratio, hitGoal, times(hitGoal)),
    summary(own.map((round) => round.nanosPerSet)).median.toFixed(0),
    times(sets.ratio),
  ]
}

export const table = (entries: number, seen: Seen): string =>
  [
    `${entries.toLocaleString("en")} entries`,
    ...aligned([heads, ...[...seen.keys()].map((name) => row(seen, name))], 1),
  ].join("\n  ")

export const legend = `bytes: of an entry beyond its key and value. a hit: evenly over all keys. a set: of a new key into a
full store. ratio: of medians, to lru-cache; of what knows when entries expire, to lru-cache with ttl.
rounds: lowest and highest ratio in one round. Keys and the value, one for all, exist beforehand.`
