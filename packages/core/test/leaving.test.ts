/** Law 8: when the last caller of a lookup leaves, the lookup is interrupted, however it was begun. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyTier } from "./support/faultyTier.ts"

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  "memory and shared": () => TierStack.layer(MemoryTier.layer(), faultyTier(new Faults())),
  shared: () => TierStack.layer(faultyTier(new Faults())),
  file: () => TierStack.layer(fileLayer(new Faults())),
} as const

const cases = Object.entries(stacks).flatMap(([name, stack]) =>
  [true, false].map((bulk) => ({ name, stack, bulk })),
)

describe("law 8: getMany of a key that a tier has and keys that are looked up", () => {
  it.effect.each(cases)(
    "$name (bulk $bulk): left, the lookups are interrupted",
    ({ bulk, stack }) =>
      Effect.gen(function* () {
        const state = { running: 0, interrupted: 0 }
        const slow = <A>(answer: A) =>
          Effect.suspend(() => {
            state.running += 1
            return Effect.onInterrupt(Effect.delay(Effect.succeed(answer), "1 second"), () =>
              Effect.sync(() => (state.interrupted += 1)),
            )
          })
        const larder = yield* Larder.make({
          name: "left",
          value: Schema.Finite,
          policy: Policy.make({ freshFor: "1 minute" }),
          upstream: Upstream.make({
            lookup: (_: string) => slow(1),
            ...(bulk
              ? { lookupMany: (keys) => slow(new Map(keys.map((key) => [key, 1]))) }
              : undefined),
          }),
        })
        yield* larder.set("there", 1)
        const asking = yield* Effect.forkChild(larder.getMany(["there", "a", "b"]), {
          startImmediately: true,
        })
        yield* TestClock.adjust(10)
        const lookups = bulk ? 1 : 2
        expect(state.running).toBe(lookups)
        asking.interruptUnsafe()
        yield* TestClock.adjust(10)
        expect(state.interrupted).toBe(lookups)
        expect((yield* larder.stats).inFlight).toBe(0)
      }).pipe(Effect.scoped, Effect.provide(stack())),
  )
})
