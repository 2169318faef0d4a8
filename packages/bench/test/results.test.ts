import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import { frozenSection, page, replaced, section } from "../src/readme.ts"
import * as results from "../src/results.ts"
import { hit, redis } from "./support/samples.ts"

it("what is written is read again, in the order of the cases", () => {
  const folder = mkdtempSync(join(tmpdir(), "larder-results-"))
  try {
    results.write("redis", redis, folder)
    results.write("hit", hit, folder)
    expect(results.readCases(folder)).toEqual([hit, redis])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it("the README and the page of all libraries say what the committed results give: `pnpm bench --readme` writes them", () => {
  const text = (file: string) => readFileSync(new URL(file, import.meta.url), "utf8")
  const readme = text("../../../README.md")
  const reports = results.readCases()
  expect(reports.length).toBeGreaterThan(0)
  expect(replaced(readme, "performance", section(reports))).toBe(readme)
  expect(replaced(readme, "frozen", frozenSection(results.readFrozen()))).toBe(readme)
  expect(text("../results/README.md")).toBe(page(reports))
})
