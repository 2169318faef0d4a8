/** The shops of a run, each with a catalogue client, a ledger and, if it has a cache, a stack of its own. */
import { MemoryTier, Tier, TierStack } from "@larder/core"
import { RedisClient, RedisTier } from "@larder/redis"
import { SqliteTier } from "@larder/sqlite"
import { Clock, Effect, Exit, FileSystem, Layer, Path, Random, Scope } from "effect"
import { HttpClient } from "effect/http"
import { CatalogueClient } from "./catalogueClient.ts"
import * as Contenders from "./contenders.ts"
import * as Insights from "./insights.ts"
import { Ledger } from "./ledger.ts"
import * as Probe from "./probe.ts"
import { Products } from "./products.ts"
import type { Lane } from "./traffic.ts"

/** The places in which the shops store entries. */
export interface Places {
  /** The most products in the memory of a shop with a TTL cache or Larder. */
  readonly capacity: number
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

/** Effects that open a shop on one node. */
type Open = Effect.Effect<Contenders.Shop, unknown, CatalogueClient | Scope.Scope>

/** A lane, and how long another node of its shop had old prices after the change, if it was watched. */
export interface ShopLane extends Lane {
  readonly otherNode: Effect.Effect<number | undefined>
}

/** How long after the run another node may still have an old price, ms. */
const awaitOtherMillis = 3_000
const readOtherEveryMillis = 20

/**
 * Opens another node of the shop, with a client that counts for nobody, and watches its prices. It
 * hears nothing of the price change but what its tiers tell it.
 */
const watchOther = (url: string, open: Open, shop: Contenders.Shop) =>
  Effect.gen(function* () {
    const other = yield* open.pipe(Effect.provide(clientLayer(url, new Ledger())), Effect.orDie)
    const probe = yield* Probe.watch(other, readOtherEveryMillis)
    let settledAt: number | undefined
    const told: Contenders.Shop = {
      ...shop,
      newPriceList: Effect.andThen(
        shop.newPriceList,
        Effect.map(Probe.monotonicMillis, (at) => {
          settledAt = at
        }),
      ),
    }
    const otherNode = Effect.map(Probe.awaitNew(probe, awaitOtherMillis), (at) =>
      at === undefined || settledAt === undefined ? undefined : Math.max(0, at - settledAt),
    )
    return { told, otherNode }
  })

/**
 * A shop that can restart: the new one opens first, then the old one closes once it is empty. With
 * `other`, another node of the shop opens then and is watched.
 */
const lane = (name: string, url: string, open: Open, other?: Open) =>
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
    let otherNode: ShopLane["otherNode"] = Effect.undefined
    const watch = Effect.gen(function* () {
      if (other === undefined) return
      const watching = yield* watchOther(url, other, now.shop)
      now = { ...now, shop: watching.told }
      otherNode = watching.otherNode
    }).pipe(Scope.provide(outer), Effect.provide(context))
    const restart = Effect.gen(function* () {
      const before = now
      now = yield* enter
      yield* watch
      yield* Scope.close(before.scope, Exit.void).pipe(
        Effect.delay(drainMillis),
        Effect.forkIn(outer, { startImmediately: true }),
      )
    })
    const self: ShopLane = {
      name,
      ledger,
      restart,
      otherNode: Effect.suspend(() => otherNode),
      get shop() {
        return now.shop
      },
    }
    return self
  })

type Farther = ReadonlyArray<Layer.Layer<Tier.Tier, unknown>>

const openLarder = (capacity: number, counts: Map<string, number>, farther: Farther) => {
  const stack = TierStack.layer(MemoryTier.layer({ maxEntries: capacity }), ...farther)
  return Effect.gen(function* () {
    const products = yield* Layer.build(Layer.fresh(Products.layer.pipe(Layer.provide(stack))))
    yield* Effect.provide(Insights.watch(counts), products)
    return yield* Effect.provide(Contenders.withLarder, products)
  })
}

/** The events of other nodes are counted for nobody. */
const larderAt =
  (url: string, { capacity }: Places) =>
  (name: string, counts: Map<string, number>, farther: Farther, ofOther?: Farther) => {
    const other = ofOther && openLarder(capacity, new Map(), ofOther)
    return lane(name, url, openLarder(capacity, counts, farther), other)
  }

/** The tier, as if it did not publish changes. */
const withoutMessages = <E>(layer: Layer.Layer<Tier.Tier, E>): Layer.Layer<Tier.Tier, E> =>
  Layer.effect(
    Tier.Tier,
    Effect.map(Tier.Tier, (tier) =>
      tier.kind === "bytes" ? { ...tier, abilities: { ...tier.abilities, notifies: false } } : tier,
    ),
  ).pipe(Layer.provide(layer))

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
    const larder = larderAt(url, places)
    const file = yield* sqliteLayer(places)
    const shared = places.redis === undefined ? [] : [yield* redisLayer(places.redis)]
    return [
      yield* lane("no cache", url, Contenders.withoutCache),
      yield* lane("TTL cache", url, Contenders.withTtlCache(places.capacity)),
      yield* larder("Larder", counts, [file, ...shared]),
    ]
  })

/**
 * One shop for each step from no cache to all tiers, and another node of each: beside a file it has
 * a file of its own, beside Redis the same Redis.
 */
export const ladder = (url: string, counts: Map<string, number>, places: Places) =>
  Effect.gen(function* () {
    const larder = larderAt(url, places)
    const temporaryFile = sqliteLayer({ ...places, sqlite: undefined })
    const own = (name: string, options: Contenders.OwnCache) => {
      const open = Contenders.withOwnCache(options)
      return lane(name, url, open, open)
    }
    const withRedis = (name: string, of: Map<string, number>, shared: Farther[number]) =>
      Effect.gen(function* () {
        const [file, ofOther] = [yield* temporaryFile, yield* temporaryFile]
        return yield* larder(name, of, [file, shared], [ofOther, shared])
      })
    const { redis } = places
    const unheard = new Map<string, number>()
    const file = yield* sqliteLayer(places)
    const ofOther = yield* temporaryFile
    const none = Contenders.withoutCache
    return [
      yield* lane("no cache", url, none, none),
      yield* own("TTL", { staleWhileRevalidate: false, coalescing: false }),
      yield* own("+ stale-while-revalidate", { staleWhileRevalidate: true, coalescing: false }),
      yield* own("+ coalescing", { staleWhileRevalidate: true, coalescing: true }),
      yield* larder("Larder, memory", unheard, [], []),
      yield* larder("+ SQLite", redis === undefined ? counts : unheard, [file], [ofOther]),
      ...(redis === undefined
        ? []
        : [
            yield* withRedis("+ Redis", unheard, withoutMessages(yield* redisLayer(redis))),
            yield* withRedis("+ backplane (messages)", counts, yield* redisLayer(redis)),
          ]),
    ]
  })
