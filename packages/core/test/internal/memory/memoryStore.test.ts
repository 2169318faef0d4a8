import { Policy } from "@larder/core"
import { Exit } from "effect"
import { expect, it } from "vitest"
import { MemoryStore, type Options } from "../../../src/internal/memory/memoryStore.ts"
import type { MemoryEntry } from "../../../src/Tier.ts"

const policy = Policy.make({ freshFor: 1 })

const held = (key: string, value: number, staleUntil: number): MemoryEntry => ({
  key,
  entry: {
    value,
    storedAt: 0,
    freshUntil: staleUntil,
    revalidateUntil: staleUntil,
    staleUntil,
    loadMillis: 0,
    version: 1,
    asOf: 0,
    tags: [],
  },
  exit: Exit.succeed(value),
  asked: undefined,
  policy,
  freshCap: Infinity,
})

const stamp = { until: 1, checkedAt: 0 }

const storeOf = (options: Partial<Options> = {}) =>
  new MemoryStore({
    maxEntries: 4,
    maxWeight: 10,
    eviction: "lru",
    seed: 1,
    weigh: (value) => value as number,
    maxFreshFor: Infinity,
    onEvicted: () => {},
    ...options,
  })

const put = (store: MemoryStore, kept: MemoryEntry, now: number) =>
  store.put(kept, store.weigh(kept.entry.value, kept.key), stamp, now)

it("what is refused takes the previous one with it", () => {
  const refused: Array<string> = []
  const store = storeOf({ onEvicted: (key, cause) => refused.push(`${key} ${cause}`) })
  put(store, held("a", 1, 100), 0)
  expect(put(store, held("a", 11, 100), 0)).toBe(false)
  expect(store.peek("a")).toBe(undefined)
  expect(refused).toEqual(["a refused"])
})

it("what has no life left is not kept, and no eviction", () => {
  const evicted: Array<string> = []
  const store = storeOf({ onEvicted: (key) => evicted.push(key) })
  put(store, held("a", 1, 100), 0)
  expect(put(store, held("a", 1, 50), 50)).toBe(false)
  expect([store.size, store.weight, evicted]).toEqual([0, 0, []])
})

it("a weight that is none is refused by name", () => {
  const store = storeOf({ weigh: () => Number.NaN })
  expect(() => put(store, held("a", 1, 100), 0)).toThrow(/the weight of "a" is NaN/)
})

it("law 17: the weight is that of the value kept last", () => {
  const store = storeOf()
  put(store, held("a", 3, 100), 0)
  put(store, held("b", 4, 100), 0)
  put(store, held("a", 5, 100), 0)
  expect([store.size, store.weight]).toEqual([2, 9])
})

it("hot: those read since they were kept, most recently read first", () => {
  const store = storeOf({ weigh: () => 1 })
  for (const key of ["a", "b", "c"]) put(store, held(key, 1, 100), 0)
  put(store, held("b", 2, 100), 0)
  store.hit(store.find("a"))
  expect(store.hot(10).map(({ key }) => key)).toEqual(["a", "c"])
  expect(store.hot(1).map(({ key }) => key)).toEqual(["a"])
})

it("an entry whose end is NaN is not kept", () => {
  const store = storeOf()
  expect(put(store, held("a", 1, Number.NaN), 0)).toBe(false)
  expect(store.size).toBe(0)
})
