/** A node that only writes hears of marks too. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"

it.effect(
  "law 12: what a node sets after another's invalidation is fresh, though it reads nothing",
  () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const shared = yield* Layer.build(Layer.fresh(MemoryTier.layerShared))
      const node = Larder.make({
        name: "writers",
        value: Schema.Finite,
        tags: () => ["all"],
        upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(0) }),
        policy: Policy.make({ freshFor: "1 hour" }),
      }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer(), Layer.succeedContext(shared))))
      const writer = yield* node
      yield* writer.set("a", 1)
      const other = yield* node
      yield* other.invalidateTags(["all"])
      yield* TestClock.adjust("5 seconds")
      yield* writer.set("b", 2)
      expect((yield* other.read("b")).freshness).toEqual({ _tag: "Fresh" })
      expect(yield* other.get("b")).toBe(2)
    }).pipe(Effect.scoped),
)
