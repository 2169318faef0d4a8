/** Results as text. */
import type { Environment } from "./environment.ts"
import type { Line, Result } from "./result.ts"

const heads = ["", "", "median", "p99", "min", "ratio", "by min", "rounds", "goal", ""] as const

const figure = (unit: Result["unit"], value: number): string =>
  unit === "ns" ? value.toFixed(0) : value.toFixed(unit === "us" ? 2 : 1)

const ratio = (value: number): string => `${value.toFixed(2)}x`

const row = (result: Result, line: Line, first: boolean): ReadonlyArray<string> => {
  const { comparison, goal, summary } = line
  return [
    first ? result.variant : "",
    line.contender,
    figure(result.unit, summary.median),
    figure(result.unit, summary.p99),
    figure(result.unit, summary.min),
    comparison === undefined ? "1.00x" : ratio(comparison.ratio),
    comparison === undefined ? "1.00x" : ratio(comparison.byMin),
    comparison === undefined
      ? ""
      : `${comparison.lowest.toFixed(2)}-${comparison.highest.toFixed(2)}`,
    goal === undefined ? "" : `<= ${ratio(goal.ratio)}`,
    goal === undefined ? "" : goal.met ? "met" : "MISSED",
  ]
}

const align = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = heads.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)))
  return rows.map((cells) =>
    cells
      .map((cell, column) =>
        column < 2 || column > 7 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join("  ")
      .trimEnd(),
  )
}

/** All variants of one case under its title. */
const block = (results: ReadonlyArray<Result>): string => {
  const rows = results.flatMap((result) =>
    result.lines.map((line, index) => row(result, line, index === 0)),
  )
  const { case: name, title } = results[0]!
  return [`${name}: ${title}`, ...align([heads, ...rows]).map((text) => `  ${text}`)].join("\n")
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
  ].join("\n")
