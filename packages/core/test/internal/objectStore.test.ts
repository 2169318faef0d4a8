import { Policy } from "@larder/core"
import { Exit } from "effect"
import { expect, it } from "vitest"
import { type Held, ObjectStore, type Options } from "../../src/internal/objectStore.ts"

const policy = Policy.make({ freshFor: 1 })

const held = (key: string, value: number, staleUntil: number): Held => ({
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
  new ObjectStore({
    maxEntries: 4,
    maxWeight: 10,
    eviction: "lru",
    seed: 1,
    weigh: (value) => value as number,
    maxFreshFor: Infinity,
    onEvicted: () => {},
    ...options,
  })

it("what is refused takes the previous one with it", () => {
  const refused: Array<string> = []
  const store = storeOf({ onEvicted: (key, cause) => refused.push(`${key} ${cause}`) })
  store.put(held("a", 1, 100), stamp, 0)
  expect(store.put(held("a", 11, 100), stamp, 0)).toBe(false)
  expect(store.peek("a")).toBe(undefined)
  expect(refused).toEqual(["a refused"])
})

it("what has no life left is not kept, and no eviction", () => {
  const evicted: Array<string> = []
  const store = storeOf({ onEvicted: (key) => evicted.push(key) })
  store.put(held("a", 1, 100), stamp, 0)
  expect(store.put(held("a", 1, 50), stamp, 50)).toBe(false)
  expect([store.size, store.weight, evicted]).toEqual([0, 0, []])
})

it("a weight that is none is refused by name", () => {
  const store = storeOf({ weigh: () => Number.NaN })
  expect(() => store.put(held("a", 1, 100), stamp, 0)).toThrow(/the weight of "a" is NaN/)
})

it("law 17: the weight is that of the value kept last", () => {
  const store = storeOf()
  store.put(held("a", 3, 100), stamp, 0)
  store.put(held("b", 4, 100), stamp, 0)
  store.put(held("a", 5, 100), stamp, 0)
  expect([store.size, store.weight]).toEqual([2, 9])
})

it("hot: those read since they were kept, most recently read first", () => {
  const store = storeOf({ weigh: () => 1 })
  for (const key of ["a", "b", "c"]) store.put(held(key, 1, 100), stamp, 0)
  store.put(held("b", 2, 100), stamp, 0)
  store.hit(store.find("a"))
  expect(store.hot(10).map(({ key }) => key)).toEqual(["a", "c"])
  expect(store.hot(1).map(({ key }) => key)).toEqual(["a"])
})
