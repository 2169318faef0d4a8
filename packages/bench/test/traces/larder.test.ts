import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { generate, generated } from "../../src/traces/generated.ts"
import { larder } from "../../src/traces/larder.ts"
import { lru } from "../../src/traces/lru.ts"
import { read } from "../../src/traces/read.ts"
import { replay } from "../../src/traces/replay.ts"

const web12 = fileURLToPath(new URL("../../traces/web12.txt.gz", import.meta.url))

const drawn = (name: string) =>
  generate({ ...generated.find((one) => one.name === name)!, requests: 100_000 }, 1)

it("with LRU, Larder has the very hits of lru-cache", async () => {
  for (const trace of [await read(web12), drawn("phases-opposed-fast"), drawn("mixture-recency")]) {
    for (const size of [1, 2, 300, 1_200, 3_000]) {
      const hits = replay(trace, larder({ eviction: "lru", seed: 1 })(size))
      expect(hits).toBe(replay(trace, lru(size)))
    }
  }
})

it("the same seed has the same hits, and what is popular hits more often than with LRU", () => {
  const trace = drawn("zipf-0.8")
  const hits = (seed: number) => replay(trace, larder({ eviction: "w-tinylfu", seed })(1_000))
  expect(hits(5)).toBe(hits(5))
  expect(hits(5)).toBeGreaterThan(1.2 * replay(trace, lru(1_000)))
})
