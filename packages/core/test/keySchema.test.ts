/** Keys by a schema: its encoding is the key in every tier, and its decoding gives keys back. */
import { describe, expect, it } from "@effect/vitest"
import {
  InvalidOptions,
  Larder,
  MemoryTier,
  Outbox,
  OutboxStore,
  Policy,
  TierStack,
  Upstream,
  WriteBehind,
} from "@larder/core"
import { Cause, Effect, Exit, Layer, Option, Schema } from "effect"
import * as fc from "fast-check"

class Sku extends Schema.Class<Sku>("Sku")({ shop: Schema.String, number: Schema.Finite }) {}
const SkuText = Schema.fromJsonString(Sku)
const sku = (shop: string, number: number) => new Sku({ shop, number })

const policy = Policy.make({ freshFor: "1 hour", staleIfError: "1 day" })
const memory = TierStack.layer(MemoryTier.layer())
const given = <A>(value: unknown): A => value as A

const bySku = (asked: Array<Sku> = []) =>
  Larder.make({
    name: "prices",
    value: Schema.Finite,
    key: SkuText,
    upstream: Upstream.make({
      lookup: (key: Sku) => {
        asked.push(key)
        return Effect.succeed(key.number * 100)
      },
    }),
    policy,
  })

const defectOf = <A, E>(exit: Exit.Exit<A, E>) =>
  Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

describe.each([
  ["memory", () => memory],
  ["a shared tier", () => TierStack.layer(MemoryTier.layerShared)],
  ["memory over a shared tier", () => TierStack.layer(MemoryTier.layer(), MemoryTier.layerShared)],
])("over %s", (_, stack) => {
  it.effect("keys of one encoding are one key", () =>
    Effect.gen(function* () {
      const asked: Array<Sku> = []
      const prices = yield* bySku(asked)
      expect(yield* prices.get(sku("north", 1))).toBe(100)
      expect(yield* prices.get(sku("north", 1))).toBe(100)
      expect(yield* prices.get(sku("south", 1))).toBe(100)
      expect(asked).toEqual([sku("north", 1), sku("south", 1)])
      yield* prices.remove(sku("north", 1))
      yield* prices.get(sku("north", 1))
      expect(asked.length).toBe(3)
    }).pipe(Effect.scoped, Effect.provide(stack())),
  )

  it.effect("a key that was encoded and decoded finds the same entry", () =>
    Effect.gen(function* () {
      const prices = yield* bySku()
      const encode = Schema.encodeEffect(prices.keySchema)
      const decode = Schema.decodeEffect(prices.keySchema)
      const keys = fc.record({
        shop: fc.string({ unit: "grapheme", maxLength: 20 }),
        number: fc.integer(),
      })
      const all = fc.sample(keys, 100).map(({ number, shop }) => sku(shop, number))
      for (const [index, key] of all.entries()) {
        yield* prices.set(key, index)
        const back = yield* decode(yield* encode(key))
        expect(back).not.toBe(key)
        expect(back).toEqual(key)
        expect(yield* prices.get(back)).toBe(index)
        expect(yield* prices.getMany([back])).toEqual(new Map([[back, Exit.succeed(index)]]))
      }
    }).pipe(Effect.scoped, Effect.provide(stack())),
  )

  it.effect("getMany has the caller's own keys, also where upstream answers with others", () =>
    Effect.gen(function* () {
      const prices = yield* Larder.make({
        name: "prices",
        value: Schema.Finite,
        key: SkuText,
        upstream: Upstream.make({
          lookup: (key: Sku) => Effect.succeed(key.number),
          lookupMany: (keys) =>
            Effect.succeed(new Map(keys.map((key) => [sku(key.shop, key.number), key.number]))),
        }),
        policy,
      })
      const keys = [sku("north", 1), sku("north", 2)]
      for (const _ of ["looked up", "stored"]) {
        const found = [...(yield* prices.getMany(keys))]
        expect(found).toEqual(keys.map((key) => [key, Exit.succeed(key.number)]))
        expect(found.every(([key], index) => key === keys[index])).toBe(true)
      }
    }).pipe(Effect.scoped, Effect.provide(stack())),
  )
})

it.effect("the encoding is the key in tiers, events and errors", () =>
  Effect.gen(function* () {
    const numbers = yield* Larder.make({
      name: "numbers",
      key: Schema.FiniteFromString,
      upstream: Upstream.make({ lookup: (key: number) => Effect.succeed(key) }),
      policy,
    })
    expect(numbers.keySchema).toBe(Schema.FiniteFromString)
    yield* numbers.getMany([7, 70, 8])
    expect(yield* numbers.keys).toEqual(expect.arrayContaining([7, 70, 8]))
    const { keys } = yield* numbers.removeWhere({ prefix: "7" })
    expect(keys).toBe(2)
    expect(yield* numbers.keys).toEqual([8])
  }).pipe(Effect.scoped, Effect.provide(memory)),
)

it.effect(
  "a key that does not encode is an InvalidKey that names it, and others are answered",
  () =>
    Effect.gen(function* () {
      const numbers = yield* Larder.make({
        name: "numbers",
        key: Schema.FiniteFromString,
        upstream: Upstream.make({ lookup: (key: number) => Effect.succeed(key) }),
        policy,
      })
      for (const [key, shown] of [
        [NaN, "NaN"],
        [given<number>("seven"), '"seven"'],
        [given<number>(7n), "7n"],
      ] as const) {
        const error = yield* Effect.flip(numbers.get(key))
        expect(error).toBeInstanceOf(Larder.InvalidKey)
        expect(error).toMatchObject({ larder: "numbers", key: shown })
        expect(error.message).toContain(
          "invalid key: the `key` schema does not encode it: Expected",
        )
        expect(yield* Effect.flip(numbers.remove(key))).toMatchObject({ key: shown })
      }
      const found = yield* numbers.getMany([1, NaN])
      expect(found.get(1)).toEqual(Exit.succeed(1))
      expect(defectOf(found.get(NaN)!)).toBeInstanceOf(Larder.InvalidKey)
    }).pipe(Effect.scoped, Effect.provide(memory)),
)

it.effect("an encoding that is no key of a tier is an InvalidKey", () =>
  Effect.gen(function* () {
    const names = yield* Larder.make({
      name: "names",
      key: Schema.String,
      upstream: Upstream.make({ lookup: (key: string) => Effect.succeed(key) }),
      policy,
    })
    const error = yield* Effect.flip(names.get("milk\n"))
    expect(error.message).toContain("control character")
  }).pipe(Effect.scoped, Effect.provide(memory)),
)

it.effect("dies with InvalidOptions for a schema that is not encoded as a string", () =>
  Effect.gen(function* () {
    const upstream = Upstream.make({ lookup: (key: number) => Effect.succeed(key) })
    for (const [key, shown] of [
      [Schema.Finite, "got a function"],
      [Sku, "got a function"],
      [5, "got 5"],
    ] as const) {
      const made = Larder.make(given<never>({ name: "numbers", upstream, policy, key }))
      const error = defectOf(yield* Effect.exit(given<Effect.Effect<unknown>>(made)))
      expect(error).toBeInstanceOf(InvalidOptions)
      expect(error).toMatchObject({ module: "Larder", field: "key" })
      expect((error as Error).message).toBe(
        `Larder: key of "numbers" must be a function, or a schema that is encoded as a string, such as Schema.FiniteFromString, or be left out, ${shown}`,
      )
    }
  }).pipe(Effect.scoped, Effect.provide(memory)),
)

it.effect("`fn` takes no schema: its keys are lists of arguments", () =>
  Effect.gen(function* () {
    const options = { name: "numbers", policy, key: Schema.FiniteFromString }
    const fn = given<(options: unknown) => (f: unknown) => unknown>(Larder.fn)
    const made = fn(options)((key: number) => Effect.succeed(key))
    const error = defectOf(yield* Effect.exit(given<Effect.Effect<unknown>>(made)))
    expect(error).toBeInstanceOf(InvalidOptions)
    expect((error as Error).message).toContain('key of "numbers" must be a function')
  }).pipe(Effect.scoped, Effect.provide(memory)),
)

class Prices extends Larder.Service<Prices>()("shop/Prices", {
  value: Schema.Finite,
  key: SkuText,
  upstream: Upstream.make({ lookup: (key: Sku) => Effect.succeed(key.number) }),
  policy,
}) {}

class FromEffect extends Larder.Service<FromEffect>()(
  "shop/FromEffect",
  Effect.succeed({
    key: SkuText,
    upstream: Upstream.make({ lookup: (key: Sku) => Effect.succeed(key.number) }),
    policy,
  }),
) {}

it.effect("a service has the schema of its keys, and so has its larder", () =>
  Effect.gen(function* () {
    expect(Prices.keySchema).toBe(SkuText)
    expect((yield* Prices).keySchema).toBe(SkuText)
    expect((yield* FromEffect).keySchema).toBe(SkuText)
    expect(yield* Prices.get(sku("north", 3))).toBe(3)
    expect(yield* FromEffect.get(sku("north", 3))).toBe(3)
  }).pipe(Effect.provide(Layer.provide(Layer.mergeAll(Prices.layer, FromEffect.layer), memory))),
)

it.effect("the schema is part of a schema of messages", () =>
  Effect.gen(function* () {
    const Task = Schema.fromJsonString(
      Schema.Struct({ key: Prices.keySchema, reason: Schema.Literals(["stale", "early"]) }),
    )
    const text = yield* Schema.encodeEffect(Task)({ key: sku("north", 3), reason: "stale" })
    const { key } = yield* Schema.decodeEffect(Task)(text)
    expect(yield* Prices.get(key)).toBe(3)
  }).pipe(Effect.provide(Layer.provide(Prices.layer, memory))),
)

class Stock extends Outbox.Service<Stock>()("shop/Stock", {
  key: SkuText,
  value: Schema.Finite,
}) {}

const rows = new Map<string, number>()

class InStock extends Larder.Service<InStock>()("shop/InStock", {
  value: Schema.Finite,
  key: SkuText,
  upstream: Upstream.make({
    lookup: ({ number, shop }: Sku) => Effect.sync(() => rows.get(`${shop}/${number}`) ?? 0),
  }).pipe(Outbox.overlay(Stock)),
  policy,
}) {}

class StockWrites extends WriteBehind.Service<StockWrites>()("shop/StockWrites", {
  larder: InStock,
  outbox: Stock,
  maxLag: "1 second",
  writeMany: (batch) =>
    Effect.sync(() => {
      for (const { key, value } of batch) {
        rows.set(`${key.shop}/${key.number}`, Option.getOrThrow(value))
      }
    }),
}) {}

it.effect("an outbox with the same schema gives the keys back to the source", () =>
  Effect.gen(function* () {
    const writes = yield* StockWrites
    yield* writes.put(sku("north", 1), 5)
    yield* InStock.clear({ keepStale: false })
    expect(yield* InStock.get(sku("north", 1))).toBe(5)
    expect(rows.size).toBe(0)
    yield* writes.flush
    expect([...rows]).toEqual([["north/1", 5]])
  }).pipe(
    Effect.provide(
      StockWrites.layer.pipe(
        Layer.provideMerge(InStock.layer),
        Layer.provide([Stock.layer, memory]),
        Layer.provide(OutboxStore.layerMemory),
      ),
    ),
  ),
)

it.effect("a larder without a schema of its keys has none to give", () =>
  Effect.gen(function* () {
    const upstream = Upstream.make({ lookup: (key: string) => Effect.succeed(key) })
    const plain = yield* Larder.make({ name: "plain", upstream, policy })
    const keyed = yield* Larder.make({ name: "keyed", upstream, policy, key: (key) => key })
    expect(plain.keySchema).toBe(undefined)
    expect(keyed.keySchema).toBe(undefined)
  }).pipe(Effect.scoped, Effect.provide(memory)),
)

it.effect("a follower reads by the owner's schema of keys", () =>
  Effect.gen(function* () {
    const follower = yield* Larder.follower({ name: "prices", value: Schema.Finite, key: SkuText })
    const prices = yield* bySku()
    yield* prices.get(sku("north", 1))
    expect(yield* follower.getMany([sku("south", 1)])).toEqual(new Map())
    const key = sku("north", 1)
    expect(yield* follower.getMany([key])).toEqual(new Map([[key, 100]]))
    const error = yield* Effect.flip(follower.get(given("milk")))
    expect(error).toBeInstanceOf(Larder.InvalidKey)
  }).pipe(
    Effect.scoped,
    Effect.provide(TierStack.layer(MemoryTier.layer(), MemoryTier.layerShared)),
  ),
)
