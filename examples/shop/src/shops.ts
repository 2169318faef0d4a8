/** The shops of a run, each with a catalogue client, a ledger and, if it has a cache, a stack of its own. */
import { MemoryTier, type Tier, TierStack } from "@larder/core"
import { RedisClient, RedisTier } from "@larder/redis"
import { SqliteTier } from "@larder/sqlite"
import { Clock, Effect, Exit, FileSystem, Layer, Path, Random, Scope } from "effect"
import { HttpClient } from "effect/http"
import { CatalogueClient } from "./catalogueClient.ts"
import * as Contenders from "./contenders.ts"
import * as Insights from "./insights.ts"
import { Ledger } from "./ledger.ts"
import { Products } from "./products.ts"
import type { Lane } from "./traffic.ts"

/** The places beyond memory in which the shops store entries. */
export interface Places {
  /** The file of the embedded tier; a new one in a temporary folder by default. */
  readonly sqlite: string | undefined
  /** The server of the shared tier; without it the stack has no shared tier. */
  readonly redis: string | undefined
}

/**
 * After a restart the old shop serves its customers for this long, in ms: longer than any timeout.
 */
const drainMillis = 3_000

/** The catalogue client of one shop; it notes each request in the shop's ledger. */
const clientLayer = (url: string, ledger: Ledger) =>
  CatalogueClient.layer(url).pipe(
    Layer.provide(
      Layer.effect(
        HttpClient.HttpClient,
        Effect.map(
          HttpClient.HttpClient,
          HttpClient.tapRequest(() => Effect.sync(() => ledger.lookup())),
        ),
      ),
    ),
  )

/** A shop that can restart: the new one opens first, then the old one closes once it is empty. */
const lane = (
  name: string,
  url: string,
  open: Effect.Effect<Contenders.Shop, unknown, CatalogueClient | Scope.Scope>,
) =>
  Effect.gen(function* () {
    const ledger = new Ledger()
    const context = yield* Effect.context<HttpClient.HttpClient>()
    const outer = yield* Effect.scope
    const enter = Effect.gen(function* () {
      const scope = yield* Scope.fork(outer)
      const shop = yield* open.pipe(
        Effect.provide(clientLayer(url, ledger)),
        Scope.provide(scope),
        Effect.provide(context),
        Effect.orDie,
      )
      return { scope, shop }
    })
    let now = yield* enter
    const restart = Effect.gen(function* () {
      const before = now
      now = yield* enter
      yield* Scope.close(before.scope, Exit.void).pipe(
        Effect.delay(drainMillis),
        Effect.forkIn(outer, { startImmediately: true }),
      )
    })
    const self: Lane = {
      name,
      ledger,
      restart,
      get shop() {
        return now.shop
      },
    }
    return self
  })

const larder = (
  name: string,
  url: string,
  counts: Map<string, number>,
  farther: ReadonlyArray<Layer.Layer<Tier.Tier, unknown>>,
) => {
  const stack = TierStack.layer(MemoryTier.layer({ maxEntries: Contenders.capacity }), ...farther)
  const open = Effect.gen(function* () {
    const products = yield* Layer.build(Layer.fresh(Products.layer.pipe(Layer.provide(stack))))
    yield* Effect.provide(Insights.watch(counts), products)
    return yield* Effect.provide(Contenders.withLarder, products)
  })
  return lane(name, url, open)
}

const sqliteLayer = (places: Places) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const filename =
      places.sqlite ??
      path.join(yield* files.makeTempDirectoryScoped({ prefix: "larder-shop-" }), "products.db")
    return SqliteTier.layer({ filename })
  })

/** Uses a prefix of this run's own, so that it begins empty and leaves nothing behind. */
const redisLayer = (url: string) =>
  Effect.gen(function* () {
    const prefix = `larder-shop-${yield* Random.nextIntBetween(0, 2 ** 48)}-${yield* Clock.currentTimeMillis}`
    const client = RedisClient.layer({ url })
    yield* Effect.addFinalizer(() =>
      RedisTier.removeAll({ prefix }).pipe(Effect.provide(client), Effect.ignore),
    )
    return RedisTier.layer({ prefix }).pipe(Layer.provide(client))
  })

/** Three shops: without a cache, with a TTL cache, and with Larder over all given tiers. */
export const sideBySide = (url: string, counts: Map<string, number>, places: Places) =>
  Effect.gen(function* () {
    const file = yield* sqliteLayer(places)
    const shared = places.redis === undefined ? [] : [yield* redisLayer(places.redis)]
    return [
      yield* lane("no cache", url, Contenders.withoutCache),
      yield* lane("TTL cache", url, Contenders.withTtlCache),
      yield* larder("Larder", url, counts, [file, ...shared]),
    ]
  })

/** One shop for each step from no cache to all tiers. */
export const ladder = (url: string, counts: Map<string, number>, places: Places) =>
  Effect.gen(function* () {
    const file = yield* sqliteLayer(places)
    const inFrontOfRedis = yield* sqliteLayer({ ...places, sqlite: undefined })
    const own = (name: string, options: Contenders.OwnCache) =>
      lane(name, url, Contenders.withOwnCache(options))
    const unheard = new Map<string, number>()
    const last = places.redis === undefined ? undefined : yield* redisLayer(places.redis)
    return [
      yield* lane("no cache", url, Contenders.withoutCache),
      yield* own("TTL", { staleWhileRevalidate: false, coalescing: false }),
      yield* own("+ stale-while-revalidate", { staleWhileRevalidate: true, coalescing: false }),
      yield* own("+ coalescing", { staleWhileRevalidate: true, coalescing: true }),
      yield* larder("Larder, memory", url, unheard, []),
      yield* larder("+ SQLite", url, last === undefined ? counts : unheard, [file]),
      ...(last === undefined
        ? []
        : [yield* larder("+ Redis", url, counts, [inFrontOfRedis, last])]),
    ]
  })
