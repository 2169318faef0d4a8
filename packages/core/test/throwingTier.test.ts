/** A tier whose operations throw, die or answer nonsense is a tier that fails (law 14). */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"

const broken = {
  throws: () => {
    throw new Error("broken")
  },
  dies: () => Effect.die("broken"),
  "gives no effect": () => undefined as never,
  "answers nothing": () => Effect.succeed(undefined as never),
} as const

/** The shared tier, or the same without its arbiter, as a file, with every operation broken. */
const tierOf = (
  operation: () => Effect.Effect<never>,
  arbitrates: boolean,
): Layer.Layer<Tier.Tier> =>
  Layer.effect(
    Tier.Tier,
    Effect.map(Tier.Tier, (tier) => {
      if (tier.kind !== "bytes") throw new Error("the shared tier keeps bytes")
      return {
        ...tier,
        ...(arbitrates ? undefined : { name: "file" }),
        open: (options: { readonly larder: string }) =>
          Effect.map(tier.open(options), ({ arbiter }): Tier.ByteStore => {
            const all = {
              acquire: operation,
              renew: operation,
              release: operation,
              commit: operation,
              write: operation,
              mark: operation,
              marks: operation,
            }
            return {
              read: operation,
              put: operation,
              drop: operation,
              arbiter:
                arbitrates && arbiter !== undefined
                  ? { ...all, listen: arbiter.listen }
                  : undefined,
            }
          }),
      }
    }),
  ).pipe(Layer.provide(Layer.fresh(MemoryTier.layerShared)))

const cases = Object.entries(broken).flatMap(([how, operation]) =>
  [true, false].flatMap((hasMemory) =>
    [true, false].map((arbitrates) => ({ how, operation, hasMemory, arbitrates })),
  ),
)

describe("law 14: a tier whose operations are broken costs no caller more than waiting", () => {
  it.effect.each(cases)(
    "it $how (memory $hasMemory, arbiter $arbitrates)",
    ({ arbitrates, hasMemory, operation }) => {
      const tier = tierOf(operation, arbitrates)
      const stack = hasMemory ? TierStack.layer(MemoryTier.layer(), tier) : TierStack.layer(tier)
      return Effect.gen(function* () {
        yield* TestClock.setTime(1_790_000_000_000)
        let asked = 0
        const larder = yield* Larder.make({
          name: "broken",
          value: Schema.Finite,
          policy: Policy.make({ freshFor: "1 minute", staleIfError: "1 hour" }),
          upstream: Upstream.make({ lookup: (_: string) => Effect.sync(() => (asked += 1)) }),
          // What the tier missed is not waited for.
          closeTimeout: 0,
        })
        const within = <A, E>(effect: Effect.Effect<A, E>) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.forkChild(Effect.exit(effect), { startImmediately: true })
            yield* TestClock.adjust("1 second")
            expect(fiber.pollUnsafe()).not.toBe(undefined)
            return yield* Fiber.join(fiber)
          })
        expect(yield* within(larder.get("k"))).toEqual(Exit.succeed(1))
        expect(yield* within(larder.get("k"))).toEqual(Exit.succeed(hasMemory ? 1 : 2))
        const exits = yield* within(larder.getMany(["k", "l"]))
        expect(Exit.isSuccess(exits) && [...exits.value.values()].every(Exit.isSuccess)).toBe(true)
        const others: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
          larder.getWithMeta("k"),
          larder.read("k"),
          larder.refresh("k"),
          larder.set("k", 1),
          larder.expire("k"),
          larder.remove("k"),
          larder.invalidateTags(["t"]),
          larder.clear(),
        ]
        for (const one of others) expect(Exit.isSuccess(yield* within(one))).toBe(true)
        expect((yield* larder.stats).inFlight).toBe(0)
      }).pipe(Effect.scoped, Effect.provide(stack))
    },
  )
})
