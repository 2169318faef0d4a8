/** `tierWrites: "background"`: `set` waits for memory, the tiers behind it follow. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyShared } from "./support/faultyTier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const make = Larder.make({
  name: "behind",
  value: Schema.Finite,
  tags: () => ["all"],
  upstream: Upstream.make({ lookup: (key: string) => Effect.fail(`asked for ${key}`) }),
  policy: Policy.make({ freshFor: "10 minutes", tierWrites: "background" }),
})

const test = (
  title: string,
  body: (tier: Faults) => Effect.Effect<void, unknown, TierStack.TierStack | Scope.Scope>,
  maxEntries = 10_000,
) =>
  it.effect(title, () => {
    const tier = new Faults()
    return Effect.andThen(
      TestClock.setTime(1_790_000_000_000),
      body(tier).pipe(
        Effect.scoped,
        Effect.provide(TierStack.layer(MemoryTier.layer({ maxEntries }), faultyShared(tier))),
      ),
    )
  })

/** What another process finds. */
const elsewhere = (key: string) =>
  Effect.scoped(Effect.flatMap(make, (larder) => Effect.exit(larder.get(key))))

test("set is acknowledged when memory has the value, and the tier follows", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("warm", 0)
    tier.turn("slow", "writes")
    const ack = yield* larder.set("k", 1)
    expect(ack).toMatchObject({ settled: false, pending: ["shared"] })
    expect(yield* larder.get("k")).toBe(1)
    expect((yield* larder.stats).queuedWrites).toBe(1)
    yield* TestClock.adjust(100)
    expect((yield* larder.stats).queuedWrites).toBe(0)
    expect(yield* elsewhere("k")).toEqual(Exit.succeed(1))
  }))

test("of several values set quickly the last one counts, and those between are not written", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("warm", 0)
    yield* TestClock.adjust(1)
    tier.turn("slow", "writes")
    const { written } = tier
    yield* Effect.forEach([1, 2, 3, 4, 5], (value) => larder.set("k", value))
    yield* TestClock.adjust(200)
    expect(tier.written - written).toBe(2)
    expect(yield* larder.get("k")).toBe(5)
    expect(yield* elsewhere("k")).toEqual(Exit.succeed(5))
  }))

test("a removal waits for what was set before it", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("warm", 0)
    tier.turn("slow", "writes")
    yield* larder.set("k", 1)
    const removed = yield* fork(larder.remove("k"))
    yield* TestClock.adjust(200)
    expect((yield* Fiber.join(removed)).settled).toBe(true)
    expect(yield* Effect.flip(larder.get("k"))).toBe("asked for k")
    expect(yield* elsewhere("k")).toEqual(Exit.fail("asked for k"))
  }))

test("an invalidation covers what was set before it and is written after it", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("warm", 0)
    tier.turn("slow", "writes")
    yield* larder.set("k", 1)
    tier.turn("none", "all")
    yield* larder.invalidateTags(["all"], { keepStale: false })
    yield* TestClock.adjust(200)
    expect((yield* larder.read("k")).freshness._tag).toBe("Missing")
    expect(yield* elsewhere("k")).toEqual(Exit.fail("asked for k"))
  }))

test(
  "law 13: a value that memory had to give up before it was written is not lost",
  (tier) =>
    Effect.gen(function* () {
      const larder = yield* make
      yield* larder.set("k", 1)
      yield* TestClock.adjust(1)
      tier.turn("slow", "writes")
      yield* larder.set("k", 2)
      yield* larder.set("other", 3)
      expect((yield* larder.read("k")).entry?.value).toBe(2)
      expect(yield* larder.get("k")).toBe(2)
      yield* TestClock.adjust(200)
      yield* larder.set("other", 4)
      expect(yield* larder.get("k")).toBe(2)
      yield* TestClock.adjust(200)
    }),
  1,
)

test("law 15: at most 1,000 keys are on their way; then set waits, for as long as the tier takes", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("warm", 0)
    yield* TestClock.adjust(1)
    tier.turn("slow", "writes")
    const sets = yield* fork(
      Effect.forEach(
        Array.from({ length: 1_200 }, (_, i) => i),
        (i) => larder.set(`k${i}`, i),
        {
          discard: true,
        },
      ),
    )
    for (let i = 0; i < 100; i++) yield* Effect.yieldNow
    const full = (yield* larder.stats).queuedWrites
    const waits = sets.pollUnsafe() === undefined
    // 16 at a time, 50 ms each.
    for (let i = 0; i <= 1_300 / 16; i++) yield* TestClock.adjust(50)
    yield* Fiber.join(sets)
    expect([full, waits]).toEqual([1_000, true])
    expect((yield* larder.stats).queuedWrites).toBe(0)
    expect(yield* elsewhere("k0")).toEqual(Exit.succeed(0))
    expect(yield* elsewhere("k1199")).toEqual(Exit.succeed(1_199))
  }))

test("law 22: what is on its way is written before the larder closes", (tier) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const larder = yield* Scope.provide(make, scope)
    yield* larder.set("warm", 0)
    tier.turn("slow", "writes")
    yield* Effect.forEach([1, 2, 3], (value) => larder.set(`k${value}`, value))
    const closing = yield* fork(Scope.close(scope, Exit.void))
    yield* TestClock.adjust(200)
    yield* Fiber.join(closing)
    tier.turn("none", "all")
    expect(yield* elsewhere("k3")).toEqual(Exit.succeed(3))
  }))

test("a tier that does not take it hears of it later, and holds nothing older meanwhile", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("k", 1)
    yield* TestClock.adjust(1)
    tier.turn("fail", "writes")
    yield* larder.set("k", 2)
    yield* TestClock.adjust(10)
    tier.turn("none", "all")
    yield* TestClock.adjust("20 seconds")
    expect(yield* larder.get("k")).toBe(2)
    expect(yield* elsewhere("k")).toEqual(Exit.fail("asked for k"))
  }))

it("a word that is neither is refused", () => {
  const tierWrites = "later" as "background"
  expect(() => Policy.make({ freshFor: 1, tierWrites })).toThrow(/neither/)
})

it.effect("no tier is asked for what is on its way to it", () => {
  const file = new Faults()
  return Effect.gen(function* () {
    const larder = yield* make
    file.turn("slow", "writes")
    yield* larder.set("k", 1)
    yield* larder.set("other", 2)
    file.trips.length = 0
    expect(yield* larder.get("k")).toBe(1)
    expect(file.trips).not.toContain("read")
    yield* TestClock.adjust(200)
  }).pipe(
    Effect.scoped,
    Effect.provide(TierStack.layer(MemoryTier.layer({ maxEntries: 1 }), fileLayer(file))),
  )
})
