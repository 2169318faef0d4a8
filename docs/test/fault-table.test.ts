import { readFileSync } from "node:fs"
import * as RedisServer from "@larder/testing/RedisServer"
import { Effect } from "effect"
import { expect, it } from "vitest"
import { table, withTable } from "../scripts/fault-table.ts"

/** The formatter pads the cells of tables. */
const unpadded = (page: string) => page.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---")

const hasRedis = (await Effect.runPromise(RedisServer.find)) !== undefined

it.skipIf(!hasRedis)(
  "the table of what callers see while Redis is ill is what they see",
  { timeout: 60_000, retry: 2 },
  async () => {
    const page = readFileSync(new URL("../redis.md", import.meta.url), "utf8")
    // `node docs/scripts/fault-table.ts` brings it up to date.
    expect(unpadded(page)).toBe(unpadded(withTable(page, await Effect.runPromise(table))))
  },
)
