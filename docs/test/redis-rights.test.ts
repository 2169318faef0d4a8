import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { withLines } from "../scripts/redis-rights.ts"

it("the rights of a Redis user in the guide are those that the tier looks for", () => {
  const page = readFileSync(new URL("../redis.md", import.meta.url), "utf8")
  // `node docs/scripts/redis-rights.ts` brings it up to date.
  expect(page).toBe(withLines(page))
})
