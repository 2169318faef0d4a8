/** Resolves the command line's paths to files. */
import { existsSync, globSync, statSync } from "node:fs"
import { join, relative, resolve, sep } from "node:path"
import { UsageError } from "../command.ts"
import { core, groups } from "./groups.ts"

/** Uses `/` between folders on every system. */
const slashed = (path: string): string => path.split(sep).join("/")

const sources = (root: string, path: string): ReadonlyArray<string> => {
  const absolute = resolve(root, path)
  const shown = slashed(relative(root, absolute))
  if (!existsSync(absolute)) {
    throw new UsageError(`${path}: there is no such file or folder; give one below packages/*/src`)
  }
  if (!/^packages\/[^/]+\/src(\/|$)/.test(shown)) {
    throw new UsageError(`${path} is not below the src of a package; give for instance ${core}`)
  }
  if (statSync(absolute).isFile()) {
    if (!shown.endsWith(".ts")) throw new UsageError(`${path} is not TypeScript; give a .ts file`)
    return [shown]
  }
  return globSync("**/*.ts", { cwd: absolute }).map((file) => slashed(join(shown, file)))
}

const ofGroup = (root: string, name: string): ReadonlyArray<string> => {
  const group = groups.find((each) => each.name === name)
  if (group === undefined) {
    const names = groups.map((each) => each.name).join(", ")
    throw new UsageError(`there is no group ${JSON.stringify(name)}: give one of ${names}`)
  }
  return group.files.flatMap((file) => sources(root, `${core}/${file}`))
}

/** The files to mutate, each once, sorted by name. Throws {@link UsageError}. */
export const targets = (
  root: string,
  paths: ReadonlyArray<string>,
  named: ReadonlyArray<string>,
): ReadonlyArray<string> => {
  const files = [
    ...named.flatMap((name) => ofGroup(root, name)),
    ...paths.flatMap((path) => sources(root, path)),
  ]
  return [...new Set(files)].toSorted()
}

/** The tests of the mutated packages, and those below `more`. Throws {@link UsageError}. */
export const testFiles = (
  root: string,
  files: ReadonlyArray<string>,
  more: ReadonlyArray<string>,
): ReadonlyArray<string> => {
  const own = [...new Set(files.map((file) => file.split("/").slice(0, 2).join("/")))]
  const found = [...own.map((folder) => `${folder}/test`), ...more].flatMap((path) => {
    const absolute = resolve(root, path)
    const shown = slashed(relative(root, absolute))
    if (existsSync(absolute) && statSync(absolute).isFile()) return [shown]
    const tests = globSync("**/*.test.ts", { cwd: absolute })
    if (tests.length === 0) throw new UsageError(`${path}: there are no *.test.ts files`)
    return tests.map((file) => slashed(join(shown, file)))
  })
  return [...new Set(found)].toSorted()
}
