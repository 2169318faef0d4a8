/** Real processes over a real server: a change and a stampede of each, no figures of time. */
import { describe, expect, it } from "vitest"
import { changes, partition, storms } from "../../src/nodes/measures.ts"
import * as Link from "../../src/nodes/link.ts"
import { withNodes } from "../../src/nodes/processes.ts"
import { hasRedis, withServer } from "../../src/redis.ts"

const redis = await hasRedis()

describe.runIf(redis)("nodes in processes of their own", () => {
  it("law 7: look a cold key up once, and all callers get that value", { timeout: 30_000 }, () =>
    withServer(({ url }) => {
      const config = { url, prefix: "measures", lookupMillis: 50 }
      return withNodes([config, config], async (nodes) => {
        expect(await storms(nodes, 3)).toEqual(
          Array.from({ length: 3 }, () => ({ lookups: 1, answers: 1 })),
        )
      })
    }),
  )

  it(
    "hear of each other's changes, also of those made while one was cut off",
    { timeout: 30_000 },
    () =>
      withServer(async ({ port, url }) => {
        const link = await Link.start(port)
        const config = { url, prefix: "measures", lookupMillis: 50 }
        const linked = { ...config, url: `redis://127.0.0.1:${link.port}` }
        await withNodes([linked, config], async (nodes) => {
          expect(await changes(nodes, 4)).toHaveLength(4)
          expect(await partition([nodes[0]!, nodes[1]!], link, 1)).toBeGreaterThan(0)
        }).finally(link.close)
      }),
  )
})
