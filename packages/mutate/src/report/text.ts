/** The report as text. */
import { groupOf } from "../run/groups.ts"
import type { Result } from "../run/results.ts"
import type { Mutant } from "../source/mutant.ts"
import type { Explained, Explanation } from "./explained.ts"
import { type Figures, figures } from "./figures.ts"

export interface Report {
  /** The results without explained survivors. */
  readonly results: ReadonlyArray<Result>
  readonly explained: ReadonlyArray<Explained>
  readonly unneeded: ReadonlyArray<Explanation>
  /** The number of mutants in each group; `undefined` when all were tried. */
  readonly sampledOf: ReadonlyMap<string, number> | undefined
  readonly seed: number
  /** The number of untried mutants when the run was stopped. */
  readonly untried: number
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

const heads = [
  "caught",
  "interval",
  "mutants",
  "noticed",
  "timed out",
  "survived",
  "not covered",
  "by random alone",
]

const cells = (figures: Figures, isSample: boolean): ReadonlyArray<string> => [
  percent(figures.share),
  isSample ? `${percent(figures.interval.low)} - ${percent(figures.interval.high)}` : "",
  String(figures.mutants),
  String(figures.caught),
  String(figures.timedOut),
  String(figures.survived),
  String(figures.notCovered),
  String(figures.alone),
]

/** Columns as wide as their widest cell; the first is aligned left. */
const aligned = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const shown = widths.map((width, column) =>
    rows.slice(1).some((row) => row[column] !== "") ? width : 0,
  )
  return rows.map((row) =>
    row
      .map((cell, column) => {
        if (column === 0) return cell.padEnd(widths[0]!)
        return shown[column] === 0 ? "" : `  ${cell.padStart(widths[column]!)}`
      })
      .join("")
      .trimEnd(),
  )
}

/** Cuts a part out of the middle of a long text. */
const shortened = (text: string, most: number): string => {
  if (text.length <= most) return text
  const half = Math.floor((most - 5) / 2)
  return `${text.slice(0, half)} ... ${text.slice(-half)}`
}

const longest = 110

export const told = ({ column, file, line, mutated, operator, original }: Mutant): string =>
  `${file}:${line}:${column}  ${shortened(original, longest)}  ->  ${
    mutated === "" ? "(left out)" : shortened(mutated, longest)
  }  [${operator}]`

export const byGroup = (
  results: ReadonlyArray<Result>,
): ReadonlyMap<string, ReadonlyArray<Result>> =>
  Map.groupBy(results, ({ mutant }) => groupOf(mutant.file))

const table = ({ results, sampledOf }: Report): ReadonlyArray<string> => {
  const isSample = sampledOf !== undefined
  const rows: Array<ReadonlyArray<string>> = [["", ...heads]]
  const groups = byGroup(results)
  for (const [group, own] of groups) {
    const of = isSample ? ` (sample of ${sampledOf.get(group)})` : ""
    rows.push([`${group}${of}`, ...cells(figures(own), isSample)])
    for (const [file, each] of Map.groupBy(own, ({ mutant }) => mutant.file)) {
      rows.push([`  ${file}`, ...cells(figures(each), isSample)])
    }
  }
  // Equal samples from groups of different sizes give no share for all groups together.
  if (!isSample && groups.size > 1) rows.push(["all", ...cells(figures(results), false)])
  return aligned(rows)
}

const listed = (title: string, entries: ReadonlyArray<string>): ReadonlyArray<string> =>
  entries.length === 0
    ? []
    : ["", `${title} (${entries.length})`, ...entries.map((each) => `  ${each}`)]

const withTag = (results: ReadonlyArray<Result>, tag: Result["fate"]["_tag"]) =>
  results.filter(({ fate }) => fate._tag === tag).map(({ mutant }) => told(mutant))

export const text = (report: Report): string => {
  const { explained, results, sampledOf, seed, unneeded, untried } = report
  const alone = results
    .filter(({ fate }) => fate._tag === "Caught" && fate.alone)
    .map(({ mutant }) => told(mutant))
  return [
    ...table(report),
    ...(sampledOf === undefined
      ? []
      : ["", `A sample, drawn from seed ${seed}; intervals at 95 % (Wilson).`]),
    ...(untried === 0 ? [] : ["", `Stopped before ${untried} more mutants were tried.`]),
    ...listed("Survived", withTag(results, "Survived")),
    ...listed("Not covered by any test", withTag(results, "NotCovered")),
    ...listed("Caught by random sequences alone", alone),
    ...listed(
      "Explained",
      explained.map(({ reason, result }) => `${told(result.mutant)}\n    ${reason}`),
    ),
    ...listed(
      "Explanations without a survivor: remove them from explained.json",
      unneeded.map(({ file, mutated, original }) => `${file}  ${original} -> ${mutated}`),
    ),
  ].join("\n")
}
