/** Results as text. */
import { aligned } from "./aligned.ts"
import type { Environment } from "./environment.ts"
import type { Line, Result, Verdict } from "./result.ts"

type Unit = Result["unit"]

const figure = (unit: Unit, value: number): string =>
  unit === "ns" ? value.toFixed(0) : value.toFixed(unit === "us" ? 2 : 1)

const ratio = (value: number): string => `${value.toFixed(2)}x`

/** Of a call, where a thousand may share one. */
const count = (value: number): string => {
  const rounded = value >= 0.01 ? value.toFixed(2) : value.toFixed(4)
  return rounded.includes(".") ? rounded.replace(/\.?0+$/, "") : rounded
}

interface Column {
  readonly head: string
  readonly cell: (line: Line, unit: Unit) => string
}

const columns: ReadonlyArray<Column> = [
  { head: "median", cell: ({ summary }, unit) => figure(unit, summary.median) },
  { head: "p99", cell: ({ summary }, unit) => figure(unit, summary.p99) },
  { head: "min", cell: ({ summary }, unit) => figure(unit, summary.min) },
  { head: "ratio", cell: ({ comparison }) => ratio(comparison?.ratio ?? 1) },
  { head: "by min", cell: ({ comparison }) => ratio(comparison?.byMin ?? 1) },
  {
    head: "rounds",
    cell: ({ comparison }) =>
      comparison === undefined
        ? ""
        : `${comparison.lowest.toFixed(2)}-${comparison.highest.toFixed(2)}`,
  },
  { head: "lookups", cell: ({ lookups }) => count(lookups) },
  { head: "commands", cell: ({ commands }) => (commands === undefined ? "" : count(commands)) },
]

const row = (
  shown: ReadonlyArray<Column>,
  result: Result,
  line: Line,
  first: boolean,
): ReadonlyArray<string> => [
  first ? result.variant : "",
  line.contender,
  ...shown.map(({ cell }) => cell(line, result.unit)),
]

const verdict = (variant: string, { contender, goal, met, ratio: actual, than }: Verdict): string =>
  `${met ? "met   " : "MISSED"}  ${variant}: ${contender} at ${ratio(actual)} of ${than}, wanted ${ratio(goal)} at most`

/** All variants of one case under its title. */
const block = (results: ReadonlyArray<Result>): string => {
  // Where there is no Redis, nothing was asked of it.
  const shown = columns.filter(({ cell }) =>
    results.some(({ lines, unit }) => lines.some((line) => cell(line, unit) !== "")),
  )
  const rows = results.flatMap((result) =>
    result.lines.map((line, index) => row(shown, result, line, index === 0)),
  )
  const heads = ["", "", ...shown.map(({ head }) => head)]
  const verdicts = results.flatMap((result) =>
    result.verdicts.map((each) => verdict(result.variant, each)),
  )
  const { case: name, title } = results[0]!
  return [
    `${name}: ${title}`,
    ...[...aligned([heads, ...rows], 2), ...verdicts].map((text) => `  ${text}`),
  ].join("\n")
}

export const table = (results: ReadonlyArray<Result>): string =>
  [...Map.groupBy(results, (result) => result.case).values()].map(block).join("\n\n")

export const heading = (environment: Environment): string =>
  [
    `Node ${environment.node}, ${environment.cpu}, ${environment.cores} cores, load ${environment.load.toFixed(1)}`,
    Object.entries(environment.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
  ].join("\n")

export const legend = (rounds: number): string =>
  [
    `${rounds} round${rounds === 1 ? "" : "s"}, a process each, libraries in turn; median, p99 and min over the samples of all rounds.`,
    "ratio: of medians, to the baseline (1.00x). by min: of fastest samples. rounds: lowest and highest ratio in one round.",
    "lookups, commands: of the source and of Redis for one call, on the average; the commands of a script count too.",
  ].join("\n")
