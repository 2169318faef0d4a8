/** What a set of reports has in common. Reports that do not go together are refused. */
import { UsageError } from "../command.ts"
import { caseOf, machine, method, type Report, versions } from "./Report.ts"

export interface Facts {
  readonly machine: string
  readonly versions: string
  /** What measures all of it again. */
  readonly command: string
  readonly method: string
}

const remedy = "measure them all again with pnpm bench"

const commandOf = ({ options }: Report): string => `npx --yes pnpm@12 bench ${options}`.trimEnd()

const same = (
  what: string,
  of: (report: Report) => string,
  [first, ...others]: readonly [Report, ...ReadonlyArray<Report>],
): string => {
  const common = of(first)
  const other = others.find((report) => of(report) !== common)
  if (other === undefined) return common
  throw new UsageError(
    `the results of ${caseOf(other)} have another ${what} (${of(other)}) than those of ${caseOf(first)} (${common}): ${remedy}`,
  )
}

const allVersions = (reports: ReadonlyArray<Report>): Readonly<Record<string, string>> => {
  const all = new Map<string, string>()
  for (const { environment } of reports) {
    for (const [name, version] of Object.entries(environment.versions)) {
      const known = all.get(name) ?? version
      if (known !== version) {
        throw new UsageError(`there are results of ${name} ${known} and of ${version}: ${remedy}`)
      }
      all.set(name, version)
    }
  }
  return Object.fromEntries([...all].toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

/** Throws {@link UsageError}. */
export const facts = (reports: ReadonlyArray<Report>): Facts => {
  const [first, ...others] = reports
  if (first === undefined) throw new UsageError("there are no results: run pnpm bench first")
  const all = [first, ...others] as const
  return {
    machine: same("machine", ({ environment }) => machine(environment), all),
    versions: versions(allVersions(all)),
    command: same("command", commandOf, all),
    method: same("number of rounds", method, all),
  }
}
