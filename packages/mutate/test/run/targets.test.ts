import { existsSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { UsageError } from "../../src/command.ts"
import { core, groupOf, groups } from "../../src/run/groups.ts"
import { targets, testFiles } from "../../src/run/targets.ts"

const root = fileURLToPath(new URL("../../../..", import.meta.url))

it("a file is meant by its path, a folder with all below it, each file once", () => {
  const file = `${core}/internal/memory/bounded/columns.ts`
  expect(targets(root, [file], [])).toEqual([file])
  const below = targets(root, [`${core}/internal`, file], [])
  expect(below).toContain(`${core}/internal/tier/confirmedEntries.ts`)
  expect(below.filter((each) => each === file)).toHaveLength(1)
})

it.each([
  ["packages/core/src/None.ts", "there is no such file or folder"],
  ["packages/core/test", "not below the src of a package"],
  ["packages/core", "not below the src of a package"],
])("%s: %s", (path, message) => {
  expect(() => targets(root, [path], [])).toThrow(UsageError)
  expect(() => targets(root, [path], [])).toThrow(message)
})

it("a group that is none is named, with those that are", () => {
  expect(() => targets(root, [], ["memoir"])).toThrow(
    'there is no group "memoir": give one of state, calls, writing, policy',
  )
})

it("every file of a group is there, and in one group only", () => {
  const files = groups.flatMap((group) => group.files)
  expect(new Set(files).size).toBe(files.length)
  for (const file of files) expect(existsSync(join(root, core, file)), file).toBe(true)
})

it("every module of core but its entries is in a group", () => {
  const modules = targets(root, [core], []).filter((file) => !file.endsWith("/index.ts"))
  expect(modules.filter((file) => groups.every(({ title }) => title !== groupOf(file)))).toEqual([])
})

it("a file of no group is told by its folder", () => {
  expect(groupOf(`${core}/internal/tier/confirmedEntries.ts`)).toBe(
    "keeps, judges, marks, leases, recovers",
  )
  expect(groupOf(`${core}/index.ts`)).toBe(core)
  expect(groupOf("packages/redis/src/internal/a.ts")).toBe("packages/redis/src/internal")
})

it("the tests are those of the packages, and what is named beside", () => {
  const tests = testFiles(root, [`${core}/Larder.ts`], ["packages/mutate/test/run"])
  expect(tests).toContain("packages/core/test/laws.test.ts")
  expect(tests).toContain("packages/mutate/test/run/targets.test.ts")
  expect(() => testFiles(root, [], ["packages/none"])).toThrow("packages/none: there are no")
})
