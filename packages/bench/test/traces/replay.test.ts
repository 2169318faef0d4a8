import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { lru } from "../../src/traces/lru.ts"
import { limit, nextRequests } from "../../src/traces/limit.ts"
import { read } from "../../src/traces/read.ts"
import { replay } from "../../src/traces/replay.ts"

const web12 = fileURLToPath(new URL("../../traces/web12.txt.gz", import.meta.url))

it("the trace of the shop has the hit ratios known of it", async () => {
  const trace = await read(web12)
  const { requests } = trace
  const next = nextRequests(requests)
  const percent = (hits: number): string => ((100 * hits) / requests.length).toFixed(2)
  const ratios = [300, 1_200, 3_000].map((size) => [
    percent(limit({ keys: trace.keys.length, next, requests }, size)),
    percent(replay(trace, lru(size))),
  ])
  expect(ratios).toEqual([
    ["66.85", "49.01"],
    ["79.12", "66.85"],
    ["84.24", "76.48"],
  ])
})
