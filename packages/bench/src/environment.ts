/** What a result was measured on and with. */
import { readFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export interface Environment {
  readonly node: string
  readonly cpu: string
  readonly cores: number
  /** The load average of the last minute when the run began: how busy the machine was with other work. */
  readonly load: number
  readonly versions: Readonly<Record<string, string>>
}

/** The version in the manifest of the package that `name` resolves to here. */
const versionOf = (name: string): string => {
  let directory = dirname(fileURLToPath(import.meta.resolve(name)))
  for (;;) {
    const manifest = readManifest(join(directory, "package.json"))
    if (manifest?.name === name && manifest.version !== undefined) return manifest.version
    const parent = dirname(directory)
    if (parent === directory) throw new Error(`found no package.json of ${name}`)
    directory = parent
  }
}

const readManifest = (
  path: string,
): { readonly name?: string; readonly version?: string } | undefined => {
  try {
    return JSON.parse(readFileSync(path, "utf8"))
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined
    throw error
  }
}

export const environment = (packages: ReadonlyArray<string>): Environment => ({
  node: process.version,
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  load: loadavg()[0] ?? 0,
  versions: Object.fromEntries(
    [...new Set(packages)].toSorted().map((name) => [name, versionOf(name)]),
  ),
})
