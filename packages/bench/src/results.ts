/** The folder of results: `<case>.json` and `frozen.json`, as measured. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { cases } from "./cases.ts"
import type { Environment } from "./environment.ts"
import type { Report as Frozen } from "./faults/report.ts"
import type { Result } from "./result.ts"

/** The figures of one case, with the environment. */
export interface Report {
  readonly environment: Environment
  /** The options of `pnpm bench`, beside the case; empty without any. */
  readonly options: string
  readonly rounds: number
  /** One for each variant of the case. */
  readonly results: ReadonlyArray<Result>
}

export const folder = fileURLToPath(new URL("../results", import.meta.url))

/** `name`: of the case, or `frozen`. */
export const write = (name: string, report: Report | Frozen, to: string): void => {
  mkdirSync(to, { recursive: true })
  writeFileSync(join(to, `${name}.json`), `${JSON.stringify(report, null, 2)}\n`)
}

const read = (name: string, from: string) =>
  JSON.parse(readFileSync(join(from, `${name}.json`), "utf8"))

/** Reads the reports of the measured cases, in the order of the cases. */
export const readCases = (from = folder): ReadonlyArray<Report> =>
  cases
    .filter(({ name }) => existsSync(join(from, `${name}.json`)))
    .map(({ name }): Report => read(name, from))

export const readFrozen = (from = folder): Frozen => read("frozen", from)
