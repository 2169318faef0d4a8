/** Law 9 in a process whose event loop was blocked: a deadline noticed late does not mean that no answer has arrived. */
import { assert, describe, it } from "@effect/vitest"
import { Deadline, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { Faults, layer as faultyTier } from "./support/faultyTier.ts"
import { type WallClock, wallClock } from "./support/wallClock.ts"

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  "memory and shared": () =>
    TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared)),
}

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** A larder whose lookups end when `answered` does, on a clock that can go on while nothing runs. */
const make = Effect.fnUntraced(function* (policy: Partial<Policy.Options> = {}) {
  const wall = yield* wallClock
  const answered = yield* Deferred.make<number, string>()
  const larder = yield* Larder.make({
    name: "busy",
    value: Schema.Finite,
    tags: () => ["all"],
    policy: Policy.make({ freshFor: "1 minute", hardTimeout: "2 seconds", ...policy }),
    upstream: Upstream.make({ lookup: (_: string) => Deferred.await(answered) }),
  }).pipe(Effect.provideService(Clock.Clock, wall.clock))
  return { answered, larder, wall }
})

/**
 * The loop is blocked for so long: what would have been woken meanwhile is woken
 * then. A larder sleeps for a second at a time.
 */
const noticedAt = (millis: number, { block }: WallClock) =>
  Effect.suspend(() => {
    block(millis - 1_000)
    return TestClock.adjust(1_000)
  })

const endOf = (fiber: Fiber.Fiber<unknown, unknown>) => {
  const exit = fiber.pollUnsafe()
  if (exit === undefined) return "waits"
  return Exit.isSuccess(exit) ? exit.value : String(exit.cause)
}

for (const [name, stack] of Object.entries(stacks)) {
  describe(name, () => {
    it.effect.each(["get", "refresh", "getMany"] as const)(
      "law 9: a lookup that was answered while the loop was blocked for 3 s gives its value: %s",
      (how) =>
        Effect.gen(function* () {
          const { answered, larder, wall } = yield* make()
          const call = yield* fork(
            how === "getMany"
              ? Effect.flatMap(larder.getMany(["a"]), (found) => found.get("a")!)
              : larder[how]("a"),
          )
          yield* noticedAt(3_000, wall)
          assert.strictEqual(endOf(call), "waits")
          yield* Deferred.succeed(answered, 1)
          yield* Effect.yieldNow
          assert.strictEqual(endOf(call), 1)
          assert.strictEqual((yield* larder.stats).lookupsTimedOut, 0)
        }).pipe(Effect.scoped, Effect.provide(stack())),
    )

    it.effect(
      "law 9: it is given up after as long again as it was late, at most its own length",
      () =>
        Effect.gen(function* () {
          const { larder, wall } = yield* make()
          const brief = yield* fork(larder.get("a"))
          yield* noticedAt(3_000, wall)
          yield* TestClock.adjust(999)
          assert.strictEqual(endOf(brief), "waits")
          yield* TestClock.adjust(1)
          assert.include(endOf(brief), "LookupTimeout")
          const long = yield* fork(larder.get("b"))
          yield* noticedAt(60_000, wall)
          yield* TestClock.adjust(1_999)
          assert.strictEqual(endOf(long), "waits")
          yield* TestClock.adjust(1)
          assert.include(endOf(long), "LookupTimeout")
        }).pipe(Effect.scoped, Effect.provide(stack())),
    )

    it.effect("law 9: once, and not for a few milliseconds", () =>
      Effect.gen(function* () {
        const { larder, wall } = yield* make()
        const call = yield* fork(larder.get("a"))
        yield* noticedAt(3_000, wall)
        yield* noticedAt(2_000, wall)
        assert.include(endOf(call), "LookupTimeout")
        const other = yield* fork(larder.get("b"))
        yield* noticedAt(2_010, wall)
        assert.include(endOf(other), "LookupTimeout")
      }).pipe(Effect.scoped, Effect.provide(stack())),
    )

    it.effect("law 9: a caller whose second lookup is answered meanwhile gets its value", () =>
      Effect.gen(function* () {
        const wall = yield* wallClock
        const [first, second] = [yield* Deferred.make<number>(), yield* Deferred.make<number>()]
        let lookups = 0
        const larder = yield* Larder.make({
          name: "busy",
          value: Schema.Finite,
          tags: () => ["all"],
          policy: Policy.make({ freshFor: "1 minute", hardTimeout: "2 seconds", tierBudget: 200 }),
          upstream: Upstream.make({
            lookup: (_: string) =>
              Effect.suspend(() => Deferred.await((lookups += 1) === 1 ? first : second)),
          }),
        }).pipe(Effect.provideService(Clock.Clock, wall.clock))
        yield* fork(larder.get("a"))
        yield* larder.invalidateTags(["all"])
        const call = yield* fork(larder.get("a", { stale: "never" }))
        yield* TestClock.adjust(1_000)
        yield* Deferred.succeed(first, 1)
        // Long enough to find the lease of the first given back.
        yield* TestClock.adjust(100)
        assert.strictEqual(lookups, 2)
        // It has waited for 1 s of what it may wait for: tierBudget, a lease, and hardTimeout.
        yield* noticedAt(name === "memory" ? 1_700 : 11_700, wall)
        assert.strictEqual(endOf(call), "waits")
        yield* Deferred.succeed(second, 2)
        yield* TestClock.adjust(1)
        assert.strictEqual(endOf(call), 2)
      }).pipe(Effect.scoped, Effect.provide(stack())),
    )

    it.effect("law 22: one that was put off is given up when the larder closes", () =>
      Effect.gen(function* () {
        const { call } = yield* Effect.scoped(
          Effect.gen(function* () {
            const { larder, wall } = yield* make()
            const call = yield* fork(larder.get("a"))
            yield* noticedAt(3_000, wall)
            return { call }
          }),
        )
        assert.include(endOf(call), "LarderClosed")
      }).pipe(Effect.provide(stack())),
    )
  })
}

describe("tier steps", () => {
  it.effect("law 14: a tier that answered while the loop was blocked has answered in time", () => {
    const faults = new Faults()
    return Effect.gen(function* () {
      const { answered, larder, wall } = yield* make({ tierTimeout: 100 })
      yield* Deferred.succeed(answered, 1)
      yield* larder.get("a")
      faults.turn("tooSlow", "reads")
      // It takes 150 ms: 50 more than it has, of which the node was busy.
      const call = yield* fork(larder.get("a"))
      wall.block(60)
      yield* TestClock.adjust(100)
      assert.strictEqual(endOf(call), "waits")
      yield* TestClock.adjust(50)
      assert.strictEqual(endOf(call), 1)
      const { lookups, tierFailures } = yield* larder.stats
      assert.deepStrictEqual([lookups, tierFailures], [1, 0])
    }).pipe(Effect.scoped, Effect.provide(TierStack.layer(faultyTier(faults))))
  })
})

describe("Deadline.hard", () => {
  const bounded = <A, E>(effect: Effect.Effect<A, E>) =>
    Deadline.hard(effect, { after: "2 seconds", onTimeout: () => Effect.fail("too slow") })

  it.effect("law 9: what was answered while the loop was blocked is given", () =>
    Effect.gen(function* () {
      const wall = yield* wallClock
      const answered = yield* Deferred.make<number>()
      const call = yield* fork(
        Effect.provideService(bounded(Deferred.await(answered)), Clock.Clock, wall.clock),
      )
      wall.block(1_000)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(endOf(call), "waits")
      yield* Deferred.succeed(answered, 1)
      yield* Effect.yieldNow
      assert.strictEqual(endOf(call), 1)
    }),
  )

  it.effect("law 9: what was not is given up, after as long again as it was late", () =>
    Effect.gen(function* () {
      const wall = yield* wallClock
      const call = yield* fork(
        Effect.provideService(bounded(Effect.never), Clock.Clock, wall.clock),
      )
      wall.block(1_000)
      yield* TestClock.adjust(2_999)
      assert.strictEqual(endOf(call), "waits")
      yield* TestClock.adjust(1)
      assert.include(endOf(call), "too slow")
    }),
  )
})
