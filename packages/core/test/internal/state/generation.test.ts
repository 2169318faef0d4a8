/** Law 11: the effect of a change of a key on running lookups. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** Every lookup fails after 100 ms. */
const larderOf = (maxEntries: number) =>
  Larder.make({
    name: "generations",
    value: Schema.Finite,
    upstream: Upstream.make({
      lookup: (key: string) => Effect.delay(Effect.fail(`down: ${key}`), 100),
    }),
    policy: Policy.make({ freshFor: "10 seconds", staleIfError: "1 hour" }),
  }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer({ maxEntries }))))

it.effect("law 11: a lookup that fails gives no value that was removed meanwhile", () =>
  Effect.gen(function* () {
    const larder = yield* larderOf(10)
    yield* larder.set("k", 1)
    yield* TestClock.adjust("10 seconds")
    const caller = yield* fork(Effect.flip(larder.get("k")))
    yield* TestClock.adjust(50)
    yield* larder.remove("k")
    yield* TestClock.adjust(50)
    expect(yield* Fiber.join(caller)).toBe("down: k")
  }).pipe(Effect.scoped),
)

it.effect("the removal of a key takes no stale value from the lookup of another", () =>
  Effect.gen(function* () {
    const larder = yield* larderOf(1)
    yield* larder.set("l", 2)
    yield* TestClock.adjust("10 seconds")
    const caller = yield* fork(larder.get("l"))
    yield* TestClock.adjust(50)
    // Memory has no room for both: the lookup alone still has the value.
    yield* larder.set("k", 1)
    yield* larder.remove("k")
    yield* TestClock.adjust(50)
    expect(yield* Fiber.join(caller)).toBe(2)
  }).pipe(Effect.scoped),
)
