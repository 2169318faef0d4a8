/** The folder of results: `<case>.json` and `frozen.json`, as measured. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { cases } from "../cases.ts"
import { UsageError } from "../command.ts"
import type { Environment } from "../environment.ts"
import type { Report as Frozen } from "../faults/report.ts"
import type { Result } from "../result.ts"

/** The figures of one case, with the environment. */
export interface Report {
  readonly environment: Environment
  /** The options of `pnpm bench`, beside the case; empty without any. */
  readonly options: string
  readonly rounds: number
  /** One for each variant of the case. */
  readonly results: ReadonlyArray<Result>
}

export const folder = fileURLToPath(new URL("../../results", import.meta.url))

const frozenFile = "frozen.json"

const caseOf = ({ results }: Report): string | undefined => results[0]?.case

const put = (to: string, file: string, figures: unknown): void => {
  mkdirSync(to, { recursive: true })
  writeFileSync(join(to, file), `${JSON.stringify(figures, null, 2)}\n`)
}

export const write = (report: Report, to = folder): void =>
  put(to, `${caseOf(report)}.json`, report)

export const writeFrozen = (report: Frozen, to = folder): void => put(to, frozenFile, report)

const parsed = (from: string, file: string): Report => {
  try {
    const report: Report = JSON.parse(readFileSync(join(from, file), "utf8"))
    if (`${caseOf(report)}.json` === file) return report
  } catch {
    // Falls through: the remedy is the same, however broken the file is.
  }
  throw new UsageError(`results/${file} is not what pnpm bench writes: delete it and measure again`)
}

/** The existing results, in the order of the cases. Throws {@link UsageError}. */
export const read = (from = folder): ReadonlyArray<Report> => {
  const files = existsSync(from) ? readdirSync(from).filter((file) => file.endsWith(".json")) : []
  const known = cases.map(({ name }) => `${name}.json`)
  const strange = files.find((file) => file !== frozenFile && !known.includes(file))
  if (strange !== undefined) {
    throw new UsageError(`results/${strange} belongs to no case that there is: delete it`)
  }
  return known.filter((file) => files.includes(file)).map((file) => parsed(from, file))
}

/** Undefined when there is no such result. */
export const readFrozen = (from = folder): Frozen | undefined => {
  const file = join(from, frozenFile)
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined
}
