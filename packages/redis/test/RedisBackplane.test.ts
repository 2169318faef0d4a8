/** Nodes with memory alone over Redis Pub/Sub: what they hear, and how they know that they do not. */
import { it } from "@effect/vitest"
import { Backplane, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { assert } from "vitest"
import * as RedisBackplane from "../src/RedisBackplane.ts"
import * as RedisClient from "../src/RedisClient.ts"
import { connect, until } from "./support/clients.ts"
import { heard } from "./support/nodes.ts"
import { freshName, useServer } from "./support/tiers.ts"
import { redisSuite } from "./support/withRedis.ts"

const planeOn = (redis: RedisClient.Client, options: RedisBackplane.Options = {}) =>
  Effect.map(
    Layer.build(
      RedisBackplane.layer(options).pipe(
        Layer.provide(Layer.succeed(RedisClient.RedisClient, redis)),
      ),
    ),
    (built) => Context.get(built, Backplane.Backplane),
  )

/** A larder over memory, as another process would have it. */
const larderOn = (plane: Backplane.Backplane, name: string, lookup: () => number) =>
  Larder.make({
    name,
    value: Schema.Finite,
    upstream: Upstream.make({ lookup: (_: string) => Effect.sync(lookup) }),
    tags: () => ["tag"],
    policy: Policy.make({ freshFor: "1 hour", staleIfError: "2 hours" }),
  }).pipe(
    Effect.provide(TierStack.layer(MemoryTier.layer())),
    Effect.provideService(Backplane.Backplane, plane),
  )

type Node = Effect.Success<ReturnType<typeof larderOn>>

/** Waits until the links of all larders are open: each hears of a change by each other. */
const connected = (larders: ReadonlyArray<Node>) =>
  Effect.forEach(
    larders.flatMap((one) => larders.filter((other) => other !== one).map((other) => [one, other])),
    ([one, other]) =>
      Effect.gen(function* () {
        const count = Effect.map(
          other!.stats,
          (stats) => stats.messagesReceived + stats.messagesIgnored,
        )
        const before = yield* count
        yield* until(Effect.andThen(one!.set("probe", 0), count), (now) => now > before)
      }),
  )

const isFresh = (larder: Node, key: string) =>
  Effect.map(larder.read(key), ({ freshness }) => freshness._tag === "Fresh")

redisSuite("RedisBackplane", () => {
  const { server } = useServer()
  const url = Effect.map(server, ({ url }) => url)

  /** Two nodes, each with a connection of its own. */
  const two = (
    server: Effect.Effect<string>,
    {
      a,
      b,
      name = freshName(),
    }: { a?: RedisBackplane.Options; b?: RedisBackplane.Options; name?: string } = {},
  ) =>
    Effect.gen(function* () {
      const options = { url: yield* server, commandTimeout: "2 seconds" } as const
      let value = 1
      const one = yield* connect(options)
      const other = yield* connect(options)
      const lookup = () => value
      return {
        one,
        other,
        a: yield* larderOn(yield* planeOn(one, a), name, lookup),
        b: yield* larderOn(yield* planeOn(other, b), name, lookup),
        answer: (next: number) => {
          value = next
        },
      }
    })

  it.live("law 18: nodes with memory alone hear of sets, removals and tags", () =>
    Effect.gen(function* () {
      const { a, answer, b } = yield* two(url)
      yield* connected([a, b])
      assert.strictEqual((yield* b.stats).backplane, "redis")
      for (const [i, change] of [
        a.set("k", 2),
        a.expire("k"),
        a.remove("k"),
        a.invalidateTags("tag"),
        a.clear(),
      ].entries()) {
        yield* b.refresh("k")
        assert.isTrue(yield* isFresh(b, "k"))
        answer(10 + i)
        yield* change
        yield* until(isFresh(b, "k"), (fresh) => !fresh)
        assert.strictEqual(yield* b.get("k"), 10 + i)
      }
    }),
  )

  it.live("nodes of another prefix hear nothing", () =>
    Effect.gen(function* () {
      const name = freshName()
      const shop = yield* two(url, { name, a: { prefix: "shop" }, b: { prefix: "shop" } })
      const other = yield* two(url, { name, a: { prefix: "shop:b" }, b: { prefix: "other" } })
      yield* connected([shop.a, shop.b])
      for (const larder of [other.a, other.b]) yield* larder.get("k")
      yield* shop.b.get("k")
      yield* shop.a.set("k", 2)
      yield* until(isFresh(shop.b, "k"), (fresh) => !fresh)
      for (const larder of [other.a, other.b]) {
        assert.isTrue(yield* isFresh(larder, "k"))
        const { messagesIgnored, messagesReceived } = yield* larder.stats
        assert.deepStrictEqual([messagesIgnored, messagesReceived], [0, 0])
      }
    }),
  )

  it.live("nodes whose seed is the same hear each other", () =>
    Effect.gen(function* () {
      const { a, b } = yield* Random.withSeed(two(url), "the same")
      yield* connected([a, b])
    }),
  )

  it.live("law 19: a message of a newer format is a gap, and later ones arrive", () =>
    Effect.gen(function* () {
      const name = "newer"
      const { a, b, one } = yield* two(url, { name })
      yield* connected([a, b])
      const events = yield* heard(b as never)
      yield* b.get("k")
      yield* one.use((client) => client.publish("larder:b:{newer}", "2whatever"))
      yield* until(
        Effect.sync(() => events.of("GapDetected")),
        (gaps) => gaps.length === 1,
      )
      assert.strictEqual(events.of("GapDetected")[0]?.reason, "newerFormat")
      assert.isFalse(yield* isFresh(b, "k"))
      yield* b.refresh("k")
      assert.isTrue(yield* isFresh(b, "k"))
      // Foreign messages are ignored.
      yield* one.use((client) => client.publish("larder:b:{newer}", "hello"))
      yield* one.use((client) => client.publish("larder:b:{newer}", '1{"key":1}'))
      yield* a.set("k", 2)
      yield* until(isFresh(b, "k"), (fresh) => !fresh)
      assert.strictEqual((yield* b.stats).gaps, 1)
    }),
  )

  it.live("law 19: a lost subscription is a gap, and messages arrive after the reconnect", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const { a, b } = yield* two(Effect.succeed(server.url))
      yield* connected([a, b])
      const events = yield* heard(b as never)
      yield* b.get("k")
      yield* server.cli("CLIENT", "KILL", "TYPE", "pubsub")
      yield* until(
        Effect.sync(() => events.of("GapDetected")),
        (gaps) => gaps.length > 0,
      )
      assert.strictEqual(events.of("GapDetected")[0]?.reason, "disconnected")
      assert.isFalse(yield* isFresh(b, "k"))
      yield* connected([a, b])
      yield* b.get("k")
      yield* a.set("k", 2)
      yield* until(isFresh(b, "k"), (fresh) => !fresh)
    }),
  )

  it.live("law 19: a frozen server is noticed within three heartbeats", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const redis = yield* connect({
        url: server.url,
        heartbeat: "10 seconds",
        commandTimeout: "10 seconds",
      })
      const plane = yield* planeOn(redis, { heartbeat: "200 millis" })
      const a = yield* larderOn(plane, "frozen", () => 1)
      const b = yield* larderOn(plane, "frozen", () => 1)
      yield* connected([a, b])
      const events = yield* heard(a as never)
      yield* a.get("k")
      yield* Effect.sleep("1 second")
      assert.isTrue(yield* isFresh(a, "k"))
      yield* server.freeze
      const millis = yield* until(isFresh(a, "k"), (fresh) => !fresh)
      assert.isBelow(millis, 1_500)
      assert.deepStrictEqual(
        events.of("GapDetected").map(({ reason }) => reason),
        ["silence"],
      )
      yield* server.thaw
      yield* connected([a, b])
      yield* until(Effect.andThen(a.get("k"), isFresh(a, "k")))
      assert.strictEqual((yield* a.stats).gaps, 1)
    }),
  )

  it.live("a node has one heartbeat, whatever the number of its larders", () =>
    Effect.gen(function* () {
      const redis = yield* connect({ url: yield* url })
      const stats = redis.use((client) => client.info("commandstats"))
      const beats = Effect.map(stats, (text) =>
        Number(/cmdstat_publish:calls=(\d+)/.exec(text)?.[1] ?? 0),
      )
      const plane = yield* planeOn(redis, { heartbeat: "100 millis" })
      for (let i = 0; i < 10; i += 1) yield* larderOn(plane, freshName(), () => 1)
      const before = yield* beats
      // Ten heartbeats would send ten beats at once.
      const millis = yield* until(beats, (count) => count >= before + 10)
      assert.isAtLeast(millis, 800)
    }),
  )

  it.live(
    "law 22: a change right after opening reaches the others, though all closes at once",
    () =>
      Effect.gen(function* () {
        const name = freshName()
        const { a, b } = yield* two(url, { name })
        yield* connected([a, b])
        for (const millis of [0, 5]) {
          yield* b.refresh("k")
          assert.isTrue(yield* isFresh(b, "k"))
          const began = yield* Clock.currentTimeMillis
          yield* Effect.scoped(
            Effect.gen(function* () {
              const plane = yield* planeOn(yield* connect({ url: yield* url }))
              const larder = yield* larderOn(plane, name, () => 1)
              assert.isTrue((yield* larder.set("k", 2)).settled)
              yield* Effect.sleep(millis)
            }),
          )
          assert.isBelow((yield* Clock.currentTimeMillis) - began, 2_000)
          yield* until(isFresh(b, "k"), (fresh) => !fresh)
        }
      }),
  )

  it.live("changes made while the server is down reach the others when it is back", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const { a, b } = yield* two(Effect.succeed(server.url))
      yield* connected([a, b])
      yield* server.kill()
      yield* a.set("k", 2)
      yield* b.get("k")
      yield* server.restart()
      yield* connected([a, b])
      yield* until(isFresh(b, "k"), (fresh) => !fresh)
    }),
  )
})
