/** Law 30 on real servers: one holder of the newest token, whatever stops, freezes or loses its data. */
import { it } from "@effect/vitest"
import { Lease, Tier } from "@larder/core"
import * as RedisServer from "@larder/testing/RedisServer"
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import { assert, describe } from "vitest"
import * as RedisClient from "../src/RedisClient.ts"
import * as RedisLease from "../src/RedisLease.ts"
import { connect, until } from "./support/clients.ts"
import * as proxy from "./support/proxy.ts"
import { connectCluster } from "./support/topologies.ts"
import { tierOn } from "./support/tiers.ts"
import { redisSuite } from "./support/withRedis.ts"

const on =
  (redis: RedisClient.Client) =>
  <A, E>(effect: Effect.Effect<A, E, RedisClient.RedisClient>): Effect.Effect<A, E> =>
    Effect.provideService(effect, RedisClient.RedisClient, redis)

const tagOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>): string => {
  if (Exit.isSuccess(exit)) return "done"
  const error = Cause.findErrorOption(exit.cause)
  return error._tag === "Some" ? error.value._tag : Cause.pretty(exit.cause)
}

/** A holder that stays: its token, and its end with the moment of it. */
const holding = (redis: RedisClient.Client, lease: string = "2 seconds") =>
  Effect.gen(function* () {
    const began = yield* Deferred.make<number>()
    const held = RedisLease.withLease("job", { lease: lease as "2 seconds" })((token) =>
      Effect.andThen(Deferred.succeed(began, token), Effect.never),
    )
    const ended = Effect.zip(Effect.exit(on(redis)(held)), Clock.currentTimeMillis)
    const fiber = yield* Effect.forkScoped(ended, { startImmediately: true })
    const token = yield* Deferred.await(began)
    const end = Effect.map(Fiber.join(fiber), ([exit, at]) => ({ tag: tagOf(exit), at }))
    return { token, end, fiber }
  })

const next = (redis: RedisClient.Client, wait: "0 millis" | "20 seconds") =>
  on(redis)(RedisLease.withLease("job", { lease: "2 seconds", wait })(Effect.succeed))

redisSuite("a lease alone on Redis", () => {
  it.live(
    "law 30: of ten contenders on three clients at most one is inside, and tokens rise",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const clients = yield* Effect.forEach([1, 2, 3], () => connect({ url: server.url }))
        let inside = 0
        let most = 0
        const tokens: Array<number> = []
        const work = (token: number) =>
          Effect.gen(function* () {
            inside += 1
            most = Math.max(most, inside)
            tokens.push(token)
            yield* Effect.sleep(yield* Random.nextIntBetween(1, 15))
            inside -= 1
          })
        const contender = (i: number) => {
          const options = { lease: "5 seconds", wait: "30 seconds" } as const
          return on(clients[i % 3]!)(RedisLease.withLease("job", options)(work))
        }
        const turns = Effect.forEach(Array.from({ length: 4 }), () =>
          Effect.forEach(
            Array.from({ length: 10 }, (_, i) => contender(i)),
            (one) => one,
            {
              concurrency: "unbounded",
            },
          ),
        )
        yield* turns
        assert.strictEqual(most, 1)
        assert.strictEqual(tokens.length, 40)
        assert.deepStrictEqual(
          tokens,
          [...new Set(tokens)].toSorted((a, b) => a - b),
        )
      }),
    60_000,
  )

  it.live(
    "a waiting client hears at once that it is free, on one connection for all that wait",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const [a, b] = [yield* connect({ url: server.url }), yield* connect({ url: server.url })]
        const one = yield* holding(a, "1 minute")
        const connections = Effect.map(server.info("clients"), (info) =>
          Number(info.get("connected_clients")),
        )
        const before = yield* connections
        const wait = { lease: "1 minute", wait: "1 minute" } as const
        const ended = on(b)(RedisLease.withLease("job", wait)(() => Clock.currentTimeMillis))
        const waiting = yield* Effect.forEach([1, 2, 3, 4], () => Effect.forkScoped(ended))
        yield* until(connections, (now) => now === before + 1)
        // Long enough for the pauses between two requests to have grown.
        yield* Effect.sleep("3 seconds")
        const freed = yield* Clock.currentTimeMillis
        yield* Fiber.interrupt(one.fiber)
        const entered = yield* Effect.forEach(waiting, Fiber.join)
        assert.isBelow(Math.min(...entered) - freed, 250)
        yield* until(connections, (now) => now === before)
      }),
    30_000,
  )

  it.live(
    "a holder that is cut off ends when its lease's time is over, before another gets the lease",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const way = yield* proxy.start(server.port)
        const [a, b] = [yield* connect({ port: way.port }), yield* connect({ url: server.url })]
        const one = yield* holding(a)
        const cutAt = yield* Clock.currentTimeMillis
        yield* way.silence
        const got = yield* Effect.forkScoped(
          Effect.zip(next(b, "20 seconds"), Clock.currentTimeMillis),
        )
        const end = yield* one.end
        const [token, at] = yield* Fiber.join(got)
        assert.strictEqual(end.tag, "LeaseLost")
        assert.isAtLeast(end.at - cutAt, 1_000)
        assert.isAbove(token, one.token)
        // The end includes a try to give the lease back; the effect was interrupted before it.
        assert.isAtMost(end.at - cutAt, 2_000 + 1_000 + 500)
        assert.isAtLeast(at - cutAt, 1_000)
      }),
    30_000,
  )

  it.live(
    "a server that is frozen ends the holder by its lease's time, and leases again once it goes on",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const [a, b] = [yield* connect({ url: server.url }), yield* connect({ url: server.url })]
        const one = yield* holding(a)
        yield* server.freeze
        const refused = yield* Effect.exit(next(b, "0 millis"))
        assert.strictEqual(tagOf(refused), "TierError")
        const waiting = yield* Effect.forkScoped(next(b, "20 seconds"))
        assert.strictEqual((yield* one.end).tag, "LeaseLost")
        yield* server.thaw
        assert.isAbove(yield* Fiber.join(waiting), one.token)
      }),
    30_000,
  )

  it.live(
    "a holder learns within a third of the lease that the server lost its data; the next token is higher",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const [a, b] = [yield* connect({ url: server.url }), yield* connect({ url: server.url })]
        const one = yield* holding(a, "6 seconds")
        yield* server.cli("FLUSHALL")
        const lostAt = yield* Clock.currentTimeMillis
        assert.isAbove(yield* next(b, "0 millis"), one.token)
        const end = yield* one.end
        assert.strictEqual(end.tag, "LeaseLost")
        // With room for a busy machine.
        assert.isBelow(end.at - lostAt, 2_000 + 500)
      }),
    30_000,
  )

  it.live(
    "a holder that was stopped for longer than its lease finds, once it goes on, that it was lost",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const b = yield* connect({ url: server.url })
        const script = fileURLToPath(new URL("support/leaseHolder.ts", import.meta.url))
        const said: Array<string> = []
        const child: ChildProcess = yield* Effect.acquireRelease(
          Effect.sync(() => {
            const child = spawn(process.execPath, [script, JSON.stringify({ url: server.url })])
            child.stdout.setEncoding("utf8").on("data", (text: string) => {
              said.push(...text.split("\n").filter((line) => line !== ""))
            })
            return child
          }),
          (child) => Effect.sync(() => child.kill("SIGKILL")),
        )
        yield* until(
          Effect.sync(() => said.length),
          (lines) => lines === 1,
        )
        child.kill("SIGSTOP")
        const token = yield* next(b, "20 seconds")
        assert.isAbove(token, Number(said[0]?.replace("held ", "")))
        child.kill("SIGCONT")
        yield* until(
          Effect.sync(() => said),
          (lines) => lines.length === 2,
        )
        assert.strictEqual(said[1], "ended LeaseLost")
      }),
    90_000,
  )

  it.live("is the lease of `Lease.withLease` over a tier of the same prefix", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const redis = yield* connect({ url: server.url })
      const tier = yield* tierOn(redis, { prefix: "shop" })
      const other = yield* tierOn(redis, { prefix: "other" })
      const over = (tier: Tier.ByteTier) =>
        Effect.exit(
          Effect.provideService(
            Lease.withLease("job", { lease: "1 minute" })(() => Effect.void),
            Tier.Tier,
            tier,
          ),
        )
      const inside = Effect.all([over(tier), over(other)])
      const options = { lease: "1 minute", prefix: "shop" } as const
      const ends = yield* on(redis)(RedisLease.withLease("job", options)(() => inside))
      assert.deepStrictEqual(ends.map(tagOf), ["LeaseNotAcquired", "done"])
    }),
  )

  it.live("a caller whose client has closed gets a TierError", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const closed = yield* Effect.scoped(connect({ url: server.url }))
      assert.strictEqual(tagOf(yield* Effect.exit(next(closed, "0 millis"))), "TierError")
    }),
  )

  for (const [what, options, text] of [
    [
      "a prefix with braces",
      { lease: "1 second", prefix: "a{b}" },
      "RedisLease: prefix must have no braces",
    ],
    [
      "a misspelt option",
      { lease: "1 second", prefx: "a" },
      "RedisLease: prefx is an unknown option; did you mean `prefix`?",
    ],
    ["a lease of a text", { lease: "soon" }, "Lease: lease must be a duration of 100 milliseconds"],
  ] as const) {
    it.live(`dies with InvalidOptions for ${what}`, () =>
      Effect.gen(function* () {
        const lease = RedisLease.withLease("job", options as never)(() => Effect.void)
        const client = RedisClient.layer({ port: 1 })
        const exit = yield* Effect.exit(Effect.provide(lease, client))
        assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", text)
      }),
    )
  }
})

describe("a lease alone on a Cluster", () => {
  redisSuite("three masters", () => {
    it.live(
      "keys on all of them are leased, and freed by message",
      () =>
        Effect.gen(function* () {
          const cluster = yield* RedisServer.startCluster({ masters: 3 })
          const [a, b] = [yield* connectCluster(cluster), yield* connectCluster(cluster)]
          const keys = Array.from({ length: 12 }, (_, i) => `job ${i}`)
          const options = { lease: "1 minute", wait: "1 minute" } as const
          yield* Effect.forEach(
            keys,
            (key) =>
              Effect.gen(function* () {
                const began = yield* Deferred.make<number>()
                const first = yield* Effect.forkScoped(
                  on(a)(
                    RedisLease.withLease(
                      key,
                      options,
                    )((token) =>
                      Effect.andThen(Deferred.succeed(began, token), Effect.sleep("3 seconds")),
                    ),
                  ),
                )
                const token = yield* Deferred.await(began)
                const second = yield* Effect.forkScoped(
                  on(b)(
                    RedisLease.withLease(
                      key,
                      options,
                    )((token) => Effect.map(Clock.currentTimeMillis, (at) => ({ token, at }))),
                  ),
                )
                yield* Fiber.join(first)
                const freed = yield* Clock.currentTimeMillis
                const got = yield* Fiber.join(second)
                assert.isAbove(got.token, token)
                assert.isBelow(got.at - freed, 250)
              }),
            { concurrency: "unbounded" },
          )
        }),
      60_000,
    )
  })
})
