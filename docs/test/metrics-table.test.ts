/** docs/observing.md shows each metric of the catalogue. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Metrics } from "@larder/core"
import { expect, it } from "vitest"
import { buckets, table, withTable } from "../scripts/metrics-table.ts"

/** The formatter pads the cells of tables. */
const unpadded = (page: string) => page.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---")

it("the table of metrics is that of the catalogue", () => {
  const page = readFileSync(fileURLToPath(new URL("../observing.md", import.meta.url)), "utf8")
  // `npx --yes pnpm@12 exec node docs/scripts/metrics-table.ts` brings it up to date.
  expect(unpadded(page)).toBe(unpadded(withTable(page)))
})

it("the table has a row for each metric, and the buckets of each histogram", () => {
  expect(table.split("\n")).toHaveLength(Metrics.catalogue.length + 2)
  for (const { name, type } of Metrics.catalogue) {
    expect(table).toContain(`| \`${name}\` |`)
    expect(buckets.includes(`\`${name}\``)).toBe(type === "histogram")
  }
})
