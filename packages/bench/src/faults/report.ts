/** The result of a scenario, as figures and as text. */
import { aligned } from "../aligned.ts"
import type { Environment } from "../environment.ts"
import { quantile } from "../statistics.ts"
import { heading } from "../table.ts"
import type { Outcome } from "./paced.ts"
import { pace, type ScenarioName, upstreamMillis } from "./Scenario.ts"

/** A time; for a call that timed out it is a lower bound. */
export interface Time {
  readonly millis: number
  readonly orMore: boolean
}

/** Times of all calls, including failed ones: their callers waited as well. */
export interface Seen {
  readonly calls: number
  readonly failed: number
  readonly lookups: number
  readonly median: Time
  readonly p99: Time
  readonly max: Time
}

export const seen = (outcomes: ReadonlyArray<Outcome>, lookups: number): Seen => {
  const sorted = outcomes.toSorted((a, b) => a.millis - b.millis)
  const millis = sorted.map((outcome) => outcome.millis)
  const at = (share: number): Time => {
    const time = quantile(millis, share)
    const orMore = sorted.some((outcome) => outcome.millis === time && outcome.ended === "given up")
    return { millis: time, orMore }
  }
  return {
    calls: outcomes.length,
    failed: outcomes.filter(({ ended }) => ended === "failed").length,
    lookups,
    median: at(0.5),
    p99: at(0.99),
    max: at(1),
  }
}

const time = ({ millis, orMore }: Time): string => {
  if (orMore) return `> ${(millis / 1_000).toFixed(0)} s`
  return millis < 1_000 ? `${millis.toFixed(1)} ms` : `${(millis / 1_000).toFixed(2)} s`
}

/** By the names of the libraries, in display order. */
export type Lines = Readonly<Record<string, Seen>>

/** The content of the results file. */
export interface Report {
  readonly environment: Environment
  readonly scenarios: ReadonlyArray<{
    readonly scenario: ScenarioName
    readonly title: string
    readonly seen: Lines
  }>
}

const heads = ["", "median", "p99", "max", "failed", "lookups"]

const row = ([library, { calls, failed, lookups, max, median, p99 }]: readonly [string, Seen]) => [
  library,
  time(median),
  time(p99),
  time(max),
  `${failed} of ${calls}`,
  String(lookups),
]

/** One scenario, one library per line. */
const table = ({ seen, title }: Report["scenarios"][number]): string => {
  const lines = aligned([heads, ...Object.entries(seen).map(row)], 1)
  return [title, ...lines.map((line) => `  ${line}`)].join("\n")
}

export const tables = ({ scenarios }: Pick<Report, "scenarios">): string =>
  scenarios.map(table).join("\n\n")

const legend = `${pace.calls} calls, one begun every ${pace.everyMillis} ms, each for a key of its own; a lookup takes ${upstreamMillis} ms.
Clients as they are by default. "> 15 s": not waited for any longer.`

/** The scenarios, and what callers saw. */
export const body = (report: Report): string => [legend, "", tables(report)].join("\n")

/** The same, with the environment. */
export const text = (report: Report): string =>
  [heading(report.environment), body(report)].join("\n")
