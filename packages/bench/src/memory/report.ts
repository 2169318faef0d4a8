/** Figures of all contenders, as text. */
import { aligned } from "../aligned.ts"
import { compare, quantile, summary } from "../statistics.ts"
import type { Churn } from "./churn.ts"
import { contender, type ContenderName } from "./contenders.ts"
import { bytesGoal, freshKeys, hitGoal } from "./scale.ts"

/** What each contender has shown. */
export type Seen<A> = ReadonlyMap<ContenderName, A>

const ofBaseline = <A>(seen: Seen<A>, name: ContenderName): A => {
  const { baseline } = contender(name)
  const found = seen.get(baseline)
  if (found === undefined) throw new Error(`${name} is compared with ${baseline}, which is absent`)
  return found
}

const times = (ratio: number): string => `${ratio.toFixed(2)}x`

const verdict = (name: ContenderName, value: number, goal: number, shown: string) =>
  contender(name).isLarder ? [`<= ${shown}`, value <= goal ? "met" : "MISSED"] : ["", ""]

const block = (
  title: string,
  heads: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
): string => [title, ...aligned([heads, ...rows], 1).map((line) => `  ${line}`)].join("\n")

export const bytesTable = (seen: Seen<number>): string =>
  block(
    "bytes: per entry beyond its key and value, of 1,000,000",
    ["", "bytes", "ratio", "goal", ""],
    [...seen].map(([name, bytes]) => [
      name,
      bytes.toFixed(1),
      times(bytes / ofBaseline(seen, name)),
      ...verdict(name, bytes, bytesGoal, String(bytesGoal)),
    ]),
  )

const median = (values: ReadonlyArray<number>): number =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  )

const nanosPerSet = (rounds: ReadonlyArray<Churn>): number =>
  median(rounds.map((round) => round.nanosPerSet))

export const churnTable = (seen: Seen<ReadonlyArray<Churn>>): string =>
  block(
    "churn: 5,000,000 new keys into a full store of 1,000,000; medians of the rounds",
    ["", "ns per set", "ratio", "collections", "ms in them", "garbage per set", "bytes per entry"],
    [...seen].map(([name, rounds]) => [
      name,
      nanosPerSet(rounds).toFixed(0),
      times(nanosPerSet(rounds) / nanosPerSet(ofBaseline(seen, name))),
      String(median(rounds.map(({ collections }) => collections))),
      median(rounds.map(({ millis }) => millis)).toFixed(1),
      `${(median(rounds.map(({ allocatedBytes }) => allocatedBytes)) / freshKeys).toFixed(1)} bytes`,
      median(rounds.map(({ bytesPerEntry }) => bytesPerEntry)).toFixed(1),
    ]),
  )

const hitRow = (
  name: ContenderName,
  rounds: ReadonlyArray<ReadonlyArray<number>>,
  baseline: ReadonlyArray<ReadonlyArray<number>>,
): ReadonlyArray<string> => {
  const { median, min } = summary(rounds.flat())
  const { byMin, highest, lowest, ratio } = compare(rounds, baseline)
  return [
    name,
    median.toFixed(0),
    min.toFixed(0),
    times(ratio),
    times(byMin),
    `${lowest.toFixed(2)}-${highest.toFixed(2)}`,
    ...verdict(name, ratio, hitGoal, times(hitGoal)),
  ]
}

export const hitsTable = (
  variant: string,
  seen: Seen<ReadonlyArray<ReadonlyArray<number>>>,
): string =>
  block(
    `hits: nanoseconds each, ${variant}`,
    ["", "median", "min", "ratio", "by min", "rounds", "goal", ""],
    [...seen].map(([name, rounds]) => hitRow(name, rounds, ofBaseline(seen, name))),
  )

export const legend = `ratio: to lru-cache; of what knows when entries expire, to lru-cache with ttl. Of hits: of medians,
and by fastest samples; rounds: lowest and highest ratio in one round. Keys and the value, one for
all entries, exist beforehand. garbage: all that was allocated meanwhile.`
