/** Laws 13 to 16: the cost of a failing tier, and the guarantees that hold despite it. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Fiber, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyShared } from "./support/faultyTier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const make = (
  policy: Omit<Policy.Options, "freshFor"> = {},
  value: number | undefined = undefined,
) =>
  Effect.gen(function* () {
    let asked = 0
    const larder = yield* Larder.make({
      name: "sick",
      value: Schema.Finite,
      upstream: Upstream.make({
        lookup: (_: string) => Effect.sync(() => value ?? (asked += 1)),
      }),
      policy: Policy.make({ freshFor: "10 seconds", tierTimeout: "100 millis", ...policy }),
    })
    return { larder, asked: () => asked }
  })

const law = (
  title: string,
  body: (tier: Faults) => Effect.Effect<void, unknown, TierStack.TierStack | Scope.Scope>,
  memory = true,
) =>
  it.effect(title, () => {
    const tier = new Faults()
    const stack = memory
      ? TierStack.layer(MemoryTier.layer(), faultyShared(tier))
      : TierStack.layer(faultyShared(tier))
    return Effect.andThen(
      TestClock.setTime(1_790_000_000_000),
      body(tier).pipe(Effect.scoped, Effect.provide(stack)),
    )
  })

const took = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clockWith(Effect.succeed)
    const began = clock.currentTimeMillisUnsafe()
    const fiber = yield* fork(effect)
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(1)
    return [yield* Fiber.join(fiber), clock.currentTimeMillisUnsafe() - began] as const
  })

law(
  "law 14: what a burst waits for in vain is one failure, not many: its breaker stays closed",
  (tier) =>
    Effect.gen(function* () {
      const { larder } = yield* make()
      tier.turn("hang", "all")
      const keys = Array.from({ length: 50 }, (_, i) => `k${i}`)
      const [, millis] = yield* took(
        Effect.forEach(keys, (key) => larder.get(key), { concurrency: "unbounded" }),
      )
      expect(millis).toBeLessThanOrEqual(200)
      expect((yield* larder.stats).breakers["shared"]).toBe("Closed")
      for (let i = 0; i < 5; i++) yield* took(larder.get(`later ${i}`))
      expect((yield* larder.stats).breakers["shared"]).toBe("Open")
    }),
)

law(
  "law 14: a tier that hangs costs a read tierTimeout, then, its breaker open, nothing; a probe brings it back",
  (tier) =>
    Effect.gen(function* () {
      const { larder } = yield* make()
      tier.turn("hang", "all")
      for (let i = 0; i < 5; i++) {
        const [, millis] = yield* took(larder.get(`k${i}`))
        expect(millis).toBe(100)
      }
      expect((yield* larder.stats).breakers["shared"]).toBe("Open")
      const [, free] = yield* took(larder.get("another"))
      expect(free).toBe(0)
      tier.turn("none", "all")
      yield* TestClock.adjust("5 seconds")
      yield* larder.get("probe")
      expect((yield* larder.stats).breakers["shared"]).toBe("Closed")
    }),
)

law("law 14: a sick tier costs nothing where memory can answer", (tier) =>
  Effect.gen(function* () {
    const { asked, larder } = yield* make({ staleWhileRevalidate: "1 minute" })
    yield* larder.get("a")
    tier.turn("hang", "all")
    expect(yield* took(larder.get("a"))).toEqual([1, 0])
    yield* TestClock.adjust("10 seconds")
    expect(yield* took(larder.get("a"))).toEqual([1, 0])
    // The refresh goes on behind, around the tier.
    yield* TestClock.adjust("200 millis")
    expect(yield* took(larder.get("a"))).toEqual([2, 0])
    expect(asked()).toBe(2)
  }),
)

law("law 14: callers are answered when upstream answers, not when the commit is through", (tier) =>
  Effect.gen(function* () {
    const { asked, larder } = yield* make()
    tier.turn("hang", "writes")
    expect(yield* took(larder.get("a"))).toEqual([1, 0])
    // While it settles, those who come get the same.
    expect(yield* took(larder.get("a"))).toEqual([1, 0])
    yield* TestClock.adjust("100 millis")
    expect(yield* took(larder.get("a"))).toEqual([1, 0])
    expect(asked()).toBe(1)
    // Well again before the larder closes, which tells the arbiter what it missed.
    tier.turn("none", "all")
  }),
)

law(
  "law 14: one trip to read, to acquire and to commit; a hit in the shared tier is one trip",
  (tier) =>
    Effect.gen(function* () {
      const { larder } = yield* make()
      yield* larder.get("first")
      tier.trips.length = 0
      yield* larder.get("a")
      expect(tier.trips).toEqual(["read", "acquire", "commit"])
      tier.trips.length = 0
      yield* larder.getMany(["a", "b", "c"])
      expect(tier.trips.filter((trip) => trip === "read")).toEqual(["read"])
    }),
  false,
)

law(
  "law 15: a set that did not reach the arbiter is not settled, and nothing older comes back",
  (tier) =>
    Effect.gen(function* () {
      const { larder } = yield* make()
      yield* larder.get("a")
      tier.turn("fail", "all")
      expect(yield* larder.set("a", 42)).toMatchObject({ settled: false, pending: ["shared"] })
      expect(yield* larder.get("a")).toBe(42)
      tier.turn("none", "all")
      yield* TestClock.adjust("10 seconds")
      // The old value is gone from the tier: it is looked up.
      expect((yield* larder.read("a")).freshness).toEqual({ _tag: "Missing" })
      expect(yield* larder.get("a")).toBe(2)
    }),
)

law(
  "law 15: an invalidation that did not reach the arbiter is replayed before anything it says is believed",
  (tier) =>
    Effect.gen(function* () {
      const { larder } = yield* make()
      yield* larder.get("a")
      tier.turn("fail", "all")
      expect((yield* larder.clear({ keepStale: false })).settled).toBe(false)
      tier.turn("none", "all")
      expect(yield* larder.get("a")).toBe(2)
      expect(tier.trips.indexOf("mark")).toBeGreaterThan(-1)
      expect((yield* larder.clear()).settled).toBe(true)
    }),
)

law(
  "law 13: a set after one that was missed is not taken away again",
  (tier) =>
    Effect.gen(function* () {
      const { asked, larder } = yield* make()
      tier.turn("fail", "all")
      yield* larder.set("a", 41)
      tier.turn("none", "all")
      expect((yield* larder.set("a", 42)).settled).toBe(true)
      yield* TestClock.adjust("5 seconds")
      expect(yield* larder.get("a")).toBe(42)
      expect(asked()).toBe(0)
    }),
  false,
)

law(
  "law 13: a value that cannot be written as bytes replaces the older one all the same",
  () =>
    Effect.gen(function* () {
      const { larder } = yield* make()
      yield* larder.set("a", 1)
      expect(yield* larder.set("a", Number.NaN)).toMatchObject({ settled: false })
      yield* TestClock.adjust("1 second")
      expect((yield* larder.stats).breakers["shared"]).toBe("Closed")
      expect((yield* larder.read("a")).entry?.value).not.toBe(1)
    }),
  false,
)

law(
  "law 15: expiring a key whose set was missed does not bring the older value back",
  (tier) =>
    Effect.gen(function* () {
      const { larder } = yield* make()
      yield* larder.get("a")
      tier.turn("fail", "all")
      yield* larder.set("a", 42)
      tier.turn("none", "all")
      yield* larder.expire("a")
      expect((yield* larder.read("a")).freshness).toEqual({ _tag: "Missing" })
    }),
  false,
)

for (const [left, isRead] of [
  [49, false],
  [50, true],
] as const) {
  it.effect(
    `law 14: a tier is ${isRead ? "" : "not "}asked with ${left} ms of the budget left, and tierTimeout 100 ms`,
    () => {
      const file = new Faults()
      const shared = new Faults()
      return Effect.gen(function* () {
        yield* TestClock.setTime(1_790_000_000_000)
        const { larder } = yield* make({ tierTimeout: 100, tierBudget: 100 + left })
        file.turn("hang", "reads")
        // With so little time even a tier that is well might not answer, and would count as sick.
        expect(yield* took(larder.get("k"))).toEqual([1, 100])
        expect(shared.trips.includes("read")).toBe(isRead)
        expect((yield* larder.stats).tierFailures).toBe(1)
      }).pipe(
        Effect.scoped,
        Effect.provide(TierStack.layer(MemoryTier.layer(), fileLayer(file), faultyShared(shared))),
      )
    },
  )
}

law("law 14: a step that succeeds after the breaker has opened does not leave it open", (tier) =>
  Effect.gen(function* () {
    const { larder } = yield* make()
    tier.turn("fail", "all")
    yield* larder.get("first")
    // Let through while the breaker is closed and in doubt; it answers after it has opened.
    tier.turn("slow", "all")
    const late = yield* fork(larder.read("late"))
    tier.turn("fail", "all")
    for (let i = 0; i < 5; i++) yield* larder.get(`k${i}`)
    expect((yield* larder.stats).breakers).toEqual({ shared: "Open" })
    tier.turn("none", "all")
    yield* TestClock.adjust(50)
    yield* Fiber.join(late)
    expect((yield* larder.stats).breakers).toEqual({ shared: "Open" })
    yield* TestClock.adjust("5 seconds")
    yield* larder.get("after")
    yield* TestClock.adjust(1)
    expect((yield* larder.stats).breakers).toEqual({ shared: "Closed" })
  }),
)
