/** What `results/<case>.json` holds: the figures of one case, and what they were measured on and with. */
import type { Environment } from "../environment.ts"
import type { Line, Result } from "../result.ts"

export interface Report {
  readonly environment: Environment
  /** What `pnpm bench` was given, beside the case; empty where nothing was. */
  readonly options: string
  readonly rounds: number
  /** One for each variant of the case. */
  readonly results: ReadonlyArray<Result>
}

/** Fastest first, whoever it is. */
export const byMedian = (lines: ReadonlyArray<Line>): ReadonlyArray<Line> =>
  lines.toSorted((one, other) => one.summary.median - other.summary.median)

export const isLarder = ({ contender }: Line): boolean => contender.startsWith("larder")

export const isBaseline = ({ comparison }: Line): boolean => comparison === undefined

export const ratioOf = ({ comparison }: Line): number => comparison?.ratio ?? 1

export const machine = ({ cores, cpu, node }: Environment): string =>
  `Node ${node}, ${cpu}, ${cores} core${cores === 1 ? "" : "s"}`

export const versions = (versions: Environment["versions"]): string =>
  Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ")

export const caseOf = ({ results }: Report): string => {
  const [first] = results
  if (first === undefined) throw new RangeError("a report needs at least one result")
  return first.case
}

/** How often and in what order a case was measured. */
export const method = ({ rounds }: Report): string =>
  `${rounds} round${rounds === 1 ? "" : "s"}, a process each, libraries in turn`

/** What measures it again. */
export const command = (report: Report): string =>
  `pnpm bench ${caseOf(report)} ${report.options}`.trimEnd()
