/** What the end of a flight leaves behind: counts, reasons and remembered failures. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Deferred, Effect, Exit, Fiber, Layer, PubSub, Schema } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const memory = () => TierStack.layer(MemoryTier.layer())

/** A source whose answer the test gives, one for each lookup in turn. */
const makeSource = () => {
  const answers: Array<Effect.Effect<number, string>> = []
  let asked = 0
  const lookup = (_: string) => Effect.suspend(() => answers[asked++] ?? Effect.fail("unexpected"))
  return { answers, lookup, asked: () => asked }
}

it.effect(
  "a lookup that a removal has overtaken leaves the failure of a later one remembered",
  () =>
    Effect.gen(function* () {
      const { answers, asked, lookup } = makeSource()
      const slow = yield* Deferred.make<number>()
      answers.push(Deferred.await(slow), Effect.fail("down"))
      const larder = yield* Larder.make({
        name: "overtaken",
        upstream: Upstream.make({ lookup }),
        policy: Policy.make({ freshFor: "1 minute" }),
        failureFor: () => "1 minute",
      })
      const first = yield* fork(larder.get("k"))
      yield* larder.remove("k")
      expect(yield* Effect.flip(larder.get("k"))).toBe("down")
      yield* Deferred.succeed(slow, 1)
      expect(yield* Fiber.join(first)).toBe(1)
      expect(yield* Effect.flip(larder.get("k"))).toBe("down")
      expect(asked()).toBe(2)
    }).pipe(Effect.scoped, Effect.provide(memory())),
)

it.effect("a caller that gets a fresh value in place of a failure counts as no failure", () =>
  Effect.gen(function* () {
    const { answers, lookup } = makeSource()
    const slow = yield* Deferred.make<number, string>()
    answers.push(Deferred.await(slow))
    const larder = yield* Larder.make({
      name: "saved",
      upstream: Upstream.make({ lookup }),
      policy: Policy.make({ freshFor: "1 minute" }),
    })
    const caller = yield* fork(larder.get("k"))
    yield* larder.set("k", 7)
    yield* Deferred.fail(slow, "down")
    expect(yield* Fiber.join(caller)).toBe(7)
    expect((yield* larder.stats).failures).toBe(0)
  }).pipe(Effect.scoped, Effect.provide(memory())),
)

it.effect(
  "a stale value in place of a remembered failure is told with the reason of the failure",
  () =>
    Effect.gen(function* () {
      const { answers, lookup } = makeSource()
      answers.push(Effect.succeed(1), Effect.fail("down"))
      const larder = yield* Larder.make({
        name: "reasons",
        upstream: Upstream.withCircuitBreaker(Upstream.make({ lookup }), {
          tripPolicy: CircuitBreaker.consecutive(1),
          openDuration: "1 hour",
        }),
        policy: Policy.make({
          freshFor: "1 second",
          staleIfError: "1 hour",
          retryAfterFailure: "1 minute",
        }),
      })
      yield* larder.get("k")
      yield* TestClock.adjust("2 seconds")
      expect(yield* larder.get("k")).toBe(1)
      yield* TestClock.adjust("2 minutes")
      const events = yield* larder.subscribe
      // The open circuit refuses the refresh; the next caller comes while that is remembered.
      expect(yield* larder.get("k")).toBe(1)
      expect(yield* larder.get("k")).toBe(1)
      const told = yield* PubSub.takeAll(events)
      const reasons = told.flatMap((event) => (event._tag === "StaleServed" ? [event.reason] : []))
      expect(reasons).toEqual(["breakerOpen", "breakerOpen"])
    }).pipe(Effect.scoped, Effect.provide(memory())),
)

for (const [name, stack] of Object.entries({
  memory,
  "memory and shared": () =>
    TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared)),
})) {
  it.effect(`a closed circuit refuses no refresh of a stale value (${name})`, () =>
    Effect.gen(function* () {
      const { answers, asked, lookup } = makeSource()
      answers.push(Effect.succeed(1), Effect.succeed(2))
      const larder = yield* Larder.make({
        name: "closed circuit",
        value: Schema.Finite,
        upstream: Upstream.withCircuitBreaker(Upstream.make({ lookup })),
        policy: Policy.make({ freshFor: "1 second", staleIfError: "1 hour" }),
      })
      yield* larder.get("k")
      yield* TestClock.adjust("2 seconds")
      expect(yield* larder.get("k")).toBe(2)
      expect(asked()).toBe(2)
    }).pipe(Effect.scoped, Effect.provide(stack())),
  )
}

it.effect("law 3: the soft timeout of a stale value is that of its own policy", () =>
  Effect.gen(function* () {
    const { answers, lookup } = makeSource()
    answers.push(Effect.succeed(1), Effect.never)
    const base = Policy.make({
      freshFor: "1 second",
      staleIfError: "1 hour",
      softTimeout: "20 seconds",
    })
    const larder = yield* Larder.make({
      name: "soft",
      upstream: Upstream.make({ lookup }),
      policy: Policy.adaptive(base, (_, __, base) => ({ ...base, softTimeout: 5_000 })),
    })
    yield* larder.get("k")
    yield* TestClock.adjust("2 seconds")
    const caller = yield* fork(Effect.exit(larder.get("k")))
    yield* TestClock.adjust(4_999)
    expect(caller.pollUnsafe()).toBe(undefined)
    yield* TestClock.adjust(1)
    expect(caller.pollUnsafe()).toEqual(Exit.succeed(Exit.succeed(1)))
  }).pipe(Effect.scoped, Effect.provide(memory())),
)
