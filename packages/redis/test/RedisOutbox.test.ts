/** Outboxes in Redis: other processes are heard of, and options are checked. */
import { InvalidOptions, OutboxStore } from "@larder/core"
import { describe, expect, it } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { needed, rules } from "../src/internal/outboxRights.ts"
import * as RedisClient from "../src/RedisClient.ts"
import * as RedisOutbox from "../src/RedisOutbox.ts"
import { redisSuite } from "./support/withRedis.ts"

redisSuite("an outbox in Redis", () => {
  it.live("is one for all processes, and survives that the server is killed, with its file", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start({
        config: { appendonly: "yes", appendfsync: "everysec" },
      })
      const process = Effect.gen(function* () {
        const client = RedisClient.layer({ url: server.url, commandTimeout: "5 seconds" })
        const built = Layer.build(Layer.fresh(RedisOutbox.layer().pipe(Layer.provide(client))))
        const { open } = yield* Effect.provide(OutboxStore.OutboxStore, yield* built)
        return yield* open({ outbox: "prices", maxPending: 1_000, merges: false })
      })
      const one = yield* process
      const other = yield* process
      const heard: Array<number> = []
      yield* other.listen((waiting) => heard.push(waiting))
      const offers = Array.from({ length: 100 }, (_, i) => ({
        key: `k${i}`,
        version: 1,
        payload: "1",
        merged: [],
      }))
      expect(new Set((yield* one.offer(offers)).map(({ _tag }) => _tag))).toEqual(
        new Set(["Accepted"]),
      )
      yield* Effect.sleep("10 millis").pipe(Effect.repeat({ until: () => heard.includes(100) }))
      yield* server.kill()
      yield* server.restart({ keepData: true })
      const depth = yield* Effect.retry(other.depth, {
        times: 200,
        schedule: Schedule.spaced("100 millis"),
      })
      expect(depth.waiting).toBe(100)
    }),
  )
})

redisSuite("a damaged row", () => {
  const damages: ReadonlyArray<readonly [string, string | undefined]> = [
    ["text", "garbage\u00ff"],
    ["JSON", "{}"],
    ["an empty text", ""],
    ["an empty map", "\u0080"],
    ["a write without a version", "\u0081\u00a1w\u0093\u00a11\u00a11\u00a11"],
    ["cut off", "cut"],
    ["missing", undefined],
  ]
  const request = { max: 10, lockMillis: 60_000, minCount: 1, minAgeMillis: 0 }
  const write = (key: string, version: number, merged: ReadonlyArray<number> = []) => ({
    key,
    version,
    payload: `[${version}]`,
    merged,
  })

  it.live("stops no other (law 27): it waits, dies and gives way as a row of version 0", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const client = RedisClient.layer({ url: server.url, commandTimeout: "5 seconds" })
      const built = yield* Layer.build(RedisOutbox.layer().pipe(Layer.provide(client)))
      const { open } = yield* Effect.provide(OutboxStore.OutboxStore, built)
      for (const [name, damage] of damages) {
        const outbox = name.replaceAll(" ", "-")
        const rows = `larder:o:{${outbox}}:rows`
        const breaking = (key: string) =>
          Effect.gen(function* () {
            if (damage === undefined) return yield* server.cli("HDEL", rows, key)
            const script =
              "local row = redis.call('HGET', KEYS[1], ARGV[1]) return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] == 'cut' and row:sub(1, -4) or ARGV[2])"
            return yield* server.cli("EVAL", script, "1", rows, key, damage)
          })
        const store = yield* open({ outbox, maxPending: 10, merges: false })
        yield* store.offer(["a", "b", "c", "d"].map((key) => write(key, 5)))
        yield* breaking("a")
        // It is not gone: a lookup must not take the source's value for the newest.
        const waiting = (yield* store.rows(["a", "b"])).get("a")?.waiting
        expect([name, waiting?.version, waiting?.payload]).toEqual([name, 0, ""])
        const { writes } = yield* store.claim(request)
        expect(writes.map(({ key, payload }) => [key, payload])).toEqual([
          ["a", ""],
          ["b", "[5]"],
          ["c", "[5]"],
          ["d", "[5]"],
        ])
        expect(yield* store.bury(writes[0]!, { why: "unreadable" })).toBe(true)
        yield* store.done([writes[1]!])
        // In flight, and as a dead letter.
        yield* breaking("c")
        expect((yield* store.rows(["c"])).get("c")?.inFlight).toMatchObject({ version: 0 })
        yield* store.retry([writes[2]!], 0)
        yield* breaking("a")
        yield* store.bury(writes[3]!, { why: "too long" })
        const dead = yield* store.dead(undefined, 10)
        expect(dead).toMatchObject([
          { key: "a", version: 0, payload: "", why: expect.stringMatching(/damaged|missing/) },
          { key: "d", version: 5, why: "too long" },
        ])
        // Newer writes take their place.
        const answers = yield* store.offer([write("a", 6), write("c", 6)])
        expect(answers.map(({ _tag }) => _tag)).toEqual(["Accepted", "Accepted"])
        expect(yield* store.depth).toMatchObject({ waiting: 2, inFlight: 1, dead: 1 })
        expect(yield* store.revive("d")).toBe(true)
      }
    }),
  )
})

redisSuite("the rights of a user of outboxes", () => {
  const login = { username: "app", password: Redacted.make("pw") } as const

  /** Every step of a store, and what it hears; `false` where one of them fails. */
  const works = (url: string) =>
    Effect.gen(function* () {
      const { port } = new URL(url)
      const client = RedisClient.layer({
        host: "127.0.0.1",
        port: Number(port),
        ...login,
        commandTimeout: "5 seconds",
      })
      const layer = RedisOutbox.layer({ prefix: "shop" }).pipe(Layer.provide(client))
      const built = yield* Layer.build(Layer.fresh(layer))
      const { open } = yield* Effect.provide(OutboxStore.OutboxStore, built)
      const outbox = `outbox ${Math.random()}`
      const store = yield* open({ outbox, maxPending: 10, merges: false })
      const heard: Array<number> = []
      yield* store.listen((waiting) => heard.push(waiting))
      heard.length = 0
      const offer = (key: string) => ({ key, version: 1, payload: "1", merged: [] })
      yield* store.offer([offer("a"), offer("b"), offer("c")])
      const request = { max: 1, lockMillis: 1_000, minCount: 1, minAgeMillis: 0 }
      const claimed = Effect.map(store.claim(request), ({ writes }) => writes)
      const first = yield* claimed
      yield* store.renew(first, 1_000)
      yield* store.done(first)
      yield* store.retry(yield* claimed, 1_000)
      const [third] = yield* claimed
      yield* store.bury(third!, { why: "too long" })
      yield* store.claim(request)
      yield* store.dead(undefined, 1)
      yield* store.revive(third!.key)
      yield* store.discard(third!.key)
      yield* store.rows(["a"])
      yield* store.depth
      yield* Effect.sleep("20 millis").pipe(
        Effect.repeat({ times: 5, until: () => heard.length > 1 }),
      )
      return heard.length > 1
    }).pipe(
      Effect.scoped,
      Effect.provide(Logger.layer([])),
      Effect.catchCause(() => Effect.succeed(false)),
    )

  it.live(
    "are enough, and each one is used",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const user = (commands: ReadonlyArray<string>, names = rules("shop", false)) => {
          const [keys = "", channels = ""] = names.split(" ")
          const allowed = commands.map((command) => `+${command}`)
          return server.cli(
            "ACL",
            "SETUSER",
            "app",
            "reset",
            "on",
            ">pw",
            keys,
            channels,
            ...allowed,
          )
        }
        // Without EVALSHA the text of a script cannot be told from an unknown one.
        const optional = new Set(["ping", "unsubscribe"])
        yield* user(needed(false))
        expect(yield* works(server.url)).toBe(true)
        for (const command of needed(false).filter((one) => !optional.has(one))) {
          yield* user(needed(false).filter((other) => other !== command))
          yield* server.cli("SCRIPT", "FLUSH")
          expect([command, yield* works(server.url)]).toEqual([command, false])
        }
        for (const names of ["~shop:x:* &shop:o:*", "~shop:o:* &shop:x:*"]) {
          yield* user(needed(false), names)
          expect(yield* works(server.url)).toBe(false)
        }
      }),
    120_000,
  )
})

describe("options", () => {
  const redis = Layer.succeed(RedisClient.RedisClient, {} as never)
  it.each([
    [{ prefix: "" }, "prefix"],
    [{ name: " " }, "name"],
    [{ prefx: "shop" }, "prefx"],
  ])("dies with InvalidOptions for %o", async (options, field) => {
    const layer = RedisOutbox.layer(options as never).pipe(Layer.provide(redis))
    const exit = await Effect.runPromiseExit(Effect.scoped(Layer.build(layer)))
    const [reason] = Exit.isFailure(exit) ? exit.cause.reasons : []
    expect(reason).toMatchObject({ defect: expect.any(InvalidOptions) })
    expect(reason).toMatchObject({ defect: { module: "RedisOutbox", field } })
  })
})
