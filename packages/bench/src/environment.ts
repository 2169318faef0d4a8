/** The machine and the versions behind a result. */
import { readFileSync } from "node:fs"
import { findPackageJSON } from "node:module"
import { cpus, loadavg } from "node:os"

export interface Environment {
  readonly node: string
  readonly cpu: string
  readonly cores: number
  /** The load average of the last minute when the run began: how busy the machine was with other work. */
  readonly load: number
  readonly versions: Readonly<Record<string, string>>
}

interface Manifest {
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
}

const manifestOf = (name: string): Manifest => {
  const file = findPackageJSON(name, import.meta.url)
  if (file === undefined) throw new Error(`found no package.json of ${name}`)
  return JSON.parse(readFileSync(file, "utf8"))
}

/** Default: with the versions of all packages that the benchmarks use. */
export const environment = (
  packages = Object.keys(manifestOf("..").dependencies),
): Environment => ({
  node: process.version,
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  load: loadavg()[0] ?? 0,
  versions: Object.fromEntries(packages.map((name) => [name, manifestOf(name).version])),
})
