import { expect, it } from "vitest"
import type { Store } from "../../src/memory/contenders.ts"
import { hits, places } from "../../src/memory/hits.ts"
import { keys } from "../../src/memory/keys.ts"

const shares = (drawn: Uint32Array): ReadonlyArray<number> =>
  [...Map.groupBy(drawn, (place) => place).values()]
    .map((same) => same.length / drawn.length)
    .toSorted((a, b) => b - a)

it("places are drawn evenly, or a few of them much more often than others", () => {
  const even = shares(places("uniform", 100, 100_000))
  expect(even).toHaveLength(100)
  expect(even[0]! / even[99]!).toBeLessThan(1.4)
  const [first, second] = shares(places("zipf", 100, 100_000))
  expect(first! / second!).toBeCloseTo(2, 0)
  expect(Math.max(...places("zipf", 100, 100_000))).toBeLessThan(100)
})

it("a store that has lost what it is asked for gives no figures", () => {
  const stored = new Set<string>()
  const forgetful: Store = {
    get: (key) => stored.has(key) && !key.endsWith("7"),
    set: (key) => void stored.add(key),
  }
  expect(() => hits(forgetful, keys(1_000), "uniform")).toThrow(
    /keys were stored and are not there/,
  )
  const faithful: Store = { ...forgetful, get: (key) => stored.has(key) }
  expect(hits(faithful, keys(1_000), "uniform").every((nanos) => nanos > 0)).toBe(true)
})
