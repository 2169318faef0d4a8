/** The bounds of a memory tier, and its invalid options. */
import { describe, expect, it } from "@effect/vitest"
import { MemoryTier, Policy, Tier } from "@larder/core"
import { Effect, Exit, Random } from "effect"
import type { MemoryEntry } from "../src/Tier.ts"

const policy = Policy.make({ freshFor: 1 })

const entryOf = (key: string): MemoryEntry => ({
  key,
  entry: {
    value: 1,
    storedAt: 0,
    freshUntil: 1,
    revalidateUntil: 1,
    staleUntil: 1,
    loadMillis: 0,
    version: 1,
    asOf: 0,
    tags: [],
  },
  exit: Exit.succeed(1),
  asked: undefined,
  policy,
  freshCap: Infinity,
  gapsBefore: 0,
  confirmedAt: 0,
  isProvisional: false,
})

const opened = (options?: MemoryTier.Options, onEvicted: (key: string) => void = () => {}) =>
  Effect.gen(function* () {
    const tier = yield* Tier.Tier
    if (tier.kind !== "objects") throw new Error("holds bytes")
    return yield* tier.open({ larder: "words", onEvicted })
  }).pipe(Effect.scoped, Effect.provide(MemoryTier.layer(options)))

describe("MemoryTier.layer", () => {
  it.effect("takes the least and the most that can be meant", () =>
    Effect.gen(function* () {
      for (const eviction of ["w-tinylfu", "lru"] as const) {
        const least = yield* opened({ maxEntries: 1, maxWeight: 1, maxFreshFor: 1, eviction })
        expect([least.bounds, least.maxFreshFor]).toEqual([{ maxEntries: 1, maxWeight: 1 }, 1])
      }
      const none = { maxEntries: Infinity, maxWeight: Infinity }
      const most = yield* opened({ ...none, maxFreshFor: Infinity })
      expect([most.bounds, most.maxFreshFor]).toEqual([none, Infinity])
      expect((yield* opened({ maxFreshFor: "1 micro" })).maxFreshFor).toBe(0.001)
    }),
  )

  it.effect("keeps 10,000 entries of any weight, each as 1, by default", () =>
    Effect.gen(function* () {
      const store = yield* opened()
      expect(store.bounds).toEqual({ maxEntries: 10_000, maxWeight: Infinity })
      expect([store.weigh("a long value", "a"), store.maxFreshFor]).toEqual([1, Infinity])
    }),
  )

  it.effect("holds to what was chosen", () =>
    Effect.gen(function* () {
      const weigh = (value: unknown, key: string) => String(value).length + key.length
      const store = yield* opened({ maxEntries: 5, maxWeight: 7, maxFreshFor: "2 seconds", weigh })
      expect(store.bounds).toEqual({ maxEntries: 5, maxWeight: 7 })
      expect([store.weigh("abc", "k"), store.maxFreshFor]).toEqual([4, 2_000])
    }),
  )

  it.effect("draws a seed for each larder, so that nobody knows which keys collide", () =>
    Effect.gen(function* () {
      const gone = (seed: string) => {
        const evicted: Array<string> = []
        return opened({ maxEntries: 50 }, (key) => evicted.push(key)).pipe(
          Effect.map((store) => {
            for (let i = 0; i < 5_000; i += 1) {
              const key = `key:${(i * i) % 211}`
              const slot = store.find(key)
              if (slot === 0) store.put(entryOf(key), 1, { until: 0, checkedAt: 0 }, 0)
              else store.hit(slot)
            }
            return evicted.join()
          }),
          Random.withSeed(seed),
        )
      }
      const orders = yield* Effect.forEach(["a", "b", "c", "d", "a"], gone)
      // Frequencies are guessed by hash: other hashes, other guesses.
      expect(new Set(orders).size).toBe(4)
    }),
  )
})
