import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { withTable } from "../scripts/decision-table.ts"

/** The formatter pads the cells of tables. */
const unpadded = (page: string) => page.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---")

it("the table of decisions in the documentation is that of the code", () => {
  const page = readFileSync(new URL("../state-machine.md", import.meta.url), "utf8")
  // `node docs/scripts/decision-table.ts` brings it up to date.
  expect(unpadded(page)).toBe(unpadded(withTable(page)))
})
