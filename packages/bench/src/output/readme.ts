/** The README's part about performance, as the results give it. */
import { UsageError } from "../command.ts"
import { body, type Report as Frozen } from "../faults/report.ts"
import { facts } from "./facts.ts"
import { figure, times } from "./figures.ts"
import type { Report } from "./Report.ts"
import { type Rival, type Standing, standing } from "./standing.ts"

/** From the README's folder. */
const folder = "packages/bench/results"

type Cells = ReadonlyArray<string>

/** As the formatter leaves a table: columns of one width. */
const markdownTable = (rows: ReadonlyArray<Cells>): string => {
  const widths = rows[0]!.map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]!.length)),
  )
  const line = (cells: Cells): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`
  const [head, ...body] = rows
  return [line(head!), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n")
}

const against = (unit: Standing["result"]["unit"], rival: Rival | undefined): Cells =>
  rival === undefined
    ? ["", ""]
    : [`${rival.name} ${figure(unit, rival.median)}`, times(rival.ratio)]

const row = ({ baseline, floor, larder, peer, result }: Standing): Cells => [
  `[${result.title}](${folder}/${result.case}.svg)`,
  result.variant,
  figure(result.unit, larder.summary.median),
  ...against(result.unit, baseline),
  ...against(result.unit, peer),
  floor === undefined ? "" : times(floor.ratio),
]

const heads = [
  "case",
  "variant",
  "Larder",
  "baseline",
  "ratio",
  "fastest other library",
  "ratio",
  "to bare",
]

/** What belongs between the markers. Throws `UsageError` where the reports do not go together. */
export const section = (reports: ReadonlyArray<Report>): string => {
  const { command, machine, method, versions } = facts(reports)
  const rows = reports.flatMap(({ results }) => results.map(standing)).map(row)
  return [
    `![Larder's median time as a multiple of the baseline's and of the fastest other library's, per case](${folder}/overview.svg)`,
    markdownTable([heads, ...rows]),
    "Medians; a ratio is Larder's over the other's, below 1x Larder is faster. Bare is a `Map` asked in a fiber, where nothing ends, is bound or counted: about the least that Effect itself costs. The charts behind the cases show all libraries, and p99.",
    `${machine}.\n${versions}.\n\`${command}\`: ${method}.`,
  ].join("\n\n")
}

/** What callers see of a sick Redis. */
export const frozenSection = (report: Frozen): string => ["```text", body(report), "```"].join("\n")

/** The parts of the README that are written from results. */
export type Part = "performance" | "frozen"

const begin = (part: Part): string => `<!-- ${part} -->`
const end = (part: Part): string => `<!-- /${part} -->`

const marked = (readme: string, part: Part): readonly [from: number, to: number] | undefined => {
  const from = readme.indexOf(begin(part))
  const to = readme.indexOf(end(part))
  return from < 0 || to < from ? undefined : [from + begin(part).length, to]
}

/** What stands between the markers of a part now; undefined without them. */
export const current = (readme: string, part: Part): string | undefined => {
  const found = marked(readme, part)
  return found === undefined ? undefined : readme.slice(...found).trim()
}

/** The README with a section in the place of what stood between the markers of a part. Throws {@link UsageError}. */
export const replaced = (readme: string, part: Part, section: string): string => {
  const found = marked(readme, part)
  if (found === undefined) {
    throw new UsageError(
      `README.md has no place for the figures: put ${begin(part)} and, below it, ${end(part)} on lines of their own`,
    )
  }
  const [from, to] = found
  return `${readme.slice(0, from)}\n\n${section}\n\n${readme.slice(to)}`
}
