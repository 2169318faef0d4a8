/** The moment in which callers are woken, or have to wait again. */
import { assert, describe, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Faults, layer as faultyTier } from "./support/faultyTier.ts"

const memory = TierStack.layer(MemoryTier.layer())

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const closedBy = (exit: Exit.Exit<unknown, unknown> | undefined): boolean =>
  exit !== undefined && String(exit).includes("LarderClosed")

/** Larder whose lookups are numbered; the one with number `closing` closes it in its first step. */
const closes = Effect.fnUntraced(function* (closing: number) {
  const scope = yield* Scope.make()
  const begun: Array<string> = []
  const larder = yield* Larder.make({
    name: "closes",
    policy: Policy.make({ freshFor: 100, staleWhileRevalidate: "10 seconds" }),
    tags: () => ["all"],
    upstream: Upstream.make({
      lookup: (key: string) =>
        Effect.suspend(() => {
          begun.push(key)
          const value = Effect.succeed(begun.length)
          return begun.length === closing
            ? Effect.andThen(Scope.close(scope, Exit.void), value)
            : value
        }),
    }),
  }).pipe(Scope.provide(scope))
  return { begun, larder }
})

describe("closing", () => {
  it.effect.each(["get", "get after a mark", "getMany"] as const)(
    "no lookup begins after a refresh that was begun to be joined has closed the larder: %s",
    (how) =>
      Effect.gen(function* () {
        const { begun, larder } = yield* closes(2)
        yield* larder.get("a")
        yield* TestClock.adjust(200)
        assert.strictEqual(yield* larder.get("a"), 1)
        if (how === "get after a mark") yield* larder.invalidateTags(["all"])
        const exit =
          how === "getMany"
            ? (yield* larder.getMany(["a"])).get("a")
            : yield* Effect.exit(larder.get("a"))
        assert.isTrue(closedBy(exit), String(exit))
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(begun, ["a", "a"])
      }).pipe(Effect.provide(memory)),
  )

  it.effect("getMany begins no lookup after one of its own has closed the larder", () =>
    Effect.gen(function* () {
      const { begun, larder } = yield* closes(1)
      const found = yield* larder.getMany(["a", "b", "c"])
      assert.isTrue([...found.values()].every(closedBy))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(begun, ["a"])
    }).pipe(Effect.provide(memory)),
  )
})

/** The clock of the test, which can be set without that time goes by. */
const settable = Effect.map(Clock.Clock, (clock) => {
  let offset = 0
  const of = (nanos: bigint) => nanos + BigInt(offset) * 1_000_000n
  const set: Clock.Clock = {
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + offset,
    currentTimeMillis: Effect.map(clock.currentTimeMillis, (millis) => millis + offset),
    currentTimeNanosUnsafe: () => of(clock.currentTimeNanosUnsafe()),
    currentTimeNanos: Effect.map(clock.currentTimeNanos, of),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration),
  }
  return {
    clock: set,
    step: (millis: number) => {
      offset += millis
    },
  }
})

describe("a clock that is set while a caller waits", () => {
  /** A call with `ask` whose first lookup lands once `first` is let go, after the clock was set by `step`. */
  const landsAfter = Effect.fnUntraced(function* (
    step: number,
    options: Larder.GetOptions,
    isOvertaken = true,
  ) {
    yield* TestClock.adjust("10 hours")
    const { clock, step: set } = yield* settable
    const first = yield* Deferred.make<void>()
    let lookups = 0
    const larder = yield* Larder.make({
      name: "set",
      policy: Policy.make({ freshFor: "1 hour", hardTimeout: "1 second" }),
      tags: () => ["all"],
      upstream: Upstream.make({
        lookup: (_: string) =>
          Effect.suspend(() => {
            lookups += 1
            if (lookups > 100) return Effect.never
            return Effect.as(lookups === 1 ? Deferred.await(first) : Effect.sleep(10), lookups)
          }),
      }),
    }).pipe(Effect.provideService(Clock.Clock, clock))
    const leading = yield* fork(larder.get("a"))
    if (isOvertaken) yield* larder.invalidateTags(["all"])
    const call = yield* fork(larder.get("a", options))
    set(step)
    yield* Deferred.succeed(first, undefined)
    yield* TestClock.adjust("5 seconds")
    yield* Fiber.await(leading)
    return { exit: call.pollUnsafe(), lookups }
  })

  it.effect("back: a caller that wants nothing old is content with a lookup that it caused", () =>
    Effect.gen(function* () {
      const { exit, lookups } = yield* landsAfter(-3_600_000, { maxAge: 0 })
      assert.deepStrictEqual(exit, Exit.succeed(2))
      assert.strictEqual(lookups, 2)
    }).pipe(Effect.scoped, Effect.provide(memory)),
  )

  it.effect("back: a caller that wants nothing old is content with a lookup that it joined", () =>
    Effect.gen(function* () {
      const { exit, lookups } = yield* landsAfter(-3_600_000, { maxAge: 0 }, false)
      assert.deepStrictEqual(exit, Exit.succeed(1))
      assert.strictEqual(lookups, 1)
    }).pipe(Effect.scoped, Effect.provide(memory)),
  )

  it.effect("forward: a caller whose lookup was overtaken still waits for the next", () =>
    Effect.gen(function* () {
      const { exit } = yield* landsAfter(3_600_000, {})
      assert.deepStrictEqual(exit, Exit.succeed(2))
    }).pipe(Effect.scoped, Effect.provide(memory)),
  )
})

describe("calls that wait for a second lookup", () => {
  it.effect("end in time, one by one and many together, and are counted once", () =>
    Effect.gen(function* () {
      const larder = yield* Larder.make({
        name: "twice",
        policy: Policy.make({ freshFor: "1 minute", hardTimeout: 1_000, tierBudget: 200 }),
        tags: () => ["all"],
        upstream: Upstream.make({ lookup: (_: string) => Effect.as(Effect.sleep(900), 1) }),
      })
      yield* fork(larder.get("a"))
      yield* larder.invalidateTags(["all"])
      const one = yield* fork(Effect.exit(larder.get("a", { stale: "never" })))
      const many = yield* fork(larder.getMany(["a"]))
      yield* TestClock.adjust(1_199)
      assert.isUndefined(one.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.include(String(yield* Fiber.join(one)), "LookupTimeout")
      // What was overtaken is still better than nothing.
      const found = many.pollUnsafe()
      assert.deepStrictEqual(found, Exit.succeed(new Map([["a", Exit.succeed(1)]])))
      const { coalesced, failures, misses, staleServed } = yield* larder.stats
      assert.deepStrictEqual([misses, coalesced, failures, staleServed], [3, 2, 1, 1])
    }).pipe(Effect.scoped, Effect.provide(memory)),
  )

  it.effect(
    "get what a tier has in error grace, however many refreshes they joined that failed",
    () =>
      Effect.gen(function* () {
        const shared = Layer.succeedContext(yield* Layer.build(faultyTier(new Faults())))
        let isDown = false
        const make = Larder.make({
          name: "refreshed",
          value: Schema.Finite,
          policy: Policy.make({ freshFor: 100, staleIfError: "1 minute", hardTimeout: 1_000 }),
          upstream: Upstream.make({
            lookup: (_: string) =>
              isDown ? Effect.andThen(Effect.sleep(500), Effect.fail("down")) : Effect.succeed(1),
          }),
        }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer(), shared)))
        const writer = yield* fork(Effect.flatMap(make, (larder) => larder.get("a")))
        yield* TestClock.adjust(300)
        yield* Fiber.join(writer)
        isDown = true
        const larder = yield* make
        yield* fork(Effect.exit(larder.refresh("a")))
        const call = yield* fork(larder.get("a"))
        yield* TestClock.adjust(100)
        yield* fork(Effect.exit(larder.refresh("a")))
        for (let i = 0; i < 40; i += 1) yield* TestClock.adjust(50)
        assert.deepStrictEqual(call.pollUnsafe(), Exit.succeed(1))
      }).pipe(Effect.scoped),
  )

  it.effect("fail once, also where what the caller does then makes its lookup fail", () =>
    Effect.gen(function* () {
      const first = yield* Deferred.make<void, string>()
      const second = yield* Deferred.make<void, string>()
      let lookups = 0
      const larder = yield* Larder.make({
        name: "fails",
        policy: Policy.make({ freshFor: "1 minute", hardTimeout: 1_000 }),
        tags: () => ["all"],
        upstream: Upstream.make({
          lookup: (_: string) =>
            Effect.suspend(() => {
              lookups += 1
              return Deferred.await(lookups === 1 ? first : second)
            }),
        }),
      })
      yield* fork(larder.get("a"))
      yield* larder.invalidateTags(["all"])
      const call = yield* fork(
        Effect.onError(larder.get("a", { stale: "never" }), () => Deferred.fail(second, "gone")),
      )
      yield* TestClock.adjust(900)
      yield* Deferred.succeed(first, undefined)
      yield* TestClock.adjust("10 seconds")
      assert.include(String(call.pollUnsafe()), "LookupTimeout")
      assert.strictEqual((yield* larder.stats).failures, 1)
    }).pipe(Effect.scoped, Effect.provide(memory)),
  )
})

describe("waking", () => {
  it.effect(
    "a caller that makes others leave on being given something stale is the only one counted",
    () =>
      Effect.gen(function* () {
        const faults = new Faults()
        const shared = Layer.succeedContext(yield* Layer.build(faultyTier(faults)))
        const make = Larder.make({
          name: "leaving",
          value: Schema.Finite,
          policy: Policy.make({ freshFor: 100, staleWhileRevalidate: "10 seconds" }),
          upstream: Upstream.make({ lookup: (_: string) => Effect.as(Effect.sleep(50), 1) }),
        }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer(), shared)))
        const writer = yield* fork(Effect.flatMap(make, (larder) => larder.get("a")))
        yield* TestClock.adjust(300)
        yield* Fiber.join(writer)
        const larder = yield* make
        faults.turn("slow", "reads")
        const others: Array<Fiber.Fiber<unknown, unknown>> = []
        const leave = Effect.sync(() => {
          for (const other of others) other.interruptUnsafe()
        })
        const first = yield* fork(Effect.tap(larder.get("a"), leave))
        for (let i = 0; i < 3; i += 1) others.push(yield* fork(larder.get("a")))
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(first.pollUnsafe(), Exit.succeed(1))
        assert.strictEqual((yield* larder.stats).staleServed, 1)
      }).pipe(Effect.scoped),
  )

  it.effect("what one caller's observer throws does not keep the others from their value", () =>
    Effect.gen(function* () {
      const larder = yield* Larder.make({
        name: "throws",
        policy: Policy.make({ freshFor: "1 minute" }),
        upstream: Upstream.make({ lookup: (_: string) => Effect.as(Effect.sleep(50), 1) }),
      })
      const one = yield* fork(larder.get("a"))
      one.addObserver(() => {
        throw new Error("an observer")
      })
      const other = yield* fork(larder.get("a"))
      yield* Effect.exit(TestClock.adjust(100))
      assert.deepStrictEqual(other.pollUnsafe(), Exit.succeed(1))
      assert.strictEqual((yield* larder.stats).inFlight, 0)
    }).pipe(Effect.scoped, Effect.provide(memory)),
  )
})

it.effect("law 7: the message of a node's own commit does not detach the lookup after it", () => {
  const faults = new Faults()
  const asked: Array<string> = []
  return Effect.gen(function* () {
    yield* TestClock.setTime(1_790_000_000_000)
    const larder = yield* Larder.make({
      name: "own commit",
      value: Schema.Finite,
      policy: Policy.make({ freshFor: "1 second" }),
      tags: () => ["y"],
      upstream: Upstream.make({
        lookup: (key: string) =>
          Effect.suspend(() => Effect.delay(Effect.succeed(asked.push(key)), 100)),
      }),
    })
    yield* fork(larder.get("k"))
    yield* larder.invalidateTags(["y"], { keepStale: false })
    yield* TestClock.adjust(50)
    // The arbiter applies each request and publishes its message, and this node gets no answer.
    faults.turn("failAfter", "all")
    const overtaken = yield* fork(larder.get("k"))
    yield* TestClock.adjust(50)
    const later = yield* fork(larder.get("k"))
    yield* TestClock.adjust(100)
    faults.turn("none", "all")
    // The larder replays what the arbiter has missed, and can close.
    yield* TestClock.adjust("10 seconds")
    assert.deepStrictEqual(yield* Fiber.join(overtaken), 2)
    assert.deepStrictEqual(yield* Fiber.join(later), 2)
    assert.deepStrictEqual(asked, ["k", "k"])
  }).pipe(Effect.provide(TierStack.layer(faultyTier(faults))))
})
