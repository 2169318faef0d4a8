/** Results as text. */
import type { Environment } from "./environment.ts"
import type { Line, Result, Verdict } from "./result.ts"

type Rows = ReadonlyArray<ReadonlyArray<string>>

/**
 * Pads columns to their widest cell: the first `left` of them are aligned left, the others right.
 */
export const padded = (rows: Rows, left: number): Rows => {
  const widths = rows[0]!.map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]!.length)),
  )
  return rows.map((cells) =>
    cells.map((cell, column) =>
      column < left ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
    ),
  )
}

/** Lines of padded columns. */
export const aligned = (rows: Rows, left: number): ReadonlyArray<string> =>
  padded(rows, left).map((cells) => cells.join("  ").trimEnd())

const times = (value: number): string => `${value.toFixed(2)}x`

const decimals = { ns: 0, us: 2, ms: 1, B: 1 }

const heads = ["", "", "median", "p99", "min", "ratio", "by min", "rounds"]

const row = ({ unit, variant }: Result, line: Line, first: boolean): ReadonlyArray<string> => {
  const { comparison, contender, summary } = line
  const { median, min, p99 } = summary
  return [
    first ? variant : "",
    contender,
    ...[median, p99, min].map((value) => value.toFixed(decimals[unit])),
    times(comparison?.ratio ?? 1),
    times(comparison?.byMin ?? 1),
    comparison ? `${comparison.lowest.toFixed(2)}-${comparison.highest.toFixed(2)}` : "",
  ]
}

const told = (variant: string, { contender, goal, met, ratio, than }: Verdict): string =>
  `${met ? "met   " : "MISSED"}  ${variant}: ${contender} at ${times(ratio)} of ${than}, wanted ${times(goal)} at most`

/** All variants of one case under its title. */
const block = (results: ReadonlyArray<Result>): string => {
  const rows = results.flatMap((result) =>
    result.lines.map((line, index) => row(result, line, index === 0)),
  )
  const verdicts = results.flatMap(({ variant, verdicts }) =>
    verdicts.map((verdict) => told(variant, verdict)),
  )
  const { case: name, title } = results[0]!
  return [`${name}: ${title}`, ...aligned([heads, ...rows], 2), ...verdicts].join("\n  ")
}

export const table = (results: ReadonlyArray<Result>): string =>
  [...Map.groupBy(results, (result) => result.case).values()].map(block).join("\n\n")

/** Packages with their versions. */
export const versionsOf = ({ versions }: Environment): string =>
  Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ")

export const machineOf = ({ cores, cpu, node }: Environment): string =>
  `Node ${node}, ${cpu}, ${cores} core${cores === 1 ? "" : "s"}`

export const heading = (environment: Environment): string =>
  `${machineOf(environment)}, load ${environment.load.toFixed(1)}\n${versionsOf(environment)}`

/** How often and in which order the libraries were measured. */
export const method = (rounds: number): string =>
  `${rounds} round${rounds === 1 ? "" : "s"}, a process each, libraries in turn`

export const legend = (rounds: number): string =>
  `${method(rounds)}; median, p99 and min over the samples of all rounds.
ratio: of medians, to the baseline (1.00x). by min: of fastest samples. rounds: lowest and highest ratio in one round.`
