/** Reports what callers see in the scenarios, as figures and as text. */
import type { Environment } from "../environment.ts"
import { quantile } from "../statistics.ts"
import { aligned, heading } from "../table.ts"
import type { Outcome, Pace } from "./paced.ts"

export const pace: Pace = { calls: 400, everyMillis: 5, patienceMillis: 15_000 }

/** How long a lookup takes, in ms. */
export const upstreamMillis = 20

const titles = {
  grace: "Redis frozen for 2 s, every value in memory and due for a refresh",
  cold: "Redis frozen for 2 s, nothing in memory",
  unreachable: "Redis unreachable from the start",
}

export type Scenario = keyof typeof titles

export const scenarios: ReadonlyArray<Scenario> = ["grace", "cold", "unreachable"]

/** Times, in ms, are those of all calls, including failed ones: their callers waited as well. */
export interface Seen {
  readonly calls: number
  readonly failed: number
  readonly lookups: number
  readonly median: number
  readonly p99: number
  readonly max: number
}

export const seen = (outcomes: ReadonlyArray<Outcome>, lookups: number): Seen => {
  const millis = outcomes.map((outcome) => outcome.millis).toSorted((a, b) => a - b)
  return {
    calls: outcomes.length,
    failed: outcomes.filter(({ hasFailed }) => hasFailed).length,
    lookups,
    median: quantile(millis, 0.5),
    p99: quantile(millis, 0.99),
    max: quantile(millis, 1),
  }
}

/** A time as text. The time of a call that timed out is a lower bound. */
const time = (millis: number): string => {
  if (millis >= pace.patienceMillis) return `> ${pace.patienceMillis / 1_000} s`
  return millis < 1_000 ? `${millis.toFixed(1)} ms` : `${(millis / 1_000).toFixed(2)} s`
}

/** The figures by the name of the library, in display order. */
export type Lines = Readonly<Record<string, Seen>>

/** The content of the results file. */
export interface Report {
  readonly environment: Environment
  readonly scenarios: Readonly<Record<Scenario, Lines>>
}

const heads = ["", "median", "p99", "max", "failed", "lookups"]

/** One scenario, one library per line. */
export const table = (scenario: Scenario, lines: Lines): string => {
  const rows = Object.entries(lines).map(([library, seen]) => [
    library,
    ...[seen.median, seen.p99, seen.max].map(time),
    `${seen.failed} of ${seen.calls}`,
    String(seen.lookups),
  ])
  return [titles[scenario], ...aligned([heads, ...rows], 1)].join("\n  ")
}

const legend = `${pace.calls} calls, one begun every ${pace.everyMillis} ms, each for a different key; a lookup takes ${upstreamMillis} ms.
Clients have their default settings. "> 15 s": given up after 15 s.`

/** The scenarios, and what callers saw. */
export const body = (report: Report): string =>
  [legend, ...scenarios.map((name) => table(name, report.scenarios[name]))].join("\n\n")

/** The report as text: `body` with the environment. */
export const text = (report: Report): string =>
  [heading(report.environment), body(report)].join("\n")
