/** Every public export has a docstring: a sentence, its category, its first version and, for values, an executed example. */
import { globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { lacks, publicExports } from "./docstrings.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), "utf8")

interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly exports?: Readonly<Record<string, string>>
}

const manifests = globSync("packages/*/package.json", { cwd: root })
  .toSorted()
  .map((path) => ({ folder: dirname(path), ...(JSON.parse(read(path)) as Manifest) }))
  .filter((manifest) => manifest.private !== true)

const entries = manifests.flatMap(({ exports = {}, folder, name, version }) =>
  Object.entries(exports)
    .filter(([path]) => path !== "./package.json")
    .map(([path, file]) => ({
      entry: name + path.slice(1),
      version,
      exports: publicExports(name + path.slice(1), join(folder, file), read),
    })),
)

describe("each public export", () => {
  for (const { entry, exports, version } of entries) {
    it(`of ${entry} is documented`, () => {
      expect(exports.length).toBeGreaterThan(1)
      const problems = exports.flatMap((each) =>
        lacks(each, version).map((lack) => `${each.file}:${each.line} ${each.name} lacks ${lack}`),
      )
      expect(problems).toEqual([])
    })
  }
})

describe("the check", () => {
  const docstring = (text: string, ...tags: ReadonlyArray<string>): string =>
    ["/**", ...[...text.split("\n"), "", ...tags].map((line) => ` * ${line}`), " */"].join("\n")
  const tags = ["@category models", "@since 0.1.0"]
  const example = (code: string) => `Makes a jar of jam.\n\n\`\`\`ts\n${code}\n\`\`\``
  const index = docstring("Jam for everybody.", "@module", ...tags)

  /** What is wrong with a package of these files. */
  const wrongWith = (files: Readonly<Record<string, string>>): ReadonlyArray<string> =>
    publicExports("jam", "index.ts", (file) => {
      const text = files[file]
      if (text === undefined) throw new Error(`no ${file}`)
      return text
    }).flatMap((each) => lacks(each, "0.2.0").map((lack) => `${each.name}: ${lack}`))

  const wrongWithExport = (text: string) =>
    wrongWith({ "index.ts": `${index}\nimport "./other.ts"\n${text}`, "other.ts": "" })

  it("passes a documented value", () => {
    const text = docstring(example("make()"), ...tags)
    expect(wrongWithExport(`${text}\nexport const make = () => 1`)).toEqual([])
    expect(wrongWithExport(`${text}\nexport function make() {}`)).toEqual([])
    expect(wrongWithExport(`${text}\nexport class make {}`)).toEqual([])
  })

  it("asks for no example of a type", () => {
    const text = docstring("A jar of jam.", ...tags)
    expect(wrongWithExport(`${text}\nexport interface Jar {}`)).toEqual([])
    expect(wrongWithExport(`${text}\nexport type Jar = string`)).toEqual([])
  })

  it.each([
    ["a docstring", "export const make = 1", "a docstring"],
    [
      "the sentence",
      `${docstring("**Details**\n\nA jar of jam.", ...tags)}\nexport type make = 1`,
      "a sentence at its beginning",
    ],
    [
      "the end of the sentence",
      `${docstring("A jar of jam", ...tags)}\nexport type make = 1`,
      "a sentence at its beginning",
    ],
    [
      "the category",
      `${docstring("A jar of jam.", "@since 0.1.0")}\nexport type make = 1`,
      "a @category of packages/api/src/categories.ts",
    ],
    [
      "a category of the list",
      `${docstring("A jar of jam.", "@category jars", "@since 0.1.0")}\nexport type make = 1`,
      "a @category of packages/api/src/categories.ts",
    ],
    [
      "the version",
      `${docstring("A jar of jam.", "@category models")}\nexport type make = 1`,
      "a @since of at most 0.2.0",
    ],
    [
      "a version that was released",
      `${docstring("A jar of jam.", "@category models", "@since 0.10.0")}\nexport type make = 1`,
      "a @since of at most 0.2.0",
    ],
    [
      "the example",
      `${docstring("A jar of jam.", ...tags)}\nexport const make = 1`,
      "an executed example that uses it",
    ],
    [
      "an example of this export",
      `${docstring(example("fill()"), ...tags)}\nexport const make = 1`,
      "an executed example that uses it",
    ],
    [
      "an example that runs",
      `${docstring(example("make()").replace("ts", "ts no-run"), ...tags)}\nexport const make = 1`,
      "an executed example that uses it",
    ],
    [
      "the unit of a number",
      `${docstring("A jar of jam.", ...tags)}\nexport interface make { readonly size?: number | undefined }`,
      "a docstring of size, with the unit of the number",
    ],
  ])("misses %s", (_, text, lack) => {
    expect(wrongWithExport(text)).toEqual([`make: ${lack}`])
  })

  it("misses the docstring of a module, and what lies behind it", () => {
    const jar = `${docstring("A jar of jam.", ...tags)}\nexport interface Jar {}\nexport const fill = 1`
    const files = { "index.ts": `export * as Jar from "./Jar.ts"`, "Jar.ts": jar }
    expect(wrongWith(files)).toEqual([
      "jam: a docstring",
      "Jar: a docstring",
      "Jar.fill: a docstring",
    ])
  })

  it("follows what is exported from elsewhere, under its new name", () => {
    const files = {
      "index.ts": `${index}\nexport { a as b, type C } from "./x.ts"\nexport * from "./y.ts"`,
      "x.ts": "export const a = 1\nexport interface C {}\nexport const unseen = 1",
      "y.ts": "export const d = 1",
    }
    expect(wrongWith(files)).toEqual(["b: a docstring", "C: a docstring", "d: a docstring"])
  })

  it.each([
    ["a default export", "export default 1"],
    ["an export of a local name", "const make = 1\nexport { make }"],
    ["an export from another package", `export * from "effect"`],
    ["a pattern", "export const { make } = { make: 1 }"],
    ["a namespace", "export namespace Jar {}"],
    ["a name that is not there", `export { make } from "./other.ts"`],
  ])("refuses what it has no rule for: %s", (_, text) => {
    expect(() => wrongWithExport(text)).toThrow(/^index\.ts: no /)
  })
})
