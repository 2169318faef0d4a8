import { Larder, type LarderError, Policy, type TierStack, Upstream } from "@larder/core"
import { Context, Effect, type Layer, Option, Schema, type Scope } from "effect"
import type { CircuitBreaker } from "effect/persistence"
import { expectTypeOf, it } from "vitest"

class Db extends Context.Service<
  Db,
  { find(id: string): Effect.Effect<Option.Option<Product>, Error> }
>()("Db") {}
class Product extends Schema.Class<Product>("Product")({ id: Schema.String, ttl: Schema.Finite }) {}
it("types flow from the schema, the upstream and the key into the larder, written inline", () => {
  const m = Larder.make({
    name: "p",
    value: Schema.Option(Product),
    upstream: Upstream.make({
      lookup: (id: string, previous) =>
        Effect.gen(function* () {
          const db = yield* Db
          void previous?.etag
          return yield* db.find(id)
        }),
    }).pipe(Upstream.withCircuitBreaker(), Upstream.withConcurrency({ foreground: 2, queue: 3 })),
    policy: Policy.adaptive(Policy.make({ freshFor: 1 }), (v, key, base) =>
      Option.isSome(v) ? Policy.make({ ...base, freshFor: v.value.ttl }) : (key.length, base),
    ),
    tags: (v, key) => (Option.isSome(v) ? [v.value.id, key] : []),
  })
  expectTypeOf(m).toExtend<
    Effect.Effect<
      Larder.Larder<
        string,
        Option.Option<Product>,
        Error | CircuitBreaker.CircuitBreakerError | Upstream.Shed
      >,
      never,
      Db | TierStack.TierStack | Scope.Scope
    >
  >()
  class Products extends Larder.Service<Products>()("app/Products", {
    value: Schema.Option(Product),
    upstream: Upstream.make({ lookup: (id: string) => Effect.flatMap(Db, (db) => db.find(id)) }),
    policy: Policy.adaptive(Policy.make({ freshFor: 1 }), (v, key, base) =>
      Option.isSome(v) ? Policy.make({ ...base, freshFor: v.value.ttl }) : (key.length, base),
    ),
  }) {}
  expectTypeOf(Products.layer).toEqualTypeOf<
    Layer.Layer<Products, never, TierStack.TierStack | Db>
  >()
  expectTypeOf(Products.get("a")).toEqualTypeOf<
    Effect.Effect<Option.Option<Product>, Error | LarderError.LarderError, Products>
  >()
  const noSchema = Larder.make({
    name: "n",
    upstream: Upstream.make({ lookup: (n: number) => Effect.succeed(n + 1) }),
    policy: Policy.make({ freshFor: 1 }),
  })
  expectTypeOf(noSchema).toEqualTypeOf<
    Effect.Effect<Larder.Larder<number, number, never>, never, TierStack.TierStack | Scope.Scope>
  >()
  const obj = Larder.make({
    name: "n",
    key: (k) => k.a,
    upstream: Upstream.make({ lookup: (k: { a: string }) => Effect.succeed(k.a) }),
    policy: Policy.make({ freshFor: 1 }),
  })
  expectTypeOf(obj).toEqualTypeOf<
    Effect.Effect<
      Larder.Larder<{ a: string }, string, never>,
      never,
      TierStack.TierStack | Scope.Scope
    >
  >()
  // @ts-expect-error an object is no key without a key function
  void Larder.make({
    name: "n",
    upstream: Upstream.make({ lookup: (k: { a: string }) => Effect.succeed(k.a) }),
    policy: Policy.make({ freshFor: 1 }),
  })
  void Larder.make({
    name: "p",
    value: Schema.String,
    // @ts-expect-error the upstream gives something else
    upstream: Upstream.make({ lookup: (id: string) => Effect.succeed(id.length) }),
    policy: Policy.make({ freshFor: 1 }),
  })
  const f = Larder.fn({ name: "f", value: Schema.Finite, policy: Policy.make({ freshFor: 1 }) })(
    (id: string) => Effect.flatMap(Db, (db) => Effect.as(db.find(id), 1)),
  )
  expectTypeOf(f).toExtend<
    Effect.Effect<
      (id: string) => Effect.Effect<number, Error | LarderError.LarderError>,
      never,
      Db | TierStack.TierStack | Scope.Scope
    >
  >()
})

it("a follower reads by the owner's keys, and has nothing to write or look up with", () => {
  const plain = Larder.follower({ name: "p", value: Product })
  expectTypeOf(plain).toEqualTypeOf<
    Effect.Effect<
      Larder.Follower<string | number, Product>,
      never,
      TierStack.TierStack | Scope.Scope
    >
  >()
  const keyed = Larder.follower({
    name: "p",
    value: Product,
    key: (key: { readonly sku: string }) => key.sku,
  })
  expectTypeOf(keyed).toEqualTypeOf<
    Effect.Effect<
      Larder.Follower<{ readonly sku: string }, Product>,
      never,
      TierStack.TierStack | Scope.Scope
    >
  >()
  expectTypeOf<keyof Larder.Follower<string, Product>>().toEqualTypeOf<
    "name" | "get" | "getMany" | "read" | "events" | "stats"
  >()
  // A larder is no follower: it answers with the value itself, or fails.
  expectTypeOf<Larder.Larder<string, Product>>().not.toExtend<Larder.Follower<string, Product>>()
  class Products extends Larder.Follower<Products>()("app/Products", { value: Product }) {}
  expectTypeOf(Products.layer).toEqualTypeOf<Layer.Layer<Products, never, TierStack.TierStack>>()
  expectTypeOf(Products.get("a")).toEqualTypeOf<
    Effect.Effect<Option.Option<Product>, LarderError.InvalidKey, Products>
  >()
  // @ts-expect-error the right to write is a type
  void Products.set
  // @ts-expect-error a follower has no upstream
  void Larder.follower({ name: "p", value: Product, upstream: 1 })
  // @ts-expect-error what other processes wrote is bytes
  void Larder.follower({ name: "p" })
})
