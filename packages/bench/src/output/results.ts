/** The folder of results: `<case>.json` as measured, and the pictures drawn from them. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { cases } from "../Case.ts"
import { UsageError } from "../command.ts"
import type { Report as Frozen } from "../faults/report.ts"
import { writeJson } from "../writeJson.ts"
import { chart } from "./chart.ts"
import { facts } from "./facts.ts"
import { overview } from "./overview.ts"
import { caseOf, type Report } from "./Report.ts"
import { standing } from "./standing.ts"

const frozenFile = "frozen.json"

export const folder = fileURLToPath(new URL("../../results", import.meta.url))

const parsed = (text: string, file: string): Report => {
  try {
    const report: Report = JSON.parse(text)
    if (`${caseOf(report)}.json` === file) return report
  } catch {
    // Falls through: there is one remedy, however broken the file is.
  }
  throw new UsageError(`results/${file} is not what pnpm bench writes: delete it and measure again`)
}

/** The results there are, in the order of the cases. Throws {@link UsageError}. */
export const read = (from = folder): ReadonlyArray<Report> => {
  const files = existsSync(from) ? readdirSync(from).filter((file) => file.endsWith(".json")) : []
  const known = cases.map(({ name }) => `${name}.json`)
  const strange = files.find((file) => file !== frozenFile && !known.includes(file))
  if (strange !== undefined) {
    throw new UsageError(`results/${strange} belongs to no case that there is: delete it`)
  }
  return known
    .filter((file) => files.includes(file))
    .map((file) => parsed(readFileSync(join(from, file), "utf8"), file))
}

/** What was seen while Redis was frozen or unreachable: no case, and no picture. */
export const writeFrozen = (report: Frozen, to = folder): void => {
  mkdirSync(to, { recursive: true })
  writeJson(join(to, frozenFile), report)
}

/** Undefined where it was not measured. */
export const readFrozen = (from = folder): Frozen | undefined => {
  const file = join(from, frozenFile)
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined
}

export const write = (report: Report, to = folder): void => {
  mkdirSync(to, { recursive: true })
  const file = join(to, caseOf(report))
  writeJson(`${file}.json`, report)
  writeFileSync(`${file}.svg`, chart(report))
}

/** All pictures by the names of their files. Throws {@link UsageError} where reports do not go together. */
export const pictures = (reports: ReadonlyArray<Report>): ReadonlyMap<string, string> =>
  new Map([
    ...reports.map((report) => [`${caseOf(report)}.svg`, chart(report)] as const),
    [
      "overview.svg",
      overview(
        reports.flatMap(({ results }) => results.map(standing)),
        Object.values(facts(reports)),
      ),
    ],
  ])
