/** Effect's own modules of effect/persistence on the `Redis` service that the client's Layer provides. */
import { it } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Persistable from "effect/persistence/Persistable"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Persistence from "effect/persistence/Persistence"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Redis from "effect/persistence/Redis"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { expect } from "vitest"
import * as RedisClient from "../src/RedisClient.ts"
import { times, until } from "./support/clients.ts"
import { redisSuite } from "./support/withRedis.ts"

/** Each process of an application has a client of its own. */
const client = (options: RedisClient.Options) =>
  Layer.fresh(RedisClient.layer({ ...times, ...options })).pipe(Layer.provide(Logger.layer([])))

class Price extends Persistable.Class<{ payload: { readonly id: string } }>()("Price", {
  primaryKey: ({ id }) => id,
  success: Schema.Finite,
  error: Schema.String,
}) {}

const counter = Redis.script((key: string, by: number) => [key, by], {
  numberOfKeys: 1,
  lua: `return redis.call("INCRBY", KEYS[1], ARGV[1])`,
}).withReturnType<number>()

const job = Schema.Struct({ n: Schema.Finite })

const queueOf = (options: RedisClient.Options, prefix: string) =>
  Layer.build(
    PersistedQueue.layer.pipe(
      Layer.provide(
        Layer.fresh(PersistedQueue.layerStoreRedis({ prefix, pollInterval: "20 millis" })),
      ),
      Layer.fresh,
      Layer.provide(client(options)),
    ),
  ).pipe(
    Effect.flatMap((context) =>
      PersistedQueue.make({ name: "jobs", schema: job }).pipe(Effect.provide(context)),
    ),
  )

const breakerOf = (options: RedisClient.Options) =>
  Layer.build(
    Layer.fresh(CircuitBreaker.layerStoreRedis()).pipe(Layer.provide(client(options))),
  ).pipe(
    Effect.flatMap((context) =>
      CircuitBreaker.make({
        tripPolicy: CircuitBreaker.consecutive(2),
        openDuration: "1 minute",
      }).pipe(Effect.provide(context)),
    ),
  )

/** Two failures in one process are a rejection in the other. */
const sharesBreaker = (options: RedisClient.Options) =>
  Effect.gen(function* () {
    const [one, two] = [yield* breakerOf(options), yield* breakerOf(options)]
    const failing = Effect.fail("down")
    yield* Effect.flip(failing.pipe(one.execute({ key: "shop" })))
    yield* Effect.flip(failing.pipe(one.execute({ key: "shop" })))
    const error = yield* Effect.flip(Effect.void.pipe(two.execute({ key: "shop" })))
    expect(error.reason._tag).toBe("CircuitOpen")
    yield* Effect.void.pipe(two.execute({ key: "another" }))
  })

/** One process takes the items that the other offers, each once, and in order. */
const sharesQueue = (options: RedisClient.Options, prefix: string) =>
  Effect.gen(function* () {
    const [producer, consumer] = [yield* queueOf(options, prefix), yield* queueOf(options, prefix)]
    const taken = yield* Effect.forkChild(
      Effect.forEach([1, 2, 3], () => consumer.take(({ n }) => Effect.succeed(n))),
      { startImmediately: true },
    )
    for (const n of [1, 2, 3]) yield* producer.offer({ n }, { id: String(n) })
    yield* producer.offer({ n: 1 }, { id: "1" })
    expect(yield* Fiber.join(taken)).toEqual([1, 2, 3])
  })

redisSuite("effect/persistence over ioredis", () => {
  it.live("a circuit breaker that opens in one process is open in another", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      yield* sharesBreaker({ url: server.url })
    }),
  )

  it.live("a persisted queue is one queue for all processes", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      yield* sharesQueue({ url: server.url }, "jobs:")
    }),
  )

  it.live("a rate limit counts all processes together", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const limiter = Layer.build(
        Layer.fresh(RateLimiter.layer).pipe(
          Layer.provide(Layer.fresh(RateLimiter.layerStoreRedis())),
          Layer.provide(client({ url: server.url })),
        ),
      ).pipe(Effect.map((context) => Context.get(context, RateLimiter.RateLimiter)))
      const [one, two] = [yield* limiter, yield* limiter]
      const options = { key: "user", limit: 3, window: "1 minute" } as const
      expect((yield* one.consume(options)).remaining).toBe(2)
      expect((yield* two.consume(options)).remaining).toBe(1)
      expect((yield* one.consume(options)).remaining).toBe(0)
      expect((yield* Effect.flip(two.consume(options))).reason._tag).toBe("RateLimitExceeded")
    }),
  )

  it.live("what one process persists another reads, failures too, until it expires", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const store = Layer.build(
        Layer.fresh(Persistence.layerRedis).pipe(Layer.provide(client({ url: server.url }))),
      ).pipe(
        Effect.flatMap((context) =>
          Context.get(context, Persistence.Persistence).make({
            storeId: "prices",
            timeToLive: (exit) => (Exit.isSuccess(exit) ? "1 hour" : "50 millis"),
          }),
        ),
      )
      const [one, two] = [yield* store, yield* store]
      const [tea, milk, none] = ["tea", "milk", "none"].map((id) => new Price({ id }))
      if (tea === undefined || milk === undefined || none === undefined) return
      yield* one.set(milk, Exit.fail("sold out"))
      yield* one.setMany([[tea, Exit.succeed(4.5)]])
      expect(yield* two.getMany([tea, milk, none])).toEqual([
        Exit.succeed(4.5),
        Exit.fail("sold out"),
        undefined,
      ])
      yield* until(two.get(milk), (exit) => exit === undefined)
      yield* two.clear
      expect(yield* one.get(tea)).toBe(undefined)
    }),
  )

  it.live("scripts are loaded again after the server lost them", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const context = yield* Layer.build(client({ url: server.url }))
      const redis = Context.get(context, Redis.Redis)
      const add = redis.eval(counter)
      expect(yield* add("n", 2)).toBe(2)
      yield* server.cli("SCRIPT", "FLUSH")
      expect(yield* add("n", 3)).toBe(5)
      yield* server.restart()
      yield* until(add("n", 1), (n) => n === 1)
      const error = yield* Effect.flip(redis.send("INCRBY", "n", "s3cret"))
      expect(String(error.cause)).toContain("not an integer")
      expect(String(error.cause)).not.toContain("s3cret")
    }),
  )

  it.live(
    "a reserved connection may block for longer than a command may take, and holds up nobody",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const context = yield* Layer.build(
          client({ url: server.url, commandTimeout: "100 millis", pool: { maxConnections: 2 } }),
        )
        const redis = Context.get(context, Redis.Redis)
        const scope = yield* Scope.make()
        const connection = yield* Scope.provide(redis.reserve, scope)
        const popped = yield* Effect.forkChild(connection.send("BLPOP", "list", "0"), {
          startImmediately: true,
        })
        // Twice the time limit and more, as told by the server's own clock.
        const idle = Effect.map(server.cli("CLIENT", "LIST"), (text) =>
          /idle=[1-9]\d*[^\n]*cmd=blpop/.test(String(text)),
        )
        yield* until(idle, (yes) => yes)
        yield* redis.send("RPUSH", "list", "a")
        expect(yield* Fiber.join(popped)).toEqual(["list", "a"])
        expect(yield* connection.eval(counter)("n", 1)).toBe(1)
        yield* Effect.forkChild(connection.send("BLPOP", "list", "0"), { startImmediately: true })
        yield* until(idle.pipe(Effect.as(true)))
        yield* Scope.close(scope, Exit.void)
        yield* until(
          Effect.map(server.info("clients"), (info) => info.get("blocked_clients")),
          (count) => count === "0",
        )
      }),
  )

  it.live("a subscription outlives the connection; without a server it fails", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const context = yield* Layer.build(client({ url: server.url }))
      const redis = Context.get(context, Redis.Redis)
      const messages = yield* redis.subscribe("news")
      const hear = (text: string) =>
        Effect.andThen(
          server.cli("PUBLISH", "news", text),
          Queue.take(messages).pipe(Effect.timeout("100 millis")),
        )
      yield* until(hear("one"), ({ channel, message }) => channel === "news" && message === "one")
      yield* server.restart()
      yield* until(hear("two"), ({ message }) => message === "two")
      yield* server.kill()
      const late = yield* redis.subscribe("news")
      expect((yield* Effect.flip(Queue.take(late)))._tag).toBe("RedisError")
    }),
  )

  it.live(
    "on a Cluster: scripts on every node, and keys of one queue in one slot by its prefix",
    () =>
      Effect.gen(function* () {
        const cluster = yield* RedisServer.startCluster()
        const nodes = cluster.masters.map(({ host, port }) => ({ host, port }))
        yield* sharesBreaker({ cluster: { nodes } })
        yield* sharesQueue({ cluster: { nodes } }, "{jobs}:")
        const context = yield* Layer.build(client({ cluster: { nodes } }))
        const redis = Context.get(context, Redis.Redis)
        for (let i = 0; i < 30; i++) expect(yield* redis.eval(counter)(`n${i}`, i)).toBe(i)
        for (const master of cluster.masters) yield* master.cli("SCRIPT", "FLUSH")
        for (let i = 0; i < 30; i++) expect(yield* redis.eval(counter)(`n${i}`, 1)).toBe(i + 1)
        const connection = yield* redis.reserve
        const popped = yield* Effect.forkChild(connection.send("BLPOP", "list", "0"), {
          startImmediately: true,
        })
        yield* redis.send("RPUSH", "list", "a")
        expect(yield* Fiber.join(popped)).toEqual(["list", "a"])
      }),
    30_000,
  )
})
