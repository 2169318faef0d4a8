/**
 * No source file of a package reads a real clock, draws a random number or sets a timer:
 * `Clock` and `Random` are the only time and chance there are.
 */
import { globSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { beforeAll, describe, expect, it } from "vitest"
import { check, type Finding, root } from "./support/linted.ts"

const samples = {
  "Date.now": `export const at = Date.now()`,
  "new Date": `export const at = new Date()`,
  "performance.now": `export const at = performance.now()`,
  "Math.random": `export const u = Math.random()`,
  setTimeout: `setTimeout(() => {}, 1)`,
  setInterval: `setInterval(() => {}, 1)`,
  queueMicrotask: `queueMicrotask(() => {})`,
  "a global reached through globalThis": `globalThis.setTimeout(() => {}, 1)`,
  "Math reached through globalThis": `export const u = globalThis.Math.random()`,
  "a property by its name as text": `export const u = Math["random"]()`,
  "a method taken out": `const { now } = Date\nexport const at = now()`,
  "a chance taken out": `const { random } = Math\nexport const u = random()`,
  "a timer passed on": `export const later = [setTimeout]`,
  "timers of Node": `import { setTimeout as sleep } from "node:timers/promises"\nawait sleep(1)`,
  "the clock of Node": `import { performance as p } from "node:perf_hooks"\nexport const at = p.now()`,
  "the finer clock of Node": `export const at = process.hrtime.bigint()`,
} as const

const harmless = {
  "a comment": `// Date.now() and setTimeout are refused\nexport const n = 1`,
  "a text": `export const text = "new Date() or Math.random()"`,
  "a type": `export const show = (date: Date): string => date.toISOString()`,
  "a method of that name": `export const at = (clock: { now: () => number }) => clock.now()`,
  "the rest of Math": `export const n = Math.floor(1.5)`,
} as const

const sampleFile = (name: string, folder = "sample/src") =>
  `packages/${folder}/${name.replaceAll(/\W/g, "-")}.ts`

const filesOf = (texts: Readonly<Record<string, string>>) =>
  new Map(Object.entries(texts).map(([name, text]) => [sampleFile(name), text]))

describe("time and chance in packages/*/src", () => {
  let found: ReadonlyArray<Finding> = []
  beforeAll(async () => {
    found = await check(new Map([...filesOf(samples), ...filesOf(harmless)]))
  })
  const findingsIn = (name: string) => found.filter(({ file }) => file === sampleFile(name))

  it.each(Object.keys(samples))("refused: %s", (name) => {
    expect(findingsIn(name)).not.toEqual([])
  })

  it("refused in the rooms of a package, where other rules on imports hold", async () => {
    const folder = "core/src/internal/tier"
    const inRoom = new Map(
      Object.entries(samples).map(([name, text]) => [sampleFile(name, folder), text]),
    )
    const refused = new Set((await check(inRoom)).map(({ file }) => file))
    expect([...inRoom.keys()].filter((file) => !refused.has(file))).toEqual([])
  })

  it.each(Object.keys(harmless))("not refused: %s", (name) => {
    expect(findingsIn(name)).toEqual([])
  })

  it("no source has any, whatever its comments switch off", async () => {
    const paths = globSync("packages/*/src/**/*.ts", { cwd: root })
    expect(paths).toContain(join("packages", "core", "src", "Entry.ts"))
    const texts = await Promise.all(paths.map((path) => readFile(join(root, path), "utf8")))
    const files = new Map(
      paths.map((path, i) => [path, texts[i]!.replaceAll(/(ox|es)lint-disable/g, "lint-note")]),
    )
    expect(await check(files)).toEqual([])
  })
})
