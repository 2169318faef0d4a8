import { Policy } from "@larder/core"
import { Exit } from "effect"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { lru } from "../../src/internal/evictionPolicy.ts"
import * as objectStore from "../../src/internal/objectStore.ts"

const policy = Policy.make({ freshFor: 1 })

const kept = (value: number, staleUntil: number): objectStore.Kept => ({
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
  until: staleUntil,
  checkedAt: 0,
  asked: undefined,
  policy,
  freshCap: Infinity,
})

/** The same, written naively: an array, the least recently read first. */
class Model {
  entries: Array<{ readonly key: string; readonly weight: number; readonly staleUntil: number }> =
    []

  at(key: string) {
    return this.entries.find((one) => one.key === key)
  }
  drop(key: string) {
    this.entries = this.entries.filter((one) => one.key !== key)
  }
  weight() {
    return this.entries.reduce((sum, one) => sum + one.weight, 0)
  }
  hit(key: string) {
    const one = this.at(key)
    if (one === undefined) return
    this.drop(key)
    this.entries.push(one)
  }
}

const maxEntries = 4
const maxWeight = 10

const command = fc.record({
  what: fc.constantFrom("put", "put", "put", "hit", "delete", "clear"),
  key: fc.constantFrom("a", "b", "c", "d", "e", "f"),
  weight: fc.integer({ min: 0, max: 12 }),
  life: fc.integer({ min: -1, max: 6 }),
  pause: fc.integer({ min: 0, max: 3 }),
})

it("law 17: bounded by entries and weight at every moment, expired first, then the least recently read", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const evicted: Array<readonly [key: string, cause: string]> = []
      const store = objectStore.make(
        { maxEntries, maxWeight, weigh: (value) => value as number, maxFreshFor: Infinity },
        lru,
        (key, cause) => evicted.push([key, cause]),
      )
      const model = new Model()
      let now = 0
      for (const { key, life, pause, weight, what } of commands) {
        now += pause
        evicted.length = 0
        if (what === "put") {
          const before = [...model.entries]
          const refused = weight > maxWeight || life <= 0
          const slot = store.put(key, kept(weight, now + life), now)
          expect(slot === undefined).toBe(refused)
          for (const [gone, cause] of evicted) {
            const one = before.find((other) => other.key === gone)
            if (cause === "expired") expect(one!.staleUntil).toBeLessThanOrEqual(now)
            if (cause === "size" || cause === "weight") {
              // Nothing expired is left when something alive has to go, and what goes is read longest ago.
              const alive = model.entries.filter((other) => other.key !== key)
              expect(alive.every((other) => other.staleUntil > now)).toBe(true)
              expect(alive[0]?.key).toBe(gone)
            }
            if (cause !== "refused") model.drop(gone)
          }
          const old = model.at(key)
          if (refused) model.drop(key)
          else if (old === undefined) model.entries.push({ key, weight, staleUntil: now + life })
          else {
            const fresh = { key, weight, staleUntil: now + life }
            model.entries = model.entries.map((one) => (one.key === key ? fresh : one))
          }
        } else if (what === "hit") {
          const slot = store.peek(key)
          if (slot !== undefined) store.hit(slot)
          model.hit(key)
        } else if (what === "delete") {
          expect(store.delete(key)).toBe(model.at(key) !== undefined)
          model.drop(key)
        } else {
          store.clear()
          model.entries = []
        }
        expect(store.size).toBeLessThanOrEqual(maxEntries)
        expect(store.weight).toBeLessThanOrEqual(maxWeight)
        expect(store.size).toBe(model.entries.length)
        expect(store.weight).toBe(model.weight())
        for (const one of model.entries) expect(store.peek(one.key)?.weight).toBe(one.weight)
      }
    }),
    { numRuns: 2_000 },
  )
})

it("what is refused takes the previous one with it", () => {
  const store = objectStore.make(
    { maxEntries, maxWeight, weigh: (value) => value as number, maxFreshFor: Infinity },
    lru,
    () => {},
  )
  store.put("a", kept(1, 100), 0)
  expect(store.put("a", kept(11, 100), 0)).toBe(undefined)
  expect(store.peek("a")).toBe(undefined)
})

it("a weight that is none is refused by name", () => {
  const store = objectStore.make(
    { maxEntries, maxWeight, weigh: () => Number.NaN, maxFreshFor: Infinity },
    lru,
    () => {},
  )
  expect(() => store.put("a", kept(1, 100), 0)).toThrow(/weigh gave NaN for "a"/)
})

it("hot: those read since they were kept, most recently read first", () => {
  const store = objectStore.make(
    { maxEntries, maxWeight, weigh: () => 1, maxFreshFor: Infinity },
    lru,
    () => {},
  )
  for (const key of ["a", "b", "c"]) store.put(key, kept(1, 100), 0)
  store.put("b", kept(2, 100), 0)
  store.hit(store.peek("a")!)
  expect(store.hot(10).map(({ key }) => key)).toEqual(["a", "c"])
  expect(store.hot(1).map(({ key }) => key)).toEqual(["a"])
})
