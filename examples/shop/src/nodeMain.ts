/**
 * The process of one node: a shop with a TTL cache, and one with Larder over memory and Redis. It
 * ends when standard input closes: that is when the parent process ends, in whatever way.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeStdio from "@effect/platform-node/NodeStdio"
import { MemoryTier, TierStack } from "@larder/core"
import { RedisClient, RedisTier } from "@larder/redis"
import { Console, Effect, Layer, Logger, Schema, Stdio, Stream } from "effect"
import { CatalogueClient } from "./catalogueClient.ts"
import * as Contenders from "./contenders.ts"
import * as MetricsServer from "./metricsServer.ts"
import * as Protocol from "./nodeProtocol.ts"
import * as Probe from "./probe.ts"
import { Products } from "./products.ts"

const readEveryMillis = 5
/** Longer than a product is fresh and served stale in any of the shops. */
const giveUpMillis = 8_000

/** Opens the shops, and returns what answers commands. */
const open = Effect.fnUntraced(function* ({ capacity, catalogue, prefix, redis }: Protocol.Begin) {
  const client = yield* Layer.build(CatalogueClient.layer(catalogue))
  const shared = RedisTier.layer({ prefix }).pipe(Layer.provide(RedisClient.layer({ url: redis })))
  const stack = TierStack.layer(MemoryTier.layer({ maxEntries: capacity }), shared)
  const products = yield* Layer.build(Products.layer.pipe(Layer.provide(stack))).pipe(
    Effect.provide(client),
  )
  const shops = {
    "TTL cache": yield* Effect.provide(Contenders.withTtlCache(capacity), client),
    Larder: yield* Effect.provide(Contenders.withLarder, products),
  }
  const probes = new Map<Protocol.ShopName, Probe.Probe>()

  const each = (f: (name: Protocol.ShopName) => Effect.Effect<number | null>) =>
    Effect.all({ "TTL cache": f("TTL cache"), Larder: f("Larder") }, { concurrency: "unbounded" })

  const settled = (name: Protocol.ShopName) =>
    Effect.andThen(shops[name].newPriceList, Probe.monotonicMillis)

  const allNew = (name: Protocol.ShopName) => {
    const probe = probes.get(name)
    if (probe === undefined) return Effect.succeed(null)
    return Effect.map(Probe.awaitNew(probe, giveUpMillis), (moment) => moment ?? null)
  }

  return Effect.fnUntraced(function* (command: Protocol.Command) {
    switch (command) {
      case "watch":
        for (const name of Protocol.shopNames) {
          probes.set(name, yield* Probe.watch(shops[name], readEveryMillis))
        }
        return Protocol.noMoments
      case "change":
        return yield* each(settled)
      case "report":
        return yield* each(allNew)
    }
  })
})

const say = (answer: Protocol.Answer) =>
  Effect.flatMap(Schema.encodeEffect(Protocol.Answer)(answer), Console.log)

const sayReady = (ready: Protocol.Ready) =>
  Effect.flatMap(Schema.encodeEffect(Protocol.Ready)(ready), Console.log)

/** Standard output has the answers alone. */
const logs = Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])

const main = Effect.gen(function* () {
  const begin = yield* Schema.decodeEffect(Protocol.Begin)(process.argv[2] ?? "")
  const obey = yield* open(begin)
  const stdio = yield* Stdio.Stdio
  const metrics = begin.metrics === null ? null : yield* MetricsServer.start(begin.metrics)
  yield* sayReady({ metrics })
  yield* stdio.stdin.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.mapEffect((line) => Schema.decodeUnknownEffect(Protocol.Command)(line)),
    Stream.runForEach((command) => Effect.flatMap(obey(command), say)),
  )
}).pipe(Effect.scoped, Effect.provide([NodeHttpClient.layerUndici, NodeStdio.layer, logs]))

NodeRuntime.runMain(main)
