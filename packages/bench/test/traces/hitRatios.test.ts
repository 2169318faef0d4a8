import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { larderLru, larderMap, lru } from "../../src/stores.ts"
import { type Figures, judged, ratiosOf, replay } from "../../src/traces/figures.ts"
import type { Trace } from "@larder/traces"
import { sources } from "./recordings.ts"

/** Published hit ratios in % of Belady's limit and of lru-cache, by the sizes of known recordings. */
const published: Readonly<Record<number, readonly [opt: string, lru: string]>> = {
  300: ["66.85", "49.01"],
  1_200: ["79.12", "66.85"],
  3_000: ["84.24", "76.48"],
  1_250: ["85.16", "79.60"],
  5_000: ["91.40", "85.46"],
  20_000: ["96.70", "93.60"],
}

const shortened = ({ keys, requests }: Trace): Trace => ({
  keys,
  requests: requests.subarray(0, 100_000),
})

describe.each(sources)("$name", ({ load }) => {
  it("Larder reaches its goal at every size", { timeout: 120_000 }, async () => {
    const loaded = await Effect.runPromise(load)
    const ratios = ratiosOf(loaded.trace)
    for (const size of loaded.sizes) {
      const figures: Figures = judged(size, ratios(size), loaded)
      expect(figures.met, JSON.stringify(figures)).toBe(true)
      expect(figures.opt).toBeGreaterThanOrEqual(Math.max(figures.lru, figures.larder))
      if (loaded.reference?.has(size)) {
        const { lru, opt } = figures
        expect([opt.toFixed(2), lru.toFixed(2)]).toEqual(published[size])
      }
    }
  })

  it("with LRU, Larder has the very hits of lru-cache", async () => {
    const trace = shortened((await Effect.runPromise(load)).trace)
    for (const size of [1, 2, 300, 1_200, 3_000]) {
      const hits = replay(trace, larderLru(size))
      expect(hits).toBe(replay(trace, lru(size)))
    }
  })

  it("a second replay has the same hits", async () => {
    const trace = shortened((await Effect.runPromise(load)).trace)
    expect(replay(trace, larderMap(1_000))).toBe(replay(trace, larderMap(1_000)))
  })
})
