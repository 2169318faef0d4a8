/** The entries of the published packages: the modules that users can import. */
import { globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"

interface Manifest {
  readonly private?: boolean
  readonly exports?: Readonly<Record<string, string>>
}

/** The source files of all entries, package by package. */
export const entryFiles = (root: string): ReadonlyArray<string> =>
  globSync("packages/*/package.json", { cwd: root })
    .toSorted()
    .flatMap((path) => {
      const manifest: Manifest = JSON.parse(readFileSync(join(root, path), "utf8"))
      if (manifest.private === true) return []
      return Object.entries(manifest.exports ?? {})
        .filter(([entry]) => entry !== "./package.json")
        .map(([, file]) => join(root, dirname(path), file))
    })
