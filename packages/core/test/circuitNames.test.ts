/** Circuits have names of their own, and no breaker hides another in `stats`. */
import { assert, describe, it } from "@effect/vitest"
import { InvalidOptions, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Context, Effect, Exit, Layer, Schema } from "effect"
import { CircuitBreaker } from "effect/persistence"

const source = Upstream.make({ lookup: (key: string) => Effect.fail(`no ${key}`) })
const opensAtOnce = { tripPolicy: CircuitBreaker.consecutive(1) }
const policy = Policy.make({ freshFor: "1 hour" })

const dies = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) =>
    Exit.isFailure(exit) && Cause.hasDies(exit.cause) ? Cause.squash(exit.cause) : undefined,
  )

describe("circuits of one upstream", () => {
  it.effect("that have no key get names of their own", () =>
    Effect.gen(function* () {
      const upstream = source.pipe(
        Upstream.withCircuitBreaker(opensAtOnce),
        Upstream.withCircuitBreaker(),
        Upstream.withCircuitBreaker({ key: "outermost" }),
        Upstream.withCircuitBreaker(),
      )
      const larder = yield* Larder.make({ name: "named", upstream, policy })
      yield* Effect.flip(larder.get("a"))
      assert.deepStrictEqual((yield* larder.stats).breakers, {
        upstream: "Open",
        "upstream-2": "Closed",
        outermost: "Closed",
        "upstream-3": "Closed",
      })
    }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer()))),
  )

  it.effect("are circuits of their own in one store", () =>
    Effect.gen(function* () {
      const store = yield* Effect.map(
        Layer.build(CircuitBreaker.layerStoreMemory()),
        Context.get(CircuitBreaker.CircuitBreakerStore),
      )
      const twice = yield* source.pipe(
        Upstream.withCircuitBreaker({ ...opensAtOnce, store }),
        Upstream.withCircuitBreaker({ store }),
      ).resolve
      yield* Effect.flip(twice.lookup("a", undefined))
      const states = yield* Effect.forEach(twice.breakers, ({ name, state }) =>
        Effect.map(state, ({ _tag, key }) => [name, key, _tag]),
      )
      assert.deepStrictEqual(states, [
        ["upstream", "upstream", "Open"],
        ["upstream-2", "upstream-2", "Closed"],
      ])
    }),
  )

  it.effect("with the same key are refused", () =>
    Effect.gen(function* () {
      const named = Upstream.withCircuitBreaker({ key: "prices" })
      const refused = [
        source.pipe(named, Upstream.withConcurrency(1), named),
        source.pipe(
          Upstream.withCircuitBreaker(),
          Upstream.withCircuitBreaker({ key: "upstream" }),
        ),
      ]
      for (const upstream of refused) {
        const error = yield* dies(upstream.resolve)
        assert.instanceOf(error, InvalidOptions)
        assert.strictEqual(error.field, "withCircuitBreaker key")
        assert.include(error.reason, "must differ from the keys of the other circuits")
      }
      const key = yield* source.pipe(named, Upstream.withCircuitBreaker()).resolve
      assert.deepStrictEqual(
        key.breakers.map(({ name }) => name),
        ["prices", "upstream"],
      )
    }),
  )
})

describe("tiers", () => {
  it.effect("of one name have a breaker each in stats", () =>
    Effect.gen(function* () {
      const shared = () => Layer.fresh(MemoryTier.layerShared)
      const larder = yield* Larder.make({
        name: "named",
        value: Schema.String,
        upstream: source,
        policy,
      }).pipe(
        Effect.provide(TierStack.layer(MemoryTier.layer(), shared(), MemoryTier.layer(), shared())),
      )
      const { breakers, tiers } = yield* larder.stats
      assert.deepStrictEqual(tiers, ["memory", "shared", "memory", "shared"])
      assert.deepStrictEqual(Object.keys(breakers), ["shared", "memory", "shared-2"])
    }).pipe(Effect.scoped),
  )

  it.effect("and circuits of one name are refused", () =>
    Effect.gen(function* () {
      const stack = TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared))
      const make = (key: string) =>
        Larder.make({
          name: "named",
          value: Schema.String,
          upstream: source.pipe(Upstream.withCircuitBreaker({ key })),
          policy,
        }).pipe(Effect.provide(stack))
      const error = yield* dies(make("shared"))
      assert.include(error, { module: "Larder", field: "upstream" })
      assert.include(String(error), 'of "named" must have circuits with unique names')
      assert.include(String(error), 'got "shared"')
      // Memory has no circuit that it could be taken for.
      const { breakers } = yield* (yield* make("memory")).stats
      assert.deepStrictEqual(breakers, { memory: "Closed", shared: "Closed" })
    }).pipe(Effect.scoped),
  )

  it.effect("an upstream made by hand may not name two circuits alike either", () =>
    Effect.gen(function* () {
      const { breakers, ...lookups } = yield* Upstream.withCircuitBreaker(source).resolve
      const byHand: typeof source = {
        ...source,
        resolve: Effect.succeed({ ...lookups, breakers: [...breakers, ...breakers] } as never),
      }
      const error = yield* dies(Larder.make({ name: "named", upstream: byHand, policy }))
      assert.include(error, { module: "Larder", field: "upstream" })
    }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer()))),
  )
})
