/**
 * Packs every package that is published and checks what a user would install: the manifest
 * (publint), the types as each module system resolves them (are-the-types-wrong), the licence and
 * the README, and that a project can compile against each entry and load it.
 */
import { spawnSync } from "node:child_process"
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, unknown>>
}

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))

/** The standard output of a command; a failure carries all it said. */
const run = (folder: string, command: string, ...options: ReadonlyArray<string>): string => {
  const done = spawnSync(command, options, { cwd: folder, encoding: "utf8" })
  if (done.status === 0) return done.stdout
  const said = [done.stdout, done.stderr, done.error?.message].filter(Boolean).join("\n")
  throw new Error(`${command} ${options.join(" ")} in ${folder} failed:\n${said}`)
}

/** The path of the tarball that publishing the package would upload. */
const pack = (folder: string, destination: string): string => {
  rmSync(join(folder, "dist"), { recursive: true, force: true })
  const said = run(folder, "pnpm", "pack", "--pack-destination", destination)
  const tarball = said.split("\n").find((line) => line.endsWith(".tgz"))
  if (tarball === undefined) throw new Error(`pnpm pack named no tarball for ${folder}`)
  return join(destination, tarball.split("/").at(-1) ?? tarball)
}

const missingFrom = (unpacked: string): ReadonlyArray<string> =>
  ["LICENSE", "README.md", "package.json"].filter((name) => !existsSync(join(unpacked, name)))

/** What a user writes to import the package's modules: `@larder/core`, `@larder/core/…`. */
const entriesOf = ({ exports, name }: Manifest): ReadonlyArray<string> =>
  Object.keys(exports)
    .filter((path) => path !== "./package.json")
    .map((path) => name + path.slice(1))

/** A project that has the packed package installed compiles against its types and loads its code. */
const use = (consumer: string, entries: ReadonlyArray<string>): void => {
  const imports = entries.map((entry, i) => `import * as entry${i} from "${entry}"`)
  const uses = entries.map((_, i) => `if (Object.keys(entry${i}).length === 0) throw new Error()`)
  const text = [...imports, ...uses, ""].join("\n")
  // A package.json of its own, or the name would mean the package around it: its sources.
  writeFileSync(join(consumer, "package.json"), JSON.stringify({ name: "consumer", private: true }))
  writeFileSync(join(consumer, "types.mts"), text)
  writeFileSync(join(consumer, "code.mjs"), text)
  for (const [module, moduleResolution] of [
    ["NodeNext", "NodeNext"],
    ["ESNext", "Bundler"],
  ]) {
    const compilerOptions = {
      module,
      moduleResolution,
      target: "ES2024",
      lib: ["ES2024", "DOM", "DOM.Iterable"],
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
    }
    const config = { compilerOptions, files: ["types.mts"] }
    writeFileSync(join(consumer, "tsconfig.json"), JSON.stringify(config))
    run(consumer, "tsc", "-p", ".")
  }
  run(consumer, "node", "code.mjs")
}

interface Packed {
  readonly folder: string
  readonly manifest: Manifest
  readonly tarball: string
}

/** The packed packages that this one needs to be installed beside it. */
const besides = ({ manifest }: Packed, all: ReadonlyArray<Packed>): ReadonlyArray<Packed> =>
  all.filter(
    ({ manifest: { name } }) =>
      manifest.dependencies?.[name] !== undefined ||
      manifest.peerDependencies?.[name] !== undefined,
  )

const install = (consumer: string, { manifest, tarball }: Packed): string => {
  const installed = join(consumer, "node_modules", manifest.name)
  mkdirSync(installed, { recursive: true })
  run(consumer, "tar", "-xzf", tarball, "--strip-components=1", "-C", installed)
  return installed
}

/** Links what a package depends on beside it, as an installation does. */
const linkDependencies = (installed: string, { folder, manifest }: Packed): void => {
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    const there = join(folder, "node_modules", name)
    const link = join(installed, "node_modules", name)
    if (!existsSync(there) || existsSync(link)) continue
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(realpathSync(there), link)
  }
}

const checkPackage = (packed: Packed, all: ReadonlyArray<Packed>): void => {
  const { folder, manifest, tarball } = packed
  const { name } = manifest
  // Below the package's node_modules, so that its dependencies are found.
  const consumer = join(folder, "node_modules", ".consumer")
  rmSync(consumer, { recursive: true, force: true })
  mkdirSync(consumer, { recursive: true })
  try {
    run(root, "publint", "run", tarball, "--strict")
    run(root, "attw", tarball, "--profile", "esm-only")
    const missing = missingFrom(install(consumer, packed))
    if (missing.length > 0) throw new Error(`the tarball of ${name} has no ${missing.join(", ")}`)
    for (const other of besides(packed, all)) linkDependencies(install(consumer, other), other)
    const entries = entriesOf(manifest)
    use(consumer, entries)
    console.log(`${name}: packs well; ${entries.join(", ")}: types and code right`)
  } finally {
    rmSync(consumer, { recursive: true, force: true })
  }
}

const folders = globSync("packages/*/package.json", { cwd: root })
  .map((path) => dirname(join(root, path)))
  .filter((folder) => manifestOf(folder).private !== true)
  .toSorted()

if (folders.length === 0) throw new Error("there is no package to check")
const tarballs = mkdtempSync(join(tmpdir(), "larder-packages-"))
try {
  const all = folders.map((folder): Packed => {
    return { folder, manifest: manifestOf(folder), tarball: pack(folder, tarballs) }
  })
  for (const packed of all) checkPackage(packed, all)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  rmSync(tarballs, { recursive: true, force: true })
}
