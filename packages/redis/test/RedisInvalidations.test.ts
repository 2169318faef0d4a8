/** Messages that any service publishes: a program of Python invalidates; a reconnect is a gap. */
import { it } from "@effect/vitest"
import {
  InvalidOptions,
  Invalidations,
  Larder,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import * as RedisServer from "@larder/testing/RedisServer"
import { execFileSync, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import * as RedisClient from "../src/RedisClient.ts"
import * as RedisInvalidations from "../src/RedisInvalidations.ts"
import { connect, until } from "./support/clients.ts"
import { redisSuite } from "./support/withRedis.ts"

const page = fileURLToPath(new URL("../../../docs/changes-from-outside.md", import.meta.url))

/** The publisher of the guide. */
const python = /```python\n([^]*?)```/.exec(readFileSync(page, "utf8"))?.[1] ?? ""

const hasPython = spawnSync("python3", ["--version"]).status === 0
if (!hasPython)
  console.log("No python3: the test of the guide's publisher is skipped. Install Python 3.")

const listening = (redis: RedisClient.Client, options: RedisInvalidations.Options) =>
  Effect.gen(function* () {
    const heard: Array<Invalidations.Change> = []
    const fiber = yield* RedisInvalidations.stream(options).pipe(
      Stream.runForEach((change) => Effect.sync(() => void heard.push(change))),
      Effect.provideService(RedisClient.RedisClient, redis),
      Effect.forkScoped({ startImmediately: true }),
    )
    return { heard, fiber }
  })

const subscribers = (server: RedisServer.RedisServer, count: number) =>
  until(
    server.cli("PUBSUB", "NUMSUB", "changes"),
    (reply) => Array.isArray(reply) && Number(reply[1]) === count,
  )

redisSuite("messages of other services", () => {
  it.live.skipIf(!hasPython)("the guide's Python program invalidates a key", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const redis = yield* connect({ url: server.url })
      let lookups = 0
      const products = yield* Larder.make({
        name: "app/Products",
        upstream: Upstream.make({ lookup: (_: string) => Effect.sync(() => (lookups += 1)) }),
        policy: Policy.make({ freshFor: "1 hour" }),
      })
      yield* products.get("milk")
      yield* products.get("tea")
      const changes = RedisInvalidations.stream({ channel: "changes", begin: "now" })
      yield* Invalidations.from(products, changes).pipe(
        Effect.provideService(RedisClient.RedisClient, redis),
        Effect.forkScoped,
      )
      yield* subscribers(server, 1)
      const env = { ...process.env, REDIS_PORT: String(server.port) }
      const said = execFileSync("python3", ["-c", python], { env, encoding: "utf8" })
      assert.strictEqual(said.trim(), ":1")
      yield* until(products.get("milk"), (value) => value === 3)
      assert.strictEqual(yield* products.get("tea"), 2)
    }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer()))),
  )

  it.live("law 29: the beginning and each reconnect are gaps; what is malformed is told", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const redis = yield* connect({ url: server.url })
      const { heard } = yield* listening(redis, { channel: "changes" })
      yield* subscribers(server, 1)
      yield* server.cli("PUBLISH", "changes", Invalidations.stringify({ larder: "a", keys: ["1"] }))
      yield* server.cli("PUBLISH", "changes", "hello")
      yield* server.cli("CLIENT", "KILL", "TYPE", "pubsub")
      yield* until(
        Effect.sync(() => heard.length),
        (length) => length === 4,
      )
      assert.deepStrictEqual(
        heard.map(({ _tag }) => _tag),
        ["Gap", "Change", "Malformed", "Gap"],
      )
    }),
  )

  it.live("with `begin: now` the beginning is none, and a reconnect is one", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const redis = yield* connect({ url: server.url })
      const { heard } = yield* listening(redis, { channel: "changes", begin: "now" })
      yield* subscribers(server, 1)
      yield* server.cli("PUBLISH", "changes", Invalidations.stringify({ larder: "a", clear: true }))
      yield* server.restart()
      yield* until(
        Effect.sync(() => heard.length),
        (length) => length === 2,
      )
      assert.deepStrictEqual(
        heard.map(({ _tag }) => _tag),
        ["Change", "Gap"],
      )
    }),
  )

  it.live("law 29: a reader that was too slow gets its gap without another message", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const redis = yield* connect({ url: server.url })
      const goes = yield* Latch.make()
      const heard: Array<Invalidations.Change> = []
      yield* RedisInvalidations.stream({ channel: "changes", begin: "now" }).pipe(
        Stream.runForEach((change) => {
          heard.push(change)
          return goes.await
        }),
        Effect.provideService(RedisClient.RedisClient, redis),
        Effect.forkScoped({ startImmediately: true }),
      )
      yield* subscribers(server, 1)
      const text = Invalidations.stringify({ larder: "a", keys: ["1"] })
      const flood = "for i = 1, 25000 do redis.call('PUBLISH', 'changes', ARGV[1]) end"
      yield* server.cli("EVAL", flood, "0", text)
      // Another subscription of the same connection: what came before its message has arrived.
      const others = yield* redis.subscribe("others")
      yield* Queue.take(others)
      yield* server.cli("PUBLISH", "others", "after the flood")
      yield* Queue.take(others)
      yield* goes.open
      yield* until(
        Effect.sync(() => heard.at(-1)?._tag),
        (last) => last === "Gap",
      )
      assert.isBelow(heard.length, 25_000)
      assert.strictEqual(heard.filter(({ _tag }) => _tag === "Gap").length, 1)
    }),
  )

  it.live("ends its subscription with the stream, and fails when the client closes", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const redis = yield* connect({ url: server.url })
      const { fiber } = yield* listening(redis, { channel: "changes" })
      yield* subscribers(server, 1)
      yield* Fiber.interrupt(fiber)
      yield* subscribers(server, 0)
      const closed = yield* Effect.scoped(
        Effect.flatMap(connect({ url: server.url }), (own) =>
          Effect.map(listening(own, { channel: "changes" }), () => own),
        ),
      )
      const late = RedisInvalidations.stream({ channel: "changes" }).pipe(
        Stream.runDrain,
        Effect.provideService(RedisClient.RedisClient, closed),
      )
      assert.strictEqual((yield* Effect.flip(late)).reason, "Closed")
    }),
  )

  for (const [options, text] of [
    [{}, 'channel must be the name of a channel, such as "changes", got undefined'],
    [{ channel: "" }, "channel must be the name of a channel"],
    [{ channel: "a", begin: "later" }, 'begin must be "gap" or "now", got "later"'],
    [{ chanel: "a" }, "chanel is an unknown option; did you mean `channel`?"],
  ] as const) {
    it.live(`dies with InvalidOptions: ${text}`, () =>
      Effect.gen(function* () {
        const run = Stream.runDrain(RedisInvalidations.stream(options as never))
        const exit = yield* Effect.exit(Effect.provide(run, RedisClient.layer({ port: 1 })))
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.instanceOf(error, InvalidOptions)
        assert.include(error.message, `RedisInvalidations: ${text}`)
      }),
    )
  }
})
