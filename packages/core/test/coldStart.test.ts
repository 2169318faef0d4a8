import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"

const stack = () => TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared))

const counting = Effect.gen(function* () {
  let lookups = 0
  const larder = yield* Larder.make({
    name: "cold",
    value: Schema.Finite,
    upstream: Upstream.make({
      lookup: (_: string) => Effect.sync(() => (lookups += 1)),
      lookupMany: (keys) =>
        Effect.sync(() => {
          lookups += 1
          return new Map(keys.map((key) => [key, lookups]))
        }),
    }),
    policy: Policy.make({ freshFor: "10 seconds" }),
  })
  return { larder, lookups: () => lookups }
})

// Far from the epoch the floor of a new arbiter is far above 0, where marks that were never read stand.
const today = <A, E>(body: Effect.Effect<A, E, TierStack.TierStack>) =>
  Effect.andThen(TestClock.setTime(1_790_000_000_000), body.pipe(Effect.provide(stack())))

it.effect(
  "law 12: the first value a node looks up is fresh, though it had never heard of the floor",
  () =>
    today(
      Effect.scoped(
        Effect.gen(function* () {
          const { larder, lookups } = yield* counting
          yield* larder.get("a")
          yield* larder.get("a")
          yield* larder.getMany(["b", "c"])
          yield* larder.getMany(["b", "c"])
          expect(lookups()).toBe(2)
          expect((yield* larder.read("a")).freshness).toEqual({ _tag: "Fresh" })
        }),
      ),
    ),
)

it.effect("law 12: a value set before anything was read is fresh", () =>
  today(
    Effect.scoped(
      Effect.gen(function* () {
        const { larder, lookups } = yield* counting
        yield* larder.set("a", 7)
        expect(yield* larder.get("a")).toBe(7)
        expect(lookups()).toBe(0)
      }),
    ),
  ),
)

it.effect("law 12: a value refreshed before anything was read is fresh, in every node", () =>
  today(
    Effect.gen(function* () {
      const refreshed = Effect.scoped(
        Effect.gen(function* () {
          const { larder, lookups } = yield* counting
          yield* larder.refresh("a")
          yield* larder.get("a")
          expect(lookups()).toBe(1)
        }),
      )
      yield* refreshed
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { larder, lookups } = yield* counting
          yield* larder.get("a")
          expect(lookups()).toBe(0)
        }),
      )
    }),
  ),
)
