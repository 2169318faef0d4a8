import { describe, expect, it } from "@effect/vitest"
import { EarlyRefresh, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { LarderTest, Timeline } from "@larder/testing"
import { Clock, Deferred, Effect, Exit, Layer, Random, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { failureOf, Prices, Source } from "./support/shop.ts"

const shop = Prices.layer.pipe(
  Layer.provideMerge(Source.layer),
  Layer.provideMerge(LarderTest.layer),
)

const prices = (lookup: (key: string) => Effect.Effect<number, string>) =>
  Larder.make({
    name: "prices",
    upstream: Upstream.make({ lookup }),
    policy: Policy.make({ freshFor: "10 seconds", hardTimeout: "30 seconds" }),
  })

describe("layer", () => {
  const program = Effect.gen(function* () {
    yield* LarderTest.settle(Prices.get("milk"))
    expect(yield* Clock.currentTimeMillis).toBe(50)
    yield* LarderTest.advance("9 seconds")
    yield* Prices.get("milk")
    yield* Timeline.expect("milk").lookups(1)
  })

  it.effect("is all that a test of one node needs, under it.effect", () =>
    Effect.provide(program, shop),
  )

  it("and under Effect.runPromise", () => Effect.runPromise(Effect.provide(program, shop)))

  it.effect("uses the clock of it.effect", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 minute")
      const now = yield* Effect.provide(Clock.currentTimeMillis, LarderTest.layer)
      expect(now).toBe(60_000)
      yield* Effect.provide(LarderTest.advance("1 minute"), LarderTest.layer)
      expect(yield* Clock.currentTimeMillis).toBe(120_000)
    }),
  )

  it.effect("gives the test the clock, and its own TestClock.adjust moves it too", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 second")
      expect(yield* Clock.currentTimeMillis).toBe(1_000)
      yield* TestClock.setTime(5_000)
      expect(yield* Clock.currentTimeMillis).toBe(5_000)
      expect(yield* TestClock.withLive(Clock.currentTimeMillis)).toBeGreaterThan(1_000_000)
    }).pipe(Effect.provide(LarderTest.layer)),
  )

  const draws = (seed?: string) =>
    Effect.all([Random.next, Random.next]).pipe(
      Effect.provide(seed === undefined ? LarderTest.layer : LarderTest.layerWith({ seed })),
    )

  it.effect("draws the same with the same seed", () =>
    Effect.gen(function* () {
      expect(yield* draws()).toEqual(yield* draws())
      expect(yield* draws("a")).toEqual(yield* draws("a"))
      expect(yield* draws("a")).not.toEqual(yield* draws("b"))
    }),
  )

  it.effect("has the same events with the same seed", () => {
    const early = Effect.gen(function* () {
      const larder = yield* Larder.make({
        name: "early",
        upstream: Upstream.make({
          lookup: (_: string) => Effect.delay(Effect.succeed(1), "2 seconds"),
        }),
        policy: Policy.make({ freshFor: "10 seconds", earlyRefresh: EarlyRefresh.xfetch() }),
      })
      yield* LarderTest.settle(larder.get("milk"))
      for (let second = 0; second < 60; second++) {
        yield* LarderTest.settle(larder.get("milk"))
        yield* LarderTest.advance("1 second")
      }
      return yield* Timeline.text
    }).pipe(Effect.scoped)
    const text = (seed: number) => Effect.provide(early, LarderTest.layerWith({ seed }))
    return Effect.gen(function* () {
      const first = yield* text(1)
      expect(first).toContain("early refresh of milk")
      expect(yield* text(1)).toBe(first)
      expect(yield* text(2)).not.toBe(first)
    })
  })

  it.effect("takes other tiers", () =>
    Effect.gen(function* () {
      const larder = yield* prices(() => Effect.succeed(1))
      expect((yield* larder.stats).bounds?.maxEntries).toBe(3)
    }).pipe(
      Effect.scoped,
      Effect.provide(
        LarderTest.layerWith({ stack: TierStack.layer(MemoryTier.layer({ maxEntries: 3 })) }),
      ),
    ),
  )
})

describe("advance", () => {
  it.effect("lets work of many turns end before time goes on", () =>
    Effect.gen(function* () {
      const stack = TierStack.layer(MemoryTier.layer(), MemoryTier.layerShared)
      const keys = Array.from({ length: 500 }, (_, index) => `k${index}`)
      const many = yield* Effect.forkChild(
        Effect.flatMap(Prices, (larder) => larder.getMany(keys)).pipe(
          Effect.provide(Layer.provide(Prices.layer, [stack, Source.layer])),
        ),
        { startImmediately: true },
      )
      yield* LarderTest.advance("1 milli")
      const exits = many.pollUnsafe()
      expect(exits !== undefined && Exit.isSuccess(exits) && exits.value.size).toBe(500)
    }).pipe(Effect.provide(LarderTest.layer)),
  )

  it.effect("wakes what sleeps at its own moment, also what sleeps again", () =>
    Effect.gen(function* () {
      const woken: Array<number> = []
      const beat = Effect.gen(function* () {
        yield* Effect.sleep("3 seconds")
        yield* Effect.yieldNow
        yield* Effect.yieldNow
        woken.push(yield* Clock.currentTimeMillis)
      })
      yield* Effect.forkChild(Effect.forever(beat))
      yield* LarderTest.advance("10 seconds")
      expect(woken).toEqual([3_000, 6_000, 9_000])
      expect(yield* Clock.currentTimeMillis).toBe(10_000)
    }).pipe(Effect.provide(LarderTest.layer)),
  )

  it.effect("wakes what sleeps for fractions of a millisecond", () =>
    Effect.gen(function* () {
      let woken = 0
      const nap = Effect.gen(function* () {
        for (let index = 1; index <= 100; index++) {
          yield* Effect.sleep(index / 7)
          woken += 1
        }
      })
      yield* Effect.forkChild(nap)
      yield* LarderTest.advance("1 second")
      expect(woken).toBe(100)
    }).pipe(Effect.provide(LarderTest.layer)),
  )

  it.effect("says that the clock is not there", () =>
    Effect.gen(function* () {
      const message = yield* failureOf(LarderTest.advance("1 second"))
      expect(message).toContain(
        "NoVirtualTime: LarderTest.advance moves the clock of LarderTest.layer",
      )
      expect(message).toContain("Layer.provideMerge")
    }),
  )

  it.effect("refuses what is no duration", () =>
    Effect.gen(function* () {
      expect(yield* failureOf(LarderTest.advance(Number.NaN))).toContain(
        "LarderTest: advance must be a duration of at least 0",
      )
    }).pipe(Effect.provide(LarderTest.layer)),
  )
})

describe("idle", () => {
  it.effect("waits for a refresh behind", () =>
    Effect.gen(function* () {
      const source = yield* Source
      source.takes = 0
      yield* Prices.get("milk")
      yield* LarderTest.advance("15 seconds")
      source.price = 130
      expect(yield* Prices.get("milk")).toBe(120)
      yield* LarderTest.idle
      expect(yield* Prices.get("milk")).toBe(130)
    }).pipe(Effect.provide(shop)),
  )

  it.effect("waits for promises that are resolved already", () =>
    Effect.gen(function* () {
      let done = 0
      const step = Effect.andThen(
        Effect.promise(() => Promise.resolve()),
        Effect.sync(() => done++),
      )
      yield* Effect.forkChild(Effect.repeat(step, { times: 9 }), { startImmediately: true })
      yield* LarderTest.idle
      expect(done).toBe(10)
    }).pipe(Effect.provide(LarderTest.layer)),
  )

  it.effect("fails where work repeats without a pause, instead of hanging", () =>
    Effect.gen(function* () {
      const busy = yield* Effect.forkChild(Effect.forever(Effect.yieldNow))
      expect(yield* failureOf(LarderTest.idle)).toContain("A fiber may repeat without a pause")
      busy.interruptUnsafe()
    }).pipe(Effect.provide(LarderTest.layer)),
  )
})

describe("settle", () => {
  it.effect("moves the clock through lookups, retries and their pauses, and no further", () =>
    Effect.gen(function* () {
      let attempts = 0
      const flaky = Effect.suspend(() => {
        attempts += 1
        return Effect.delay(attempts < 4 ? Effect.fail("busy") : Effect.succeed(7), "100 millis")
      })
      const larder = yield* Larder.make({
        name: "flaky",
        upstream: Upstream.make({ lookup: (_: string) => flaky }).pipe(
          Upstream.withRetry(Schedule.spaced("1 second")),
        ),
        policy: Policy.make({ freshFor: "1 minute" }),
      })
      expect(yield* LarderTest.settle(larder.get("milk"))).toBe(7)
      expect(yield* Clock.currentTimeMillis).toBe(3_400)
    }).pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
  )

  it.effect("returns at once what needs no time, and fails as the effect does", () =>
    Effect.gen(function* () {
      expect(yield* LarderTest.settle(Effect.succeed(1))).toBe(1)
      expect(yield* Effect.flip(LarderTest.settle(Effect.fail("no")))).toBe("no")
      expect(yield* Clock.currentTimeMillis).toBe(0)
    }).pipe(Effect.provide(LarderTest.layer)),
  )

  it.effect("fails after its virtual time, and shows what happened", () =>
    Effect.gen(function* () {
      const larder = yield* prices(() => Effect.never)
      const message = yield* failureOf(
        LarderTest.settle(larder.get("milk"), { within: "5 seconds" }),
      )
      expect(message).toContain(
        "NeverSettled: LarderTest.settle: the effect has not ended within 5000 ms of virtual time",
      )
      expect(message).toContain("-> get milk")
      // The effect is given up, not left behind.
      yield* LarderTest.idle
      expect(yield* Timeline.text).toContain("<- get milk left")
    }).pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
  )

  it.effect("fails for what no clock moves", () =>
    Effect.gen(function* () {
      const nobody = yield* Deferred.make<void>()
      expect(yield* failureOf(LarderTest.settle(Deferred.await(nobody)))).toContain(
        "nothing sleeps that the clock could wake",
      )
    }).pipe(Effect.provide(LarderTest.layer)),
  )

  it.effect("works within another, and beside others", () =>
    Effect.gen(function* () {
      const larder = yield* prices(() => Effect.delay(Effect.succeed(7), "50 millis"))
      const milk = LarderTest.settle(larder.get("milk"))
      const eggs = LarderTest.settle(larder.get("eggs"))
      expect(yield* LarderTest.settle(milk)).toBe(7)
      expect(yield* Clock.currentTimeMillis).toBe(50)
      yield* larder.clear({ keepStale: false })
      expect(yield* Effect.all([milk, eggs], { concurrency: "unbounded" })).toEqual([7, 7])
      expect(yield* Clock.currentTimeMillis).toBe(100)
    }).pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
  )

  it.effect("moves the clock no further than an advance beside it has come", () =>
    Effect.gen(function* () {
      const at: Array<number> = []
      const now = Effect.flatMap(Clock.currentTimeMillis, (time) =>
        Effect.sync(() => at.push(time)),
      )
      const steps = Effect.gen(function* () {
        yield* LarderTest.advance("5 seconds")
        yield* now
        yield* Effect.sleep("1 second")
        yield* now
      })
      yield* Effect.forkChild(Effect.sleep("1 hour"))
      yield* LarderTest.settle(steps)
      expect(at).toEqual([5_000, 6_000])
    }).pipe(Effect.provide(LarderTest.layer)),
  )

  it.effect("waits for the world outside where nothing sleeps", () =>
    Effect.gen(function* () {
      const later = Effect.promise(() => new Promise((resolve) => setTimeout(() => resolve(3), 20)))
      expect(yield* LarderTest.settle(later)).toBe(3)
    }).pipe(Effect.provide(LarderTest.layer)),
  )
})
