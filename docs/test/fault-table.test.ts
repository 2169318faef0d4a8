import { readFileSync } from "node:fs"
import * as RedisServer from "@larder/testing/RedisServer"
import { Effect } from "effect"
import { expect, it } from "vitest"
import { tableLike, withTable } from "../scripts/fault-table.ts"

/** The formatter pads the cells of tables. */
const unpadded = (page: string) => page.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---")

const hasRedis = (await Effect.runPromise(RedisServer.find)) !== undefined

it.skipIf(!hasRedis)(
  "the table of what callers see while Redis is ill is what they see",
  { timeout: 180_000 },
  async () => {
    const page = readFileSync(new URL("../redis.md", import.meta.url), "utf8")
    // `node docs/scripts/fault-table.ts` brings it up to date.
    const measured = await Effect.runPromise(tableLike(page))
    expect(unpadded(withTable(page, measured))).toBe(unpadded(page))
  },
)
