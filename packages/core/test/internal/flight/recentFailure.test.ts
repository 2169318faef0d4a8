/** Failures that are known already: of another node, which upstream has just refused. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { Context, Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Faults, wayToShared } from "../../support/faultyTier.ts"

it.effect.each([
  ["fails", Effect.fail("down")],
  ["dies", Effect.die("a defect")],
] as const)(
  "law 3: where another node's lookup %s, what is stale is given for a while without asking the arbiter again",
  ([_how, failure]) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const built = yield* Layer.build(Layer.fresh(MemoryTier.layerShared))
      const shared = Layer.succeed(Tier.Tier, Context.get(built, Tier.Tier))
      let asked = 0
      const join = (way: Faults) =>
        Layer.build(TierStack.layer(MemoryTier.layer(), wayToShared(way, shared))).pipe(
          Effect.flatMap((stack) =>
            Effect.provide(
              Larder.make({
                name: "held back",
                value: Schema.Finite,
                upstream: Upstream.make({
                  lookup: (_: string) =>
                    Effect.suspend(() => {
                      asked += 1
                      return failure
                    }),
                }),
                policy: Policy.make({
                  freshFor: "10 seconds",
                  staleIfError: "1 hour",
                  retryAfterFailure: "1 second",
                }),
              }),
              stack,
            ),
          ),
        )
      const way = new Faults()
      const [a, b] = [yield* join(new Faults()), yield* join(way)]
      yield* a.set("k", 1)
      expect(yield* b.get("k")).toBe(1)
      yield* TestClock.adjust("10 seconds")
      expect(yield* a.get("k")).toBe(1)
      yield* TestClock.adjust(100)
      const acquired: Array<number> = []
      // Upstream failed at 0 ms: until 1,000 ms it is left alone.
      for (const millis of [0, 400, 499, 1]) {
        yield* TestClock.adjust(millis)
        way.trips.length = 0
        expect(yield* b.get("k")).toBe(1)
        acquired.push(way.trips.filter((trip) => trip === "acquire").length)
      }
      expect([acquired, asked]).toEqual([[1, 0, 0, 1], 2])
      expect((yield* b.stats).inFlight).toBe(0)
    }).pipe(Effect.scoped),
)
