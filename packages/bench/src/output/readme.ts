/** Writes the README's figures, and the page of all libraries, from the results. */
import { UsageError } from "../command.ts"
import type { Environment } from "../environment.ts"
import { body, type Report as Frozen } from "../faults/report.ts"
import type { Result, Verdict } from "../result.ts"
import { legend, machineOf, method, table, versionsOf } from "../table.ts"
import type { Report } from "./results.ts"
import { type Rival, type Standing, standing } from "./standing.ts"

type Cells = ReadonlyArray<string>

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 })

/** About three digits, never in exponents: 4,370, 206, 12.7, 1.05, 0.08. */
const short = (value: number): string => {
  if (value >= 99.95) return grouped.format(value)
  return value.toFixed(value >= 9.995 ? 1 : 2)
}

const figure = (unit: Result["unit"], value: number): string => `${short(value)} ${unit}`

const times = (ratio: number): string => `${short(ratio)}x`

/** Aligned as the formatter aligns tables: columns of one width. */
const markdownTable = (rows: ReadonlyArray<Cells>): string => {
  const widths = rows[0]!.map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]!.length)),
  )
  const line = (cells: Cells): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`
  const [head, ...body] = rows
  return [line(head!), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n")
}

const against = (unit: Result["unit"], rival: Rival | undefined): Cells =>
  rival === undefined
    ? ["", ""]
    : [`${rival.name} ${figure(unit, rival.median)}`, times(rival.ratio)]

/** Whether the goals of a case are met; for each missed goal, its bound and the measured ratio. */
const goals = (verdicts: ReadonlyArray<Verdict>): string => {
  const missed = verdicts.filter(({ met }) => !met)
  if (missed.length === 0) return "met"
  const wanted = [...Map.groupBy(missed, ({ goal }) => goal)].map(
    ([goal, same]) =>
      `at most ${goal}x of ${same.map(({ ratio, than }) => `${than} (${times(ratio)})`).join(", ")}`,
  )
  const share = verdicts.length === 1 ? "" : ` ${missed.length} of ${verdicts.length}`
  return `**missed**${share}: ${wanted.join("; ")}`
}

const row = ({ baseline, floor, larder, peer, result }: Standing): Cells => [
  `[${result.title}](packages/bench/results/README.md#${result.case.toLowerCase()})`,
  result.variant,
  figure(result.unit, larder.summary.median),
  ...against(result.unit, baseline),
  ...against(result.unit, peer),
  floor === undefined ? "" : times(floor.ratio),
  goals(result.verdicts),
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
  "goals",
]

/** The common parts of all reports. Throws {@link UsageError} when the reports differ in them. */
const common = (reports: ReadonlyArray<Report>): Omit<Report, "results"> => {
  const [first, ...others] = reports
  if (first === undefined) throw new UsageError("there are no results: run pnpm bench first")
  const versions: Record<string, string> = { ...first.environment.versions }
  const told = ({ environment, options, rounds }: Report): string =>
    `${machineOf(environment)}, ${method(rounds)}${options === "" ? "" : `, ${options}`}`
  for (const report of others) {
    if (told(report) !== told(first)) {
      throw new UsageError(
        `the results of ${report.results[0]?.case} are of other circumstances (${told(report)}) than those of ${first.results[0]?.case} (${told(first)}): measure them all again with pnpm bench`,
      )
    }
    for (const [name, version] of Object.entries(report.environment.versions)) {
      versions[name] ??= version
      if (versions[name] !== version) {
        throw new UsageError(
          `there are results of ${name} ${versions[name]} and of ${version}: measure them all again with pnpm bench`,
        )
      }
    }
  }
  const sorted = Object.entries(versions).toSorted(([one], [other]) => (one < other ? -1 : 1))
  return { ...first, environment: { ...first.environment, versions: Object.fromEntries(sorted) } }
}

const circumstances = (environment: Environment): string =>
  `${machineOf(environment)}.\n${versionsOf(environment)}.`

/**
 * The text between the markers. Throws {@link UsageError} when the reports differ in their common
 * parts.
 */
export const section = (reports: ReadonlyArray<Report>): string => {
  const { environment, options, rounds } = common(reports)
  const rows = reports.flatMap(({ results }) => results.map(standing)).map(row)
  return [
    markdownTable([heads, ...rows]),
    "Medians; a ratio is Larder's over the other's, below 1x Larder is faster. Bare is a `Map` asked in a fiber, where nothing ends, is bound or counted: about the least that Effect itself costs. Behind the cases: all libraries, with p99.",
    `${circumstances(environment)}\n\`${`npx --yes pnpm@12 bench ${options}`.trimEnd()}\`: ${method(rounds)}.`,
  ].join("\n\n")
}

/**
 * The page of all libraries. Throws {@link UsageError} when the reports differ in their common
 * parts.
 */
export const page = (reports: ReadonlyArray<Report>): string => {
  const { environment, rounds } = common(reports)
  const text = (block: string): string => ["```text", block, "```"].join("\n")
  return [
    "# All libraries, case by case",
    "`npx --yes pnpm@12 bench --readme` writes this page from the files beside it.",
    text(legend(rounds)),
    circumstances(environment),
    ...reports.flatMap(({ results }) => [`## ${results[0]?.case}`, text(table(results))]),
  ]
    .join("\n\n")
    .concat("\n")
}

/** What callers see when Redis is frozen. */
export const frozenSection = (report: Frozen): string => ["```text", body(report), "```"].join("\n")

/** The parts of the README that are generated from results. */
export type Part = "performance" | "frozen"

const marked = (readme: string, part: Part): readonly [from: number, to: number] | undefined => {
  const begin = `<!-- ${part} -->`
  const from = readme.indexOf(begin)
  const to = readme.indexOf(`<!-- /${part} -->`)
  return from < 0 || to < from ? undefined : [from + begin.length, to]
}

/** The current text between the markers of a part; undefined without markers. */
export const current = (readme: string, part: Part): string | undefined => {
  const found = marked(readme, part)
  return found === undefined ? undefined : readme.slice(...found).trim()
}

/** Replaces the section between the markers of a part in the README. Throws {@link UsageError}. */
export const replaced = (readme: string, part: Part, section: string): string => {
  const found = marked(readme, part)
  if (found === undefined) {
    throw new UsageError(
      `README.md has no place for the figures: put <!-- ${part} --> and, below it, <!-- /${part} --> on lines of their own`,
    )
  }
  const [from, to] = found
  return `${readme.slice(0, from)}\n\n${section}\n\n${readme.slice(to)}`
}
