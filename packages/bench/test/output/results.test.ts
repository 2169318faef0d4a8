import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, it } from "vitest"
import { chart } from "../../src/output/chart.ts"
import { current, frozenSection, section } from "../../src/output/readme.ts"
import * as results from "../../src/output/results.ts"
import { hit, redis } from "./samples.ts"

let folder = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "larder-results-"))
})
afterEach(() => rmSync(folder, { recursive: true }))

it("what is written is read again, in the order of the cases, with a chart beside it", () => {
  results.write(redis, folder)
  results.write(hit, folder)
  expect(results.read(folder)).toEqual([hit, redis])
  expect(readFileSync(join(folder, "redis.svg"), "utf8")).toBe(chart(redis))
})

it("a file that belongs to no case, or is not what it says, is named with a remedy", () => {
  const file = (name: string, text: string) => writeFileSync(join(folder, name), text)
  file("hit.json", JSON.stringify(redis))
  expect(() => results.read(folder)).toThrow("results/hit.json is not what pnpm bench writes")
  file("hit.json", "{")
  expect(() => results.read(folder)).toThrow("results/hit.json is not what pnpm bench writes")
  file("gone.json", "{}")
  expect(() => results.read(folder)).toThrow("results/gone.json belongs to no case")
})

it("the README and the pictures say what the committed results give: `pnpm bench:readme` writes them", () => {
  const readme = readFileSync(new URL("../../../../README.md", import.meta.url), "utf8")
  const reports = results.read()
  const expected = reports.length === 0 ? undefined : section(reports)
  expect(current(readme, "performance")).toBe(expected)
  const frozen = results.readFrozen()
  expect(current(readme, "frozen")).toBe(frozen && frozenSection(frozen))
  for (const [file, picture] of reports.length === 0 ? [] : results.pictures(reports)) {
    expect(readFileSync(join(results.folder, file), "utf8"), file).toBe(picture)
  }
})
