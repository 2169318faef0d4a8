/** A version without room above it, in a tier: nothing newer may be kept out by it. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Envelope, Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "../src/index.ts"

const end = 2 ** 53 - 2

/** A shared tier that answers every read with versions at the end of the numbers, as long as `damages`. */
const damaging = (state: { damages: boolean }, hasArbiter: boolean) =>
  Layer.effect(
    Tier.Tier,
    Effect.gen(function* () {
      const built = yield* Layer.build(Layer.fresh(MemoryTier.layerShared))
      const tier = Context.get(built, Tier.Tier)
      if (tier.kind !== "bytes") throw new Error("a byte tier")
      const damaged = (bytes: Uint8Array | undefined) =>
        bytes && state.damages ? Envelope.withVersion(bytes, end) : bytes
      return {
        ...tier,
        open: (options: Parameters<typeof tier.open>[0]) =>
          Effect.map(tier.open(options), (store) => ({
            ...store,
            read: (keys: ReadonlyArray<string>) =>
              Effect.map(store.read(keys), (found) => found.map(damaged)),
            arbiter: hasArbiter ? store.arbiter : undefined,
          })),
      }
    }),
  )

describe("an entry with a version at the end of the numbers", () => {
  for (const hasArbiter of [true, false]) {
    for (const change of ["refresh", "set", "remove", "expire"] as const) {
      it.effect(`law 13: gives way to ${change}${hasArbiter ? "" : ", without an arbiter"}`, () =>
        Effect.gen(function* () {
          const state = { damages: true }
          const tier = Layer.succeedContext(yield* Layer.build(damaging(state, hasArbiter)))
          let n = 0
          const make = Larder.make({
            name: "texts",
            value: Schema.String,
            upstream: Upstream.make({
              lookup: (key: string) => Effect.sync(() => `${key} ${++n}`),
            }),
            policy: Policy.make({ freshFor: "1 hour", staleIfError: "1 hour" }),
          }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer(), tier)))
          yield* Effect.scoped(Effect.flatMap(make, (larder) => larder.get("k")))
          const larder = yield* make
          // Without an arbiter what is from before is looked up again.
          const newer = hasArbiter ? "k 2" : "k 3"
          assert.strictEqual(yield* larder.get("k"), hasArbiter ? "k 1" : "k 2")
          state.damages = false
          if (change === "refresh") assert.strictEqual(yield* larder.refresh("k"), newer)
          else if (change === "set") assert.isTrue((yield* larder.set("k", newer)).settled)
          else assert.isTrue((yield* larder[change]("k")).settled)
          assert.strictEqual(yield* larder.get("k"), newer)
          assert.strictEqual(yield* larder.get("k"), newer)
          assert.isTrue((yield* larder.set("k", "set")).settled)
          assert.strictEqual(yield* larder.get("k"), "set")
        }),
      )
    }
  }
})
