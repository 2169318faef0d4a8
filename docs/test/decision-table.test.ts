import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { withTables } from "../scripts/decision-table.ts"

/** The formatter pads the cells of tables. */
const unpadded = (page: string) => page.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---")

it("the tables of decisions in the documentation are those of the code", () => {
  const page = readFileSync(new URL("../state-machine.md", import.meta.url), "utf8")
  // `node docs/scripts/decision-table.ts` brings it up to date.
  expect(unpadded(page)).toBe(unpadded(withTables(page)))
})
