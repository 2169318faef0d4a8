/** The types of write-behind: who reads, who writes, and what each layer needs. */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { describe, expect, expectTypeOf, it } from "vitest"
import {
  Larder,
  Outbox,
  type OutboxStore,
  Policy,
  type TierStack,
  Upstream,
  WriteBehind,
} from "../src/index.ts"

class Product extends Schema.Class<Product>("Product")({
  id: Schema.String,
  price: Schema.Finite,
}) {}
class DbError extends Data.TaggedError("DbError")<{ readonly why: string }> {}
class Db extends Context.Service<
  Db,
  {
    readonly find: (id: string) => Effect.Effect<Product, DbError>
    readonly saveAll: (
      all: ReadonlyArray<{ readonly product: Product; readonly version: number }>,
    ) => Effect.Effect<void, DbError>
  }
>()("test/Db") {}

class ProductOutbox extends Outbox.Service<ProductOutbox>()("test/ProductOutbox", {
  key: Schema.String,
  value: Product,
  maxPending: 10_000,
}) {}

const catalogue = Upstream.make({ lookup: (id: string) => Db.use((db) => db.find(id)) })

class Products extends Larder.Service<Products>()("test/Products", {
  value: Product,
  upstream: catalogue.pipe(Outbox.overlay(ProductOutbox)),
  policy: Policy.make({ freshFor: "1 minute", staleIfError: "1 hour" }),
}) {}

class ProductWrites extends WriteBehind.Service<ProductWrites>()("test/ProductWrites", {
  larder: Products,
  outbox: ProductOutbox,
  maxLag: "1 second",
  batch: 100,
  whenFull: "wait",
  maxAttempts: 8,
  retry: Schedule.exponential("100 millis"),
  writeMany: (batch) =>
    Db.use((db) =>
      db.saveAll(
        batch.flatMap(({ value, version }) =>
          Option.match(value, { onNone: () => [], onSome: (product) => [{ product, version }] }),
        ),
      ),
    ),
}) {}

describe("write-behind", () => {
  it("makes the right to write a type", () => {
    const read = Products.get("milk")
    expectTypeOf(read).toEqualTypeOf<
      Effect.Effect<Product, DbError | Outbox.OutboxFailed | Larder.LarderError, Products>
    >()
    const put = ProductWrites.use((writes) =>
      writes.put("milk", new Product({ id: "milk", price: 3 })),
    )
    expectTypeOf(put).toEqualTypeOf<
      Effect.Effect<
        WriteBehind.Put,
        Larder.InvalidKey | Outbox.InvalidWrite | Outbox.OutboxFull | Outbox.OutboxFailed,
        ProductWrites
      >
    >()
  })

  it("needs the services of writeMany only where it writes", () => {
    expectTypeOf(ProductOutbox.layer).toEqualTypeOf<
      Layer.Layer<ProductOutbox, Outbox.OutboxFailed, OutboxStore.OutboxStore>
    >()
    expectTypeOf(ProductWrites.layer).toEqualTypeOf<
      Layer.Layer<ProductWrites, never, Products | ProductOutbox | Db>
    >()
    expectTypeOf(ProductWrites.layerOfferOnly).toEqualTypeOf<
      Layer.Layer<ProductWrites, never, Products | ProductOutbox>
    >()
    const app = ProductWrites.layer.pipe(
      Layer.provideMerge(Products.layer),
      Layer.provide(ProductOutbox.layer),
    )
    expectTypeOf(app).toEqualTypeOf<
      Layer.Layer<
        ProductWrites | Products,
        Outbox.OutboxFailed,
        TierStack.TierStack | Db | OutboxStore.OutboxStore
      >
    >()
  })

  it("refuses a larder, an outbox or a source of other values", () => {
    class Numbers extends Outbox.Service<Numbers>()("test/Numbers", {
      key: Schema.String,
      value: Schema.Finite,
    }) {}
    const options = { larder: Products, maxLag: "1 second" } as const
    const other = WriteBehind.Service<ProductWrites>()("test/Other", {
      ...options,
      // @ts-expect-error -- its values are no products
      outbox: Numbers,
      writeMany: () => Effect.void,
    })
    // @ts-expect-error -- the values of the outbox are not those of the upstream
    const overlaid = catalogue.pipe(Outbox.overlay(Numbers))
    expect([other.key, Upstream.isUpstream(overlaid)]).toEqual(["test/Other", true])
  })
})
