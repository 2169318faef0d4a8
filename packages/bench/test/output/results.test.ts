import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, it } from "vitest"
import { current, frozenSection, page, section } from "../../src/output/readme.ts"
import * as results from "../../src/output/results.ts"
import { hit, redis } from "./samples.ts"

let folder = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "larder-results-"))
})
afterEach(() => rmSync(folder, { recursive: true }))

it("what is written is read again, in the order of the cases", () => {
  results.write(redis, folder)
  results.write(hit, folder)
  expect(results.read(folder)).toEqual([hit, redis])
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

it("the README and the page of all libraries say what the committed results give: `pnpm bench --readme` writes them", () => {
  const text = (file: string) => readFileSync(new URL(file, import.meta.url), "utf8")
  const readme = text("../../../../README.md")
  const reports = results.read()
  expect(reports.length).toBeGreaterThan(0)
  expect(current(readme, "performance")).toBe(section(reports))
  expect(text("../../results/README.md")).toBe(page(reports))
  const frozen = results.readFrozen()
  expect(frozen).toBeDefined()
  expect(current(readme, "frozen")).toBe(frozen && frozenSection(frozen))
})
