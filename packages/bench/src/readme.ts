/** Writes the README's figures, and the page of all libraries, from the results. */
import { UsageError } from "./command.ts"
import { body, type Report as Frozen } from "./faults/report.ts"
import type { Line, Result, Verdict } from "./result.ts"
import type { Report } from "./results.ts"
import { legend, machineOf, method, padded, table, versionsOf } from "./table.ts"

type Cells = ReadonlyArray<string>

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 })

/** About three digits, never in exponents: 4,370, 206, 12.7, 1.05, 0.08. */
const short = (value: number): string => {
  if (value >= 99.95) return grouped.format(value)
  return value.toFixed(value >= 9.995 ? 1 : 2)
}

const times = (ratio: number): string => `${short(ratio)}x`

/** Aligned as the formatter aligns tables: columns of one width. */
const markdownTable = (rows: ReadonlyArray<Cells>): string => {
  const [head, ...body] = padded(rows, Infinity)
  const line = head!.map((cell) => "-".repeat(cell.length))
  return [head!, line, ...body].map((cells) => `| ${cells.join(" | ")} |`).join("\n")
}

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

const heads = "case|variant|Larder|baseline|ratio|fastest other library|ratio|to bare|goals".split(
  "|",
)

const row = ({ case: name, lines, title, unit, variant, verdicts }: Result): Cells => {
  const fastest = (isMeant: (line: Line) => boolean): Line | undefined =>
    lines.filter(isMeant).toSorted((a, b) => a.summary.median - b.summary.median)[0]
  // When Larder is measured in several ways, use the one that the case judges.
  const larder = fastest(({ contender }) => contender === verdicts[0]?.contender)
  if (larder === undefined) throw new Error(`${name} (${variant}) judges no larder`)
  const figure = ({ summary }: Line): string => `${short(summary.median)} ${unit}`
  /** Figure and ratio of a contender, without the tier in its name: the name of the case has it. */
  const against = (line: Line | undefined): readonly [figure: string, ratio: string] =>
    line === undefined
      ? ["", ""]
      : [
          `${line.contender.replace(/ over (redis|sqlite)$/, "")} ${figure(line)}`,
          times(larder.summary.median / line.summary.median),
        ]
  return [
    `[${title}](packages/bench/results/README.md#${name.toLowerCase()})`,
    variant,
    figure(larder),
    ...against(lines.find(({ comparison }) => comparison === undefined)),
    // The bare clients are no libraries: none over them can beat them.
    ...against(fastest(({ contender }) => !/^(larder|bare Map|ioredis|node:)/.test(contender))),
    against(fastest(({ contender }) => contender.startsWith("bare Map")))[1],
    goals(verdicts),
  ]
}

/** The common parts of all reports. Throws {@link UsageError} when the reports differ in them. */
const common = (reports: ReadonlyArray<Report>): Omit<Report, "results"> => {
  const [first] = reports
  if (first === undefined) throw new UsageError("there are no results: run pnpm bench first")
  const all = reports.flatMap(({ environment }) => Object.entries(environment.versions))
  const versions = Object.fromEntries(all.toSorted(([one], [other]) => (one < other ? -1 : 1)))
  const told = ({ environment, options, rounds }: Report): string =>
    [machineOf(environment), method(rounds), options].join(", ")
  const odd = reports.find(
    (report) =>
      told(report) !== told(first) ||
      Object.entries(report.environment.versions).some(([name, own]) => versions[name] !== own),
  )
  if (odd !== undefined) {
    throw new UsageError(
      `the results of ${odd.results[0]?.case} (${told(odd)}, ${versionsOf(odd.environment)}) are of other circumstances or versions than others: measure them all again with pnpm bench`,
    )
  }
  return { ...first, environment: { ...first.environment, versions } }
}

/**
 * The README's table. Throws {@link UsageError} when the reports differ in their common parts.
 */
export const section = (reports: ReadonlyArray<Report>): string => {
  const { environment, options, rounds } = common(reports)
  return [
    markdownTable([heads, ...reports.flatMap(({ results }) => results.map(row))]),
    "Medians; a ratio is Larder's over the other's, below 1x Larder is faster. Bare is a `Map` read in a fiber, without expiry, bounds or counters: about the least that Effect itself costs. Each case links to all libraries, with p99.",
    `${machineOf(environment)}.\n${versionsOf(environment)}.\n\`${`npx --yes pnpm@12 bench ${options}`.trimEnd()}\`: ${method(rounds)}.`,
  ].join("\n\n")
}

const fenced = (text: string): string => ["```text", text, "```"].join("\n")

/**
 * The page of all libraries. Throws {@link UsageError} when the reports differ in their common
 * parts.
 */
export const page = (reports: ReadonlyArray<Report>): string => {
  const { environment, rounds } = common(reports)
  return [
    "# All libraries, case by case",
    "`npx --yes pnpm@12 bench --readme` writes this page from the files beside it.",
    fenced(legend(rounds)),
    `${machineOf(environment)}.\n${versionsOf(environment)}.`,
    ...reports.flatMap(({ results }) => [`## ${results[0]?.case}`, fenced(table(results))]),
  ]
    .join("\n\n")
    .concat("\n")
}

/** The section about callers while Redis is frozen. */
export const frozenSection = (report: Frozen): string => fenced(body(report))

/** Replaces the text between the markers of a part in the README. Throws {@link UsageError}. */
export const replaced = (
  readme: string,
  part: "performance" | "frozen",
  section: string,
): string => {
  const [begin, end] = [`<!-- ${part} -->`, `<!-- /${part} -->`]
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)]
  if (from < 0 || to < from) {
    throw new UsageError(
      `README.md has no place for the figures: put ${begin} and, below it, ${end} on lines of their own`,
    )
  }
  return `${readme.slice(0, from)}${begin}\n\n${section}\n\n${readme.slice(to)}`
}
