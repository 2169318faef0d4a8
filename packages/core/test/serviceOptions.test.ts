/** The options of a service may be an effect: the layer has its errors and requirements. */
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Config, ConfigProvider, Context, Effect, Exit, Layer, Schema } from "effect"

const memory = TierStack.layer(MemoryTier.layer())

const environment = (env: Record<string, string>) =>
  ConfigProvider.layer(ConfigProvider.fromEnv({ env }))

class Words extends Context.Service<
  Words,
  { readonly length: (word: string) => Effect.Effect<number> }
>()("test/Words") {}

class Lengths extends Larder.Service<Lengths>()(
  "test/Lengths",
  Effect.gen(function* () {
    const freshFor = yield* Config.Duration("FRESH_FOR")
    const words = yield* Words
    return {
      value: Schema.Finite,
      key: (word: { readonly text: string }) => word.text,
      upstream: Upstream.make({
        lookup: ({ text }: { readonly text: string }) => words.length(text),
      }),
      policy: Policy.make({ freshFor }),
    }
  }),
) {}

const words = Layer.succeed(Words, { length: (word) => Effect.succeed(word.length) })

const layer = (env: Record<string, string>) =>
  Lengths.layer.pipe(Layer.provide([memory, words, environment(env)]))

describe("options that are an effect", () => {
  it.effect("make the larder, named after the service", () =>
    Effect.gen(function* () {
      expect(yield* Lengths.get({ text: "abc" })).toBe(3)
      const { entry } = yield* Lengths.getWithMeta({ text: "abc" })
      expect(entry.freshUntil - entry.storedAt).toBe(90_000)
      expect((yield* Lengths.stats).name).toBe("test/Lengths")
    }).pipe(Effect.provide(layer({ FRESH_FOR: "90 seconds" }))),
  )

  it.effect("fail the layer with their own error", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Layer.build(layer({})).pipe(Effect.scoped))
      expect(Exit.isFailure(exit)).toBe(true)
      expect(JSON.stringify(exit)).toContain("FRESH_FOR")
    }),
  )

  it("say so in the types", () => {
    expectTypeOf(Lengths.layer).toEqualTypeOf<
      Layer.Layer<Lengths, Config.ConfigError, TierStack.TierStack | Words>
    >()
    expectTypeOf(Lengths.get({ text: "abc" })).toEqualTypeOf<
      Effect.Effect<number, Larder.LarderError, Lengths>
    >()
  })

  it.effect("need no schema and no key function where options themselves need none", () => {
    class Plain extends Larder.Service<Plain>()(
      "test/Plain",
      Effect.succeed({
        upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
        policy: Policy.make({ freshFor: "1 minute" }),
      }),
    ) {}
    expectTypeOf(Plain.layer).toEqualTypeOf<Layer.Layer<Plain, never, TierStack.TierStack>>()
    return Effect.gen(function* () {
      expect(yield* Plain.get("ab")).toBe(2)
    }).pipe(Effect.provide(Plain.layer.pipe(Layer.provide(memory))))
  })
})
