/** Names of larders: larders of one name share entries in tiers that keep bytes. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Effect, Exit, Layer, Logger, Schema, Scope } from "effect"

const upstream = Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) })
const policy = Policy.make({ freshFor: "1 minute" })
const value = Schema.Finite

const make = (name: string) => Larder.make({ name, value, upstream, policy })

/** The log lines of warnings while the effect runs. */
const warnings = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel === "Warn") lines.push(String(message))
    })
    yield* Effect.provide(effect, Logger.layer([logger]))
    return lines
  })

const shared = () => TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared))

describe("two larders of one name on one stack", () => {
  it.effect("are warned of when the second is made, with the places of both", () =>
    Effect.gen(function* () {
      const lines = yield* warnings(
        Effect.gen(function* () {
          yield* make("twice")
          yield* Larder.make({ name: "twice", value, upstream, policy })
          yield* make("once")
        }),
      )
      expect(lines).toHaveLength(1)
      expect(lines[0]).toContain("twice")
      expect(lines[0]).toContain("Give each larder a different name")
      const places = lines[0]?.match(/names\.test\.ts:\d+:\d+/g) ?? []
      expect(new Set(places).size).toBe(2)
    }).pipe(Effect.scoped, Effect.provide(shared())),
  )

  it.effect("are warned of where a service and a function are larders of one name", () => {
    class Lengths extends Larder.Service<Lengths>()("lengths", { value, upstream, policy }) {}
    return Effect.gen(function* () {
      const lines = yield* warnings(
        Effect.gen(function* () {
          yield* Layer.build(Lengths.layer)
          yield* Larder.fn({ name: "lengths", value, policy })((word: string) =>
            Effect.succeed(word.length),
          )
        }),
      )
      expect(lines[0]?.match(/names\.test\.ts:\d+:\d+/g)).toHaveLength(2)
    }).pipe(Effect.scoped, Effect.provide(shared()))
  })

  it.effect("are warned of where one layer is built twice, until all have closed", () => {
    class Built extends Larder.Service<Built>()("built", { value, upstream, policy }) {}
    return Effect.gen(function* () {
      const lines = yield* warnings(
        Effect.gen(function* () {
          const build = Layer.build(Layer.fresh(Built.layer))
          const scope = yield* Scope.make()
          yield* Scope.provide(build, scope)
          yield* build
          yield* Scope.close(scope, Exit.void)
          yield* build
        }),
      )
      expect(lines).toHaveLength(2)
    }).pipe(Effect.scoped, Effect.provide(shared()))
  })

  it.effect("are not warned of once the first has closed", () =>
    Effect.gen(function* () {
      const lines = yield* warnings(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          yield* Scope.provide(make("again"), scope)
          yield* Scope.close(scope, Exit.void)
          yield* make("again")
        }),
      )
      expect(lines).toEqual([])
    }).pipe(Effect.scoped, Effect.provide(shared())),
  )

  it.effect("are not warned of where memory is all there is: they share nothing", () =>
    Effect.gen(function* () {
      const lines = yield* warnings(Effect.andThen(make("alone"), make("alone")))
      expect(lines).toEqual([])
    }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer(), MemoryTier.layer()))),
  )

  it.effect("are not warned of where nodes with stacks of their own share a tier", () =>
    Effect.gen(function* () {
      const tier = Layer.succeedContext(yield* Layer.build(Layer.fresh(MemoryTier.layerShared)))
      const node = () => Effect.provide(make("node"), TierStack.layer(MemoryTier.layer(), tier))
      expect(yield* warnings(Effect.andThen(node(), node()))).toEqual([])
    }).pipe(Effect.scoped),
  )

  it.effect("are warned of five times at most, however many are made", () =>
    Effect.gen(function* () {
      const lines = yield* warnings(
        Effect.forEach(Array.from({ length: 50 }), () => make("many"), { discard: true }),
      )
      expect(lines).toHaveLength(5)
    }).pipe(Effect.scoped, Effect.provide(shared())),
  )

  it.effect("are warned of five times at most, also where all have closed in between", () =>
    Effect.gen(function* () {
      const twice = Effect.scoped(Effect.andThen(make("again"), make("again")))
      const lines = yield* warnings(
        Effect.forEach(Array.from({ length: 9 }), () => twice, { discard: true }),
      )
      expect(lines).toHaveLength(5)
    }).pipe(Effect.provide(shared())),
  )
})

describe("a name", () => {
  for (const name of ["", " ", "\t\n", undefined as unknown as string]) {
    it.effect(`that says nothing is refused: ${JSON.stringify(name)}`, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(make(name))
        expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({
          _tag: "InvalidOptions",
          module: "Larder",
          field: "name",
        })
      }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer()))),
    )
  }

  it.effect("of a service that has neither name nor id is refused", () => {
    class Nameless extends Larder.Service<Nameless>()("", { value, upstream, policy }) {}
    return Effect.gen(function* () {
      const exit = yield* Effect.exit(Layer.build(Nameless.layer))
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({ field: "name" })
    }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())))
  })
})
