/** An open circuit of upstream, where memory is all there is, and circuits that are not known. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Layer, Schema, Stream } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"

const policy = Policy.make({ freshFor: "1 second", staleIfError: "1 hour" })

/** A source that answers 1, or fails. */
const makeSource = () => {
  const seen = { down: false, asked: 0 }
  const ask = <A>(answer: A) =>
    Effect.suspend((): Effect.Effect<A, string> => {
      seen.asked += 1
      return seen.down ? Effect.fail("down") : Effect.succeed(answer)
    })
  const upstream = Upstream.make({
    lookup: (_: string) => ask(1),
    lookupMany: (keys) => ask(new Map(keys.map((key) => [key, 1]))),
  })
  return { seen, upstream }
}

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  "memory and shared": () =>
    TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared)),
}

for (const [name, stack] of Object.entries(stacks)) {
  describe(`an open circuit (${name})`, () => {
    it.effect("begins no lookup of keys that have something stale, and one of the others", () =>
      Effect.gen(function* () {
        const { seen, upstream } = makeSource()
        const larder = yield* Larder.make({
          name: "outage",
          value: Schema.Finite,
          upstream: Upstream.withCircuitBreaker(upstream, {
            tripPolicy: CircuitBreaker.consecutive(1),
            openDuration: "1 hour",
          }),
          policy,
        })
        yield* larder.getMany(["a", "b"])
        yield* TestClock.adjust("2 seconds")
        seen.down = true
        yield* Effect.exit(larder.refresh("opens the circuit"))
        yield* TestClock.adjust("2 seconds")
        seen.asked = 0
        const { lookups } = yield* larder.stats
        const exits = yield* larder.getMany(["a", "b"])
        expect([...exits.values()]).toEqual([Exit.succeed(1), Exit.succeed(1)])
        expect(yield* larder.get("a")).toBe(1)
        expect((yield* larder.stats).lookups).toBe(lookups)
        expect((yield* larder.stats).inFlight).toBe(0)
        expect(seen.asked).toBe(0)
      }).pipe(Effect.scoped, Effect.provide(stack())),
    )

    it.effect("that was made by hand is asked by the lookup itself", () =>
      Effect.gen(function* () {
        const { seen, upstream } = makeSource()
        const resolved = yield* upstream.resolve
        const state = Effect.succeed({ _tag: "Closed", key: "by hand" } as const)
        const breakers = [{ name: "by hand", state, transitions: Stream.empty }]
        const larder = yield* Larder.make({
          name: "outage",
          value: Schema.Finite,
          upstream: { ...upstream, resolve: Effect.succeed({ ...resolved, breakers }) },
          policy,
        })
        yield* larder.get("a")
        yield* TestClock.adjust("2 seconds")
        expect(yield* larder.get("a")).toBe(1)
        expect([...(yield* larder.getMany(["a", "b"])).values()].every(Exit.isSuccess)).toBe(true)
        expect(seen.asked).toBe(3)
      }).pipe(Effect.scoped, Effect.provide(stack())),
    )
  })
}
