import { Policy } from "@larder/core"
import { Exit } from "effect"
import { describe, expect, it } from "vitest"
import { forever } from "../../../src/Entry.ts"
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
  gapsBefore: 0,
  confirmedAt: 0,
  isProvisional: false,
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

describe("why a key is absent", () => {
  const expiring = (options: Partial<Options> = {}) => {
    const store = storeOf(options)
    put(store, held("a", 1, 100), 0)
    put(store, held("b", 1, 500), 200)
    return store
  }

  it("its entry was evicted at the end of its life, until a next one is stored", () => {
    const store = expiring()
    expect(["a", "b", "c"].map((key) => store.whyAbsent(key))).toEqual(["expired", "new", "new"])
    put(store, held("a", 1, 600), 300)
    store.resize({ maxEntries: 0, maxWeight: 10 })
    store.shrink(10, 300)
    expect(store.peek("a")).toBe(undefined)
    expect(store.whyAbsent("a")).toBe("new")
  })

  it("its entry was deleted at the end of its life, and not by a change", () => {
    const store = expiring()
    store.delete("b", "expired")
    expect(store.whyAbsent("b")).toBe("expired")
    store.delete("b")
    expect(store.whyAbsent("b")).toBe("new")
    store.delete("c", "expired")
    expect(store.whyAbsent("c")).toBe("new")
  })

  it("its entry expired, also where the key was requested often", () => {
    const store = storeOf({ eviction: "w-tinylfu" })
    for (const key of ["a", "b", "c"]) put(store, held(key, 1, 100), 0)
    for (let hit = 0; hit < 5; hit += 1) store.hit(store.find("c"))
    store.shrink(10, 100)
    expect(store.whyAbsent("c")).toBe("expired")
  })

  it("nothing is remembered after a clear", () => {
    const store = expiring()
    store.clear()
    expect(store.whyAbsent("a")).toBe("new")
  })
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
  expect(() => store.weigh(1, "a")).toThrow(
    /weigh must return an integer of at least 0 for the key "a", got NaN/,
  )
})

it("a put that throws, for what is no weight, leaves what is at the key", () => {
  const store = storeOf()
  put(store, held("a", 1, 100), 0)
  expect(() => store.put(held("a", 2, 100), Number.NaN, stamp, 0)).toThrow(/got NaN/)
  expect([store.peek("a")?.entry.value, store.size, store.weight]).toEqual([1, 1, 1])
  expect(put(store, held("a", 3, 100), 0)).toBe(true)
  expect(store.peek("a")?.entry.value).toBe(3)
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

it("many entries have a stamp, a value and whether they were read, each its own", () => {
  const store = storeOf({ maxEntries: 1_000, maxWeight: Infinity })
  const keys = Array.from({ length: 300 }, (_, i) => `key:${i}`)
  for (const [i, key] of keys.entries()) {
    store.put(held(key, i, 1_000), 1, { until: i + 1, checkedAt: i }, 0)
  }
  for (const [i, key] of keys.entries()) {
    expect(store.isPlain(store.find(key), i, i)).toBe(true)
  }
  // A refresh: nobody asked for it.
  for (const key of keys.slice(0, 250)) put(store, held(key, 1, 1_000), 0)
  for (const [i, key] of keys.slice(0, 200).entries()) {
    const slot = store.find(key)
    store.hit(slot)
    store.stamp(slot, { until: i + 1, checkedAt: i })
  }
  for (const [i, key] of keys.entries()) {
    if (i >= 200 && i < 250) continue
    const slot = store.find(key)
    expect([store.isPlain(slot, i, i), store.isPlain(slot, i + 1, i)]).toEqual([true, false])
    expect(store.isPlain(slot, i, i + 1)).toBe(false)
    expect([store.isStampedAt(slot, i), store.isStampedAt(slot, i + 1)]).toEqual([true, false])
  }
  const hot = new Set(store.hot(1_000).map(({ key }) => key))
  expect(keys.filter((key) => !hot.has(key))).toEqual(keys.slice(200, 250))
})

it("a key whose stamp is forgotten is not plain, and no other key is touched", () => {
  const store = storeOf()
  put(store, held("a", 1, 100), 0)
  put(store, held("b", 1, 100), 0)
  store.forgetStamp("a")
  store.forgetStamp("absent")
  const [a, b] = [store.find("a"), store.find("b")]
  expect([store.isPlain(a, 0, 0), store.isPlain(b, 0, 0)]).toEqual([false, true])
  // Marks are counted from 0.
  expect([0, 1, 2].map((mark) => store.isStampedAt(a, mark))).toEqual([false, false, false])
})

it("an entry is replaced in its slot, with its stamp, and counts as neither read nor written", () => {
  const store = storeOf({ eviction: "lru", maxEntries: 2 })
  put(store, held("a", 1, 100), 0)
  put(store, held("b", 1, 100), 0)
  const slot = store.find("a")
  const confirmed = { ...store.at(slot), confirmedAt: 7 }
  store.replace(slot, confirmed, { until: 50, checkedAt: 3 })
  expect([store.peek("a"), store.find("a")]).toEqual([confirmed, slot])
  expect([store.isPlain(slot, 49, 3), store.isPlain(slot, 50, 3)]).toEqual([true, false])
  expect(store.hot(10).map(({ key }) => key)).toEqual(["b", "a"])
  put(store, held("c", 1, 100), 0)
  expect(store.find("a")).toBe(0)
})

it("a key that is absent has no entry and cannot be deleted", () => {
  const store = storeOf()
  expect([store.peek("a"), store.delete("a"), store.find("a")]).toEqual([undefined, false, 0])
  put(store, held("a", 1, 100), 0)
  expect([store.peek("b"), store.delete("b"), store.size]).toEqual([undefined, false, 1])
  expect([store.delete("a"), store.size, store.peek("a")]).toEqual([true, 0, undefined])
})

it("what was at a slot of a store that was cleared is gone", () => {
  const store = storeOf()
  put(store, held("a", 1, 100), 0)
  store.clear()
  expect([store.size, store.weight, store.peek("a"), store.hot(10)]).toEqual([0, 0, undefined, []])
  put(store, held("b", 2, 100), 0)
  expect(store.peek("b")?.entry.value).toBe(2)
  expect(store.exit(store.find("b"))).toEqual(Exit.succeed(2))
})

it("shrink: expired entries go first, and those that are over lowered bounds as far as the limit", () => {
  const gone: Array<string> = []
  const store = storeOf({ onEvicted: (key, cause) => gone.push(`${key} ${cause}`) })
  for (const [i, key] of ["a", "b", "c", "d"].entries()) put(store, held(key, 1, 10 * (4 - i)), 0)
  store.resize({ maxEntries: 1, maxWeight: 10 })
  expect(store.bounds).toEqual({ maxEntries: 1, maxWeight: 10 })
  expect(store.shrink(1, 10)).toBe(true)
  expect(gone.splice(0)).toEqual(["d expired", "a size"])
  expect(store.shrink(1, 10)).toBe(false)
  expect(gone).toEqual(["b size"])
})

it("an entry is kept for ever whose time never comes", () => {
  const store = storeOf()
  expect(put(store, held("a", 1, forever), 0)).toBe(true)
  expect(put(store, held("b", 1, forever - 1), 0)).toBe(true)
  expect(store.shrink(10, forever)).toBe(false)
  expect([store.find("a") > 0, store.find("b") > 0]).toEqual([true, false])
})

it("an entry that has left is not held any longer at its slot", () => {
  const store = storeOf({ maxEntries: 3 })
  const slotOf = (key: string) => {
    put(store, held(key, 1, 100), 0)
    return store.find(key)
  }
  const [evicted, refused, deleted] = [slotOf("a"), slotOf("b"), slotOf("c")]
  const newest = slotOf("d")
  expect(store.at(evicted)).toBe(undefined)
  expect(put(store, held("b", 11, 100), 0)).toBe(false)
  expect(store.at(refused)).toBe(undefined)
  store.delete("c")
  expect(store.at(deleted)).toBe(undefined)
  expect(store.at(newest)).toMatchObject({ key: "d" })
  store.clear()
  put(store, held("e", 1, 100), 0)
  expect(store.at(newest)).toBe(undefined)
})
