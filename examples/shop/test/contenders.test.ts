import { MemoryTier, TierStack } from "@larder/core"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { CatalogueClient } from "../src/catalogueClient.ts"
import * as Contenders from "../src/contenders.ts"
import { shelfOf } from "../src/product.ts"
import { Products } from "../src/products.ts"
import * as ScriptedCatalogue from "./scriptedCatalogue.ts"

const openShops = Effect.gen(function* () {
  const catalogue = yield* ScriptedCatalogue.make
  const client = CatalogueClient.layer("http://catalogue").pipe(Layer.provide(catalogue.layer))
  const products = Products.layer.pipe(
    Layer.provide(TierStack.layer(MemoryTier.layer())),
    Layer.provide(client),
  )
  const context = yield* Layer.build(products)
  return {
    catalogue,
    none: yield* Effect.provide(Contenders.withoutCache, client),
    ttl: yield* Effect.provide(Contenders.withTtlCache(), client),
    larder: yield* Effect.provide(Contenders.withLarder, context),
  }
})

/**
 * Makes a request and moves time until it is answered, at most five seconds. Returns the answer and
 * the time.
 */
const timed = Effect.fnUntraced(function* <A>(request: Effect.Effect<A>) {
  const began = yield* Clock.currentTimeMillis
  const answered = Effect.zip(request, Clock.currentTimeMillis)
  const fiber = yield* Effect.forkChild(answered, { startImmediately: true })
  for (let step = 0; step < 500 && fiber.pollUnsafe() === undefined; step++) {
    yield* TestClock.adjust(10)
  }
  const [answer, at] = yield* Fiber.join(fiber)
  return { answer, millis: at - began }
})

/** The kind of view the customer got, and the time. */
const visit = Effect.fnUntraced(function* (shop: Contenders.Shop, id: number) {
  const { answer, millis } = yield* timed(shop.page(id))
  return [answer._tag === "Shown" ? (answer.source ?? "shown") : answer._tag, millis] as const
})

const healthy = { latencyMillis: 20 }

describe("what customers see", () => {
  it.effect("cold: everybody waits for the catalogue; steady: the caches do not", () =>
    Effect.gen(function* () {
      const { larder, none, ttl } = yield* openShops
      for (const shop of [none, ttl, larder]) {
        assert.deepStrictEqual(yield* visit(shop, 1), ["missing", 20])
      }
      assert.deepStrictEqual(yield* visit(none, 1), ["missing", 20])
      assert.deepStrictEqual(yield* visit(ttl, 1), ["fresh", 0])
      assert.deepStrictEqual(yield* visit(larder, 1), ["fresh", 0])
    }),
  )

  it.effect(
    "after its freshness the TTL cache waits again, Larder gives the old page and refreshes it",
    () =>
      Effect.gen(function* () {
        const { catalogue, larder, ttl } = yield* openShops
        yield* visit(ttl, 1)
        yield* visit(larder, 1)
        yield* TestClock.adjust("3 seconds")
        assert.deepStrictEqual(yield* visit(ttl, 1), ["missing", 20])
        yield* catalogue.asked
        assert.deepStrictEqual(yield* visit(larder, 1), ["stale", 0])
        yield* TestClock.adjust(20)
        assert.deepStrictEqual(yield* catalogue.asked, ["/products/1"])
        assert.deepStrictEqual(yield* visit(larder, 1), ["fresh", 0])
      }),
  )

  for (const fault of ["server error", "cut-off body", "wrong shape", "connection cut"] as const) {
    it.effect(`flaky (${fault}): a failed refresh costs Larder's customers nothing`, () =>
      Effect.gen(function* () {
        const { catalogue, larder, none, ttl } = yield* openShops
        yield* visit(ttl, 1)
        yield* visit(larder, 1)
        yield* TestClock.adjust("3 seconds")
        yield* catalogue.behave({ latencyMillis: 20, fault })
        // Two tries of 20 ms, 50 ms apart.
        assert.deepStrictEqual(yield* visit(none, 1), ["Failed", 90])
        assert.deepStrictEqual(yield* visit(ttl, 1), ["Failed", 90])
        assert.deepStrictEqual(yield* visit(larder, 1), ["stale", 0])
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(yield* visit(larder, 1), ["stale", 90])
        assert.deepStrictEqual(yield* visit(larder, 2), ["Failed", 90])
      }),
    )
  }

  it.effect("a fault that passes is hidden by the second try", () =>
    Effect.gen(function* () {
      const { catalogue, larder } = yield* openShops
      yield* catalogue.behave({ latencyMillis: 20, fault: "server error" })
      const page = yield* Effect.forkChild(larder.page(1), { startImmediately: true })
      yield* TestClock.adjust(30)
      yield* catalogue.behave(healthy)
      yield* TestClock.adjust(60)
      assert.strictEqual((yield* Fiber.join(page))._tag, "Shown")
      assert.lengthOf(yield* catalogue.asked, 2)
    }),
  )

  it.effect(
    "slow: Larder's customers wait 200 ms at most for a page it knows, others as long as it takes",
    () =>
      Effect.gen(function* () {
        const { catalogue, larder, ttl } = yield* openShops
        yield* visit(ttl, 1)
        yield* visit(larder, 1)
        yield* TestClock.adjust("30 seconds")
        yield* catalogue.behave({ latencyMillis: 1_000 })
        assert.deepStrictEqual(yield* visit(ttl, 1), ["missing", 1_000])
        assert.deepStrictEqual(yield* visit(larder, 1), ["stale", 200])
        yield* TestClock.adjust(800)
        assert.deepStrictEqual(yield* visit(larder, 1), ["fresh", 0])
        assert.deepStrictEqual(yield* visit(larder, 2), ["missing", 1_000])
      }),
  )

  for (const fault of ["unavailable", "connection cut", "hangs"] as const) {
    it.effect(
      `outage (${fault}): every page Larder has shown before is still there minutes later`,
      () =>
        Effect.gen(function* () {
          const { catalogue, larder, none, ttl } = yield* openShops
          const pages = Array.from({ length: 20 }, (_, id) => id)
          for (const id of pages) {
            yield* visit(ttl, id)
            yield* visit(larder, id)
          }
          yield* catalogue.behave({ latencyMillis: 2, fault })
          for (const wait of ["3 seconds", "1 minute", "8 minutes"] as const) {
            yield* TestClock.adjust(wait)
            for (const id of pages) {
              const [seen, millis] = yield* visit(larder, id)
              assert.strictEqual(seen, "stale")
              assert.isAtMost(millis, 200)
            }
          }
          assert.strictEqual((yield* visit(none, 1))[0], "Failed")
          assert.strictEqual((yield* visit(ttl, 1))[0], "Failed")
          assert.strictEqual((yield* visit(larder, 99))[0], "Failed")
        }),
    )
  }

  it.effect(
    "outage: the breaker spares the catalogue, and recovery is noticed within its half second",
    () =>
      Effect.gen(function* () {
        const { catalogue, larder } = yield* openShops
        yield* catalogue.behave({ latencyMillis: 2, fault: "unavailable" })
        for (let id = 1; id <= 5; id++) yield* visit(larder, id)
        yield* catalogue.asked
        // A page never shown before waits for the breaker's probe: its lookup is the probe.
        const [seen, waited] = yield* visit(larder, 6)
        assert.strictEqual(seen, "Failed")
        assert.isAtMost(waited, 600)
        assert.deepStrictEqual(yield* catalogue.asked, ["/products/6", "/products/6"])
        yield* catalogue.behave(healthy)
        const [seenAgain, waitedAgain] = yield* visit(larder, 6)
        assert.strictEqual(seenAgain, "missing")
        assert.isAtMost(waitedAgain, 520)
        assert.deepStrictEqual(yield* visit(larder, 1), ["missing", 20])
      }),
  )

  it.effect(
    "a product that is no longer sold is an answer: remembered for a while, and no reason to open the breaker",
    () =>
      Effect.gen(function* () {
        const { catalogue, larder, none, ttl } = yield* openShops
        for (const shop of [none, ttl, larder]) {
          assert.strictEqual((yield* visit(shop, 88))[0], "Gone")
        }
        yield* catalogue.asked
        assert.deepStrictEqual(yield* visit(ttl, 88), ["Gone", 0])
        assert.deepStrictEqual(yield* visit(larder, 88), ["Gone", 0])
        assert.deepStrictEqual(yield* catalogue.asked, [])
        for (let time = 1; time <= 6; time++) yield* visit(larder, 88 + 89 * time)
        assert.deepStrictEqual(yield* visit(larder, 1), ["missing", 20])
      }),
  )

  it.effect(
    "price change: from the news on nobody is shown an old price as long as the catalogue answers",
    () =>
      Effect.gen(function* () {
        const { catalogue, larder, ttl } = yield* openShops
        for (const shop of [ttl, larder]) {
          yield* catalogue.behave(healthy)
          yield* visit(shop, 1)
          yield* catalogue.behave({ ...healthy, priceList: 2 })
          const before = yield* timed(shop.page(1))
          assert(before.answer._tag === "Shown")
          assert.strictEqual(before.answer.product.priceList, 1)
          yield* shop.newPriceList
          const after = yield* timed(shop.page(1))
          assert(after.answer._tag === "Shown")
          assert.strictEqual(after.answer.product.priceList, 2)
          assert.strictEqual(after.millis, 20)
        }
      }),
  )

  it.effect("price change in an outage: the old price is better than none", () =>
    Effect.gen(function* () {
      const { catalogue, larder } = yield* openShops
      yield* visit(larder, 1)
      yield* catalogue.behave({ latencyMillis: 2, fault: "unavailable", priceList: 2 })
      yield* larder.newPriceList
      assert.strictEqual((yield* visit(larder, 1))[0], "stale")
    }),
  )
})

describe("listing pages", () => {
  it.effect("take one call for what is not there, and none for what is", () =>
    Effect.gen(function* () {
      const { catalogue, larder, none, ttl } = yield* openShops
      const ids = shelfOf(16)
      for (const shop of [ttl, larder]) yield* visit(shop, 17)
      yield* catalogue.asked
      for (const shop of [none, ttl, larder]) {
        const { answer, millis } = yield* timed(shop.listing(ids))
        assert.deepStrictEqual(
          answer.map((view) => view._tag),
          ids.map(() => "Shown"),
        )
        assert.strictEqual(millis, 20)
      }
      const lacking = ids.filter((id) => id !== 17)
      assert.deepStrictEqual(
        (yield* catalogue.asked).map(decodeURIComponent),
        [ids, lacking, lacking].map((list) => `/products?ids=${list.join(",")}`),
      )
      for (const shop of [ttl, larder]) yield* timed(shop.listing(ids))
      assert.deepStrictEqual(yield* catalogue.asked, [])
    }),
  )

  it.effect("in an outage Larder shows the whole shelf, if it was shown before", () =>
    Effect.gen(function* () {
      const { catalogue, larder, ttl } = yield* openShops
      const ids = shelfOf(16)
      for (const shop of [ttl, larder]) yield* timed(shop.listing(ids))
      yield* catalogue.behave({ latencyMillis: 2, fault: "unavailable" })
      yield* TestClock.adjust("1 minute")
      const known = yield* timed(larder.listing(ids))
      assert.deepStrictEqual(
        known.answer.map((view) => view._tag),
        ids.map(() => "Shown"),
      )
      const expired = yield* timed(ttl.listing(ids))
      assert.deepStrictEqual(
        expired.answer.map((view) => view._tag),
        ids.map(() => "Failed"),
      )
    }),
  )
})

describe("a cache of one's own, step by step", () => {
  const openOwn = (options: Contenders.OwnCache) =>
    Effect.gen(function* () {
      const catalogue = yield* ScriptedCatalogue.make
      const client = CatalogueClient.layer("http://catalogue").pipe(Layer.provide(catalogue.layer))
      yield* catalogue.behave(healthy)
      return { catalogue, shop: yield* Effect.provide(Contenders.withOwnCache(options), client) }
    })
  const ttl = { staleWhileRevalidate: false, coalescing: false }

  it.effect("with a time to live: kept for two seconds, then waited for", () =>
    Effect.gen(function* () {
      const { shop } = yield* openOwn(ttl)
      assert.deepStrictEqual(yield* visit(shop, 1), ["missing", 20])
      assert.deepStrictEqual(yield* visit(shop, 1), ["fresh", 0])
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* visit(shop, 1), ["missing", 20])
    }),
  )

  it.effect("+ stale-while-revalidate: shown at once, and refreshed behind", () =>
    Effect.gen(function* () {
      const { shop } = yield* openOwn({ ...ttl, staleWhileRevalidate: true })
      yield* visit(shop, 1)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* visit(shop, 1), ["stale", 0])
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(yield* visit(shop, 1), ["fresh", 0])
    }),
  )

  it.effect("+ coalescing: customers who come at once share a lookup", () =>
    Effect.gen(function* () {
      const asked = Effect.fnUntraced(function* (coalescing: boolean) {
        const { catalogue, shop } = yield* openOwn({ ...ttl, coalescing })
        const { millis } = yield* timed(
          Effect.all([shop.page(1), shop.page(1)], { concurrency: 2 }),
        )
        assert.strictEqual(millis, 20)
        return (yield* catalogue.asked).length
      })
      assert.deepStrictEqual([yield* asked(false), yield* asked(true)], [2, 1])
    }),
  )

  it.effect("a new price list empties it", () =>
    Effect.gen(function* () {
      const { shop } = yield* openOwn({ ...ttl, staleWhileRevalidate: true })
      yield* visit(shop, 1)
      yield* shop.newPriceList
      assert.deepStrictEqual(yield* visit(shop, 1), ["missing", 20])
    }),
  )
})
