import { describe, expect, it } from "@effect/vitest"
import { Larder, Policy, Upstream } from "@larder/core"
import { LarderTest, Timeline } from "@larder/testing"
import { Effect, Exit, Layer, Schema, SchemaGetter } from "effect"
import { failureOf, Prices } from "./support/shop.ts"

interface Id {
  readonly shop: string
  readonly number: number
}

const asks = <K>() => Upstream.make<K, number, "down">({ lookup: (_: K) => Effect.die("asked") })
const options = { policy: Policy.make({ freshFor: "1 minute" }) }

class ByText extends Larder.Service<ByText>()("shop/ByText", {
  ...options,
  upstream: asks<string>(),
  tags: (price: number) => [price > 100 ? "dear" : "cheap"],
  revision: (price: number) => price,
}) {}

class ById extends Larder.Service<ById>()("shop/ById", {
  ...options,
  upstream: asks<Id>(),
  key: ({ number, shop }) => `${shop}/${number}`,
}) {}

class ByNumber extends Larder.Service<ByNumber>()("shop/ByNumber", {
  ...options,
  upstream: asks<number>(),
}) {}

class Sku extends Schema.Class<Sku>("Sku")({ shop: Schema.String, number: Schema.Finite }) {}
const skuText = Schema.TemplateLiteralParser([Schema.String, "/", Schema.Finite]).pipe(
  Schema.decodeTo(Schema.toType(Sku), {
    decode: SchemaGetter.transform(
      ([shop, , number]: readonly [string, "/", number]) => new Sku({ shop, number }),
    ),
    encode: SchemaGetter.transform(
      ({ number, shop }: Sku) => [shop, "/" as const, number] as const,
    ),
  }),
)

class BySku extends Larder.Service<BySku>()("shop/BySku", {
  ...options,
  upstream: asks<Sku>(),
  key: skuText,
}) {}

class BySkuFromEffect extends Larder.Service<BySkuFromEffect>()(
  "shop/BySkuFromEffect",
  Effect.succeed({ ...options, upstream: asks<Sku>(), key: skuText }),
) {}

class FromEffect extends Larder.Service<FromEffect>()(
  "shop/FromEffect",
  Effect.succeed({ ...options, upstream: asks<Id>(), key: ({ number }: Id) => `${number}` }),
) {}

describe("a stub", () => {
  it.effect("gives its values through every method", () =>
    Effect.gen(function* () {
      expect(yield* ByText.get("milk")).toBe(120)
      expect(yield* ByText.get("milk", { maxAge: 0 })).toBe(120)
      expect(yield* ByText.getMany(["milk", "eggs"])).toEqual(
        new Map([
          ["milk", Exit.succeed(120)],
          ["eggs", Exit.succeed(31)],
        ]),
      )
      expect((yield* ByText.getWithMeta("milk")).entry.tags).toEqual(["dear"])
      expect((yield* ByText.read("milk")).entry?.value).toBe(120)
      expect(yield* ByText.refresh("milk")).toBe(120)
      expect((yield* ByText.set("milk", 130)).settled).toBe(true)
      expect(yield* ByText.get("milk")).toBe(130)
      expect((yield* ByText.set("milk", 1)).refused).toBe(true)
      yield* ByText.invalidateTags("dear")
      expect(yield* ByText.get("milk")).toBe(130)
      yield* ByText.remove("milk")
      expect(yield* ByText.get("milk")).toBe(120)
      yield* ByText.expire("milk")
      yield* ByText.clear()
      expect(yield* ByText.has("bread")).toBe(false)
      expect((yield* ByText.stats).name).toBe("shop/ByText")
    }).pipe(Effect.provide(LarderTest.stub(ByText, { milk: 120, eggs: 31 }))),
  )

  it.effect("keeps what is set, also without a value before", () =>
    Effect.gen(function* () {
      yield* ByText.set("bread", 3)
      expect(yield* ByText.get("bread")).toBe(3)
    }).pipe(Effect.provide(LarderTest.stub(ByText, {}))),
  )

  it.effect("keeps all that is set, beyond the bound of a memory tier", () =>
    Effect.gen(function* () {
      const keys = Array.from({ length: 10_001 }, (_, index) => `k${index}`)
      yield* Effect.forEach(keys, (key) => ByText.set(key, 1), { discard: true })
      expect((yield* ByText.getMany(keys)).size).toBe(keys.length)
    }).pipe(Effect.provide(LarderTest.stub(ByText, {}))),
  )

  it.effect("finds values by the text of the larder's key, and by numbers", () =>
    Effect.gen(function* () {
      expect(yield* ById.get({ shop: "north", number: 3 })).toBe(7)
      expect(yield* ByNumber.get(4)).toBe(8)
    }).pipe(
      Effect.provide([
        LarderTest.stub(ById, { "north/3": 7 }),
        LarderTest.stub(ByNumber, { 4: 8 }),
      ]),
    ),
  )

  it.effect("finds values by the text of the larder's schema of keys, and has the schema", () =>
    Effect.gen(function* () {
      const sku = new Sku({ shop: "north", number: 3 })
      expect(yield* BySku.get(sku)).toBe(7)
      expect((yield* BySku).keySchema).toBe(skuText)
      expect(yield* BySkuFromEffect.get(sku)).toBe(8)
      expect((yield* BySkuFromEffect).keySchema).toBe(skuText)
      const invalid = yield* Effect.flip(BySku.get({ shop: "north", number: 3 }))
      expect(invalid).toMatchObject({ _tag: "InvalidKey", key: '{"shop":"north","number":3}' })
    }).pipe(
      Effect.provide([
        LarderTest.stub(BySku, { "north/3": 7 }),
        LarderTest.stub(BySkuFromEffect, { "north/3": 8 }, { key: skuText }),
      ]),
    ),
  )

  it.effect("gives failures as the upstream would", () =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(ByText.get("milk"))).toBe("down")
    }).pipe(Effect.provide(LarderTest.stub(ByText, { milk: Exit.fail("down") }))),
  )

  it.effect("fails the test for a key without a value, with its name", () =>
    Effect.gen(function* () {
      const text =
        "NotStubbed: LarderTest.stub: shop/ByText has no value for the key bread; it has milk"
      expect(yield* failureOf(ByText.get("bread"))).toBe(text)
      expect(yield* failureOf(ByText.refresh("bread"))).toBe(text)
      expect(yield* failureOf(ByText.getWithMeta("bread"))).toBe(text)
      expect(yield* failureOf(ByText.getMany(["milk", "bread"]))).toBe(text)
      expect(yield* failureOf(ByText.get("toString"))).toContain("for the key toString")
    }).pipe(Effect.provide(LarderTest.stub(ByText, { milk: 1 }))),
  )

  it.effect("takes a key function where the options come from an effect", () =>
    Effect.gen(function* () {
      const id = { shop: "north", number: 3 }
      const get = FromEffect.get(id)
      expect(
        yield* failureOf(Effect.provide(get, LarderTest.stub(FromEffect, { 3: 7 }))),
      ).toContain("a key of which the kit knows no text; give stub a `key` function")
      const stub = LarderTest.stub(FromEffect, { 3: 7 }, { key: ({ number }) => `${number}` })
      expect(yield* Effect.provide(get, stub)).toBe(7)
    }),
  )

  it.effect("needs no services of the larder it replaces", () =>
    Effect.gen(function* () {
      expect(yield* Prices.get("milk")).toBe(1)
    }).pipe(Effect.provide(LarderTest.stub(Prices, { milk: 1 }))),
  )

  it.effect("is in the timeline of the test", () =>
    Effect.gen(function* () {
      yield* Prices.get("milk")
      yield* Timeline.expect("milk").lookups(1)
    }).pipe(
      Effect.provide(Layer.provideMerge(LarderTest.stub(Prices, { milk: 1 }), LarderTest.layer)),
    ),
  )
})
