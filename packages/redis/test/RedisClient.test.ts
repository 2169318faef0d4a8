/** One server and its faults: callers get their errors in time, and the client reconnects by itself. */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { it } from "@effect/vitest"
import * as RedisClient from "../src/RedisClient.ts"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { expect } from "vitest"
import { connect, times, until } from "./support/clients.ts"
import * as proxy from "./support/proxy.ts"
import { redisSuite } from "./support/withRedis.ts"

type Client = RedisClient.Client

const get = (redis: Client, key: string) => redis.use((client) => client.get(key))
const set = (redis: Client, key: string, value: string) =>
  redis.use((client) => client.set(key, value))

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const begin = yield* Clock.currentTimeMillis
    const value = yield* effect
    return [value, (yield* Clock.currentTimeMillis) - begin] as const
  })

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

/** A port without a listener: a server had it and has ended. */
const nobody = Effect.scoped(Effect.map(RedisServer.start(), ({ port }) => port))

redisSuite("RedisClient", () => {
  it.live("commands of a process that has just started wait for the first connection", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const redis = yield* connect({ url: server.url })
      expect(yield* redis.state).toBe("connecting")
      const answers = yield* Effect.forEach(range(100), (i) => set(redis, `k${i}`, "1"), {
        concurrency: "unbounded",
      })
      expect(answers).toEqual(range(100).map(() => "OK"))
      expect(yield* redis.state).toBe("ready")
      expect((yield* redis.masters).length).toBe(1)
    }),
  )

  it.live("an error reply is an error with its code, and without what was sent", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const redis = yield* connect({ host: "127.0.0.1", port: server.port })
      yield* set(redis, "text", "private")
      const error = yield* Effect.flip(redis.use((client) => client.lpush("text", "s3cret")))
      expect([error.reason, error.code]).toEqual(["Reply", "WRONGTYPE"])
      expect(JSON.stringify(error)).not.toContain("s3cret")
      const own = new TypeError("mine")
      const thrown = yield* Effect.flip(
        redis.use(() => {
          throw own
        }),
      )
      expect([thrown.reason, thrown.cause]).toEqual(["Failed", own])
    }),
  )

  it.live("a unix socket, a database, and an ACL user with a password", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start({
        unixSocket: true,
        config: { user: ["app on >s3cret:/@ ~* &* +@all"] },
      })
      const password = Redacted.make("s3cret:/@")
      const redis = yield* connect({
        path: server.unixSocket ?? "",
        username: "app",
        password,
        db: 3,
      })
      expect(yield* redis.use((client) => client.acl("WHOAMI"))).toBe("app")
      yield* set(redis, "a", "1")
      const url = `redis://app:${encodeURIComponent(Redacted.value(password))}@127.0.0.1:${server.port}/3`
      const other = yield* connect({ url: Redacted.make(url) })
      expect(yield* get(other, "a")).toBe("1")
    }),
  )

  it.live("an ACL user who may do little more than its own commands", () =>
    Effect.gen(function* () {
      const may = "+hello +info +ping +select +get +set +subscribe +unsubscribe"
      const server = yield* RedisServer.start({
        config: { user: [`app on >s3cret ~app:* resetchannels &news -@all ${may}`] },
      })
      const redis = yield* connect({ url: `redis://app:s3cret@127.0.0.1:${server.port}/1` })
      expect(yield* set(redis, "app:a", "1")).toBe("OK")
      expect((yield* Effect.flip(set(redis, "b", "1"))).code).toBe("NOPERM")
      const events = yield* redis.subscribe("news")
      expect((yield* Queue.take(events))._tag).toBe("Subscribed")
    }),
  )

  it.live("a server that speaks the older protocol alone", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start({
        password: "s3cret",
        config: { "rename-command": 'HELLO ""' },
      })
      const redis = yield* connect({ url: server.url, heartbeat: "20 millis" })
      expect(yield* set(redis, "a", "1")).toBe("OK")
      const events = yield* redis.subscribe("one")
      expect((yield* Queue.take(events))._tag).toBe("Subscribed")
      const pings = Effect.map(server.calls, (calls) => calls.get("ping") ?? 0)
      const before = yield* pings
      yield* until(pings, (now) => now > before + 4)
      const other = yield* redis.subscribe("two")
      expect((yield* Queue.take(other))._tag).toBe("Subscribed")
      yield* server.cli("PUBLISH", "one", "1")
      expect(yield* Queue.take(events)).toEqual({ _tag: "Message", channel: "one", message: "1" })
    }),
  )

  it.live("a wrong password is what each command fails of, and is not shown", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start({ password: "right" })
      const redis = yield* connect({ host: "127.0.0.1", port: server.port, password: "wr0ng" })
      const error = yield* Effect.flip(get(redis, "a"))
      expect(error.reason).toBe("Unavailable")
      expect(error.message).toContain("WRONGPASS")
      expect(JSON.stringify(error) + Cause.pretty(Cause.fail(error))).not.toContain("wr0ng")
    }),
  )

  it.live("an outage is one warning and one line at its end, without the password", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start({ password: "s3cret" })
      const lines: Array<string> = []
      const logger = Logger.layer([
        Logger.make(({ logLevel, message }) => {
          lines.push(`${logLevel} ${String(message)}`)
        }),
      ])
      const context = yield* Layer.build(
        RedisClient.layer({ ...times, url: server.url }).pipe(Layer.provide(logger)),
      )
      const redis = Context.get(context, RedisClient.RedisClient)
      yield* set(redis, "a", "1")
      yield* server.kill()
      yield* until(redis.state, (state) => state === "reconnecting")
      for (const _ of range(50)) yield* Effect.flip(get(redis, "a"))
      // An outage that is over at once is not told.
      yield* until(
        Effect.sync(() => lines.length),
        (count) => count > 0,
      )
      yield* server.restart()
      yield* until(get(redis, "a"))
      expect(lines.map((line) => line.split(" ", 1)[0])).toEqual(["Warn", "Info"])
      expect(lines.join()).toContain(`127.0.0.1:${server.port}`)
      expect(lines.join()).not.toContain("s3cret")
    }),
  )

  it.live("options from Config", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start({ password: "s3cret" })
      const layer = RedisClient.layerConfig({
        url: Config.Redacted("REDIS_URL"),
        commandTimeout: Config.Duration("REDIS_TIMEOUT"),
      })
      const env = { REDIS_URL: server.url, REDIS_TIMEOUT: "300 millis" }
      const context = yield* Layer.build(layer).pipe(
        Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(env)),
      )
      expect(yield* set(Context.get(context, RedisClient.RedisClient), "a", "1")).toBe("OK")
      const missing = yield* Layer.build(layer).pipe(
        Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown({})),
        Effect.flip,
      )
      expect(missing._tag).toBe("ConfigError")
    }),
  )

  it.live("while Redis is away, 10,000 commands fail at once and leave nothing behind", () =>
    Effect.gen(function* () {
      const port = yield* nobody
      const redis = yield* connect({ host: "127.0.0.1", port })
      const [first, waited] = yield* timed(Effect.flip(get(redis, "a")))
      expect([first.reason, yield* redis.state]).toEqual(["Unavailable", "reconnecting"])
      expect(first.message).toContain("ECONNREFUSED")
      expect(waited).toBeLessThan(500)
      const before = process.memoryUsage().heapUsed
      const [errors, took] = yield* timed(
        Effect.forEach(range(10_000), (i) => Effect.flip(set(redis, `k${i}`, "x".repeat(1_000))), {
          concurrency: "unbounded",
        }),
      )
      expect(new Set(errors.map(({ reason }) => reason))).toEqual(new Set(["Unavailable"]))
      expect(took).toBeLessThan(5_000)
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(100_000_000)
    }),
  )

  it.live("starts while Redis is away, and works when it comes", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      yield* server.kill()
      const redis = yield* connect({ url: server.url })
      expect((yield* Effect.flip(get(redis, "a"))).reason).toBe("Unavailable")
      yield* server.restart()
      expect(yield* until(set(redis, "a", "1"))).toBeLessThan(2_000)
    }),
  )

  it.live(
    "killed and started again on the same port: back by itself, with whatever data there is",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const redis = yield* connect({ url: server.url })
        yield* set(redis, "a", "1")
        const blocked = yield* Effect.forkChild(
          Effect.flip(redis.use((client) => client.blpop("none", 0))),
          { startImmediately: true },
        )
        yield* until(
          Effect.map(server.info("clients"), (info) => info.get("blocked_clients")),
          (count) => count === "1",
        )
        yield* server.kill()
        expect((yield* Fiber.join(blocked)).reason).toBe("Lost")
        expect((yield* Effect.flip(get(redis, "a"))).reason).toBe("Unavailable")
        yield* server.restart()
        yield* until(get(redis, "a"), (value) => value === null)
        yield* set(redis, "a", "2")
        yield* server.restart({ keepData: true })
        yield* until(get(redis, "a"), (value) => value === "2")
      }),
  )

  it.live("disconnected in the middle of an attempt to connect, it tries again", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const redis = yield* connect({ url: server.url })
      yield* set(redis, "a", "1")
      const { connector } = redis.client as unknown as {
        readonly connector: { readonly disconnect: () => void }
      }
      let ends = 0
      redis.client.on("end", () => ends++)
      // What ioredis itself does when a Sentinel announces a failover at that moment.
      redis.client.once("connecting", () => {
        connector.disconnect()
      })
      yield* server.restart({ keepData: true })
      yield* until(get(redis, "a"), (value) => value === "1")
      expect(ends).toBe(1)
    }),
  )

  it.live(
    "frozen for 2 s: every caller hears in time, and no answer goes to another afterwards",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const redis = yield* connect({ url: server.url })
        for (const i of range(50)) yield* set(redis, `k${i}`, `v${i}`)
        yield* server.freeze
        const begin = yield* Clock.currentTimeMillis
        let asked = 0
        while ((yield* Clock.currentTimeMillis) - begin < 2_000) {
          const [results, took] = yield* timed(
            Effect.forEach(range(20), (i) => Effect.result(get(redis, `k${i}`)), {
              concurrency: "unbounded",
            }),
          )
          expect(results.every((result) => result._tag === "Failure")).toBe(true)
          expect(took).toBeLessThan(600)
          asked++
          yield* Effect.sleep("50 millis")
        }
        expect(asked).toBeGreaterThan(5)
        yield* server.thaw
        expect(yield* until(get(redis, "k0"))).toBeLessThan(1_500)
        const answers = yield* Effect.forEach(range(50), (i) => get(redis, `k${i}`), {
          concurrency: "unbounded",
        })
        expect(answers).toEqual(range(50).map((i) => `v${i}`))
      }),
  )

  it.live("frozen for less than it takes to give up: late answers are nobody's", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const redis = yield* connect({ url: server.url, commandTimeout: "400 millis" })
      for (const i of range(20)) yield* set(redis, `k${i}`, `v${i}`)
      const id = yield* redis.use((client) => client.client("ID"))
      yield* server.freeze
      const error = yield* Effect.flip(get(redis, "k0"))
      expect(error.reason).toBe("Timeout")
      const rest = yield* Effect.forkChild(
        Effect.forEach(range(20), (i) => get(redis, `k${i}`), { concurrency: "unbounded" }),
        { startImmediately: true },
      )
      yield* server.thaw
      expect(yield* Fiber.join(rest)).toEqual(range(20).map((i) => `v${i}`))
      expect(yield* redis.use((client) => client.client("ID"))).toBe(id)
    }),
  )

  it.live("an idle connection that silently died is noticed and replaced", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const way = yield* proxy.start(server.port)
      const redis = yield* connect({ host: "127.0.0.1", port: way.port })
      const events = yield* redis.subscribe("news")
      expect((yield* Queue.take(events))._tag).toBe("Subscribed")
      yield* set(redis, "a", "1")
      yield* way.silence
      // Nobody sends anything: the heartbeats find out.
      expect((yield* Queue.take(events))._tag).toBe("Lost")
      yield* until(redis.state, (state) => state === "reconnecting")
      yield* way.restore
      yield* until(get(redis, "a"), (value) => value === "1")
      expect((yield* Queue.take(events))._tag).toBe("Subscribed")
      yield* server.cli("PUBLISH", "news", "back")
      expect(yield* Queue.take(events)).toEqual({
        _tag: "Message",
        channel: "news",
        message: "back",
      })
    }),
  )

  it.live("a caller who is interrupted leaves the connection in order", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const redis = yield* connect({ url: server.url, commandTimeout: "5 seconds" })
      yield* set(redis, "a", "1")
      yield* server.freeze
      const fibers = yield* Effect.forEach(range(100), () =>
        Effect.forkChild(get(redis, "none"), { startImmediately: true }),
      )
      yield* Fiber.interruptAll(fibers)
      const one = yield* Effect.forkChild(get(redis, "a"), { startImmediately: true })
      yield* server.thaw
      expect(yield* Fiber.join(one)).toBe("1")
    }),
  )

  it.live("a master that becomes a replica: the client reconnects, to find who is master now", () =>
    Effect.gen(function* () {
      const pair = yield* RedisServer.startReplicated({ sentinels: 0 })
      const redis = yield* connect({ url: pair.nodes[0].url })
      yield* set(redis, "a", "1")
      const id = yield* redis.use((client) => client.client("ID"))
      yield* pair.failover
      const error = yield* Effect.flip(set(redis, "a", "2"))
      expect([error.reason, error.code]).toEqual(["Reply", "READONLY"])
      yield* until(
        redis.use((client) => client.client("ID")),
        (now) => now !== id,
      )
    }),
  )

  it.live(
    "subscriptions share a connection, outlive it, and say where messages may be missing",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const redis = yield* connect({ url: server.url })
        const scope = yield* Scope.make()
        const [one, two] = [yield* redis.subscribe("one"), yield* redis.subscribe("two")]
        const short = yield* Scope.provide(redis.subscribe("short"), scope)
        for (const queue of [one, two, short]) {
          expect((yield* Queue.take(queue))._tag).toBe("Subscribed")
        }
        const listeners = Effect.map(server.cli("CLIENT", "LIST", "TYPE", "pubsub"), (text) =>
          String(text).trim().split("\n"),
        )
        expect((yield* listeners).length).toBe(1)
        yield* Scope.close(scope, Exit.void)
        yield* until(
          server.cli("PUBSUB", "NUMSUB", "short"),
          (reply) => JSON.stringify(reply) === '["short",0]',
        )
        yield* server.kill()
        expect((yield* Queue.take(one))._tag).toBe("Lost")
        yield* server.restart()
        for (const queue of [one, two])
          yield* until(Queue.take(queue), (e) => e._tag === "Subscribed")
        yield* server.cli("PUBLISH", "two", "2")
        yield* server.cli("PUBLISH", "one", "1")
        expect(yield* Queue.take(one)).toEqual({ _tag: "Message", channel: "one", message: "1" })
        expect(yield* Queue.take(two)).toEqual({ _tag: "Message", channel: "two", message: "2" })
      }),
  )

  it.live("a subscriber who does not keep up hears that messages are missing", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const redis = yield* connect({ url: server.url })
      const events = yield* redis.subscribe("flood")
      expect((yield* Queue.take(events))._tag).toBe("Subscribed")
      yield* redis
        .use((client) => {
          const pipeline = client.pipeline()
          for (const i of range(10_500)) pipeline.publish("flood", String(i))
          return pipeline.exec()
        })
        .pipe(Effect.ignore)
      yield* until(Queue.size(events), (size) => size === 10_001)
      const taken = yield* Queue.takeAll(events)
      expect(taken.length).toBe(10_001)
      expect(taken.findIndex(({ _tag }) => _tag === "Subscribed")).toBe(10_000)
    }),
  )

  it.live("a channel that the server refuses is the queue's error", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start({
        config: { user: ["app on >pw ~* resetchannels &mine +@all"] },
      })
      const redis = yield* connect({
        host: "127.0.0.1",
        port: server.port,
        username: "app",
        password: "pw",
      })
      const mine = yield* redis.subscribe("mine")
      const yours = yield* redis.subscribe("yours")
      expect((yield* Queue.take(mine))._tag).toBe("Subscribed")
      expect((yield* Effect.flip(Queue.take(yours))).code).toBe("NOPERM")
    }),
  )

  it.live("closes within a second while the server is frozen, and nothing comes back", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const scope = yield* Scope.make()
      const redis = yield* Scope.provide(connect({ url: server.url }), scope)
      const events = yield* redis.subscribe("news")
      yield* Queue.take(events)
      yield* set(redis, "a", "1")
      yield* server.freeze
      const left = yield* Effect.forkChild(Effect.flip(get(redis, "a")), {
        startImmediately: true,
      })
      const [, took] = yield* timed(Scope.close(scope, Exit.void))
      expect(took).toBeLessThan(1_000)
      expect(["Closed", "Timeout"]).toContain((yield* Fiber.join(left)).reason)
      expect((yield* Effect.flip(Queue.take(events))).reason).toBe("Closed")
      expect((yield* Effect.flip(get(redis, "a"))).reason).toBe("Closed")
      const late = yield* redis.subscribe("news")
      expect((yield* Effect.flip(Queue.take(late))).reason).toBe("Closed")
      expect(yield* redis.state).toBe("closed")
      yield* server.thaw
      yield* until(
        Effect.map(server.info("clients"), (info) => info.get("connected_clients")),
        (count) => count === "1",
      )
      const accepted = Effect.map(server.info("stats"), (info) =>
        Number(info.get("total_connections_received")),
      )
      const [before, after] = [yield* accepted, yield* accepted]
      expect(after - before).toBe(1)
    }),
  )

  it.live("closes at once while Redis is away", () =>
    Effect.gen(function* () {
      const port = yield* nobody
      const scope = yield* Scope.make()
      const redis = yield* Scope.provide(connect({ host: "127.0.0.1", port }), scope)
      yield* Effect.flip(get(redis, "a"))
      const [, took] = yield* timed(Scope.close(scope, Exit.void))
      expect(took).toBeLessThan(1_000)
    }),
  )

  const certificate = () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "larder-tls-"))
    const [key, cert] = [path.join(folder, "key.pem"), path.join(folder, "cert.pem")]
    try {
      execFileSync(
        "openssl",
        `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout ${key} -out ${cert}`.split(
          " ",
        ),
        { stdio: "ignore" },
      )
      const text = fs.readFileSync(cert, "utf8")
      return { key: fs.readFileSync(key, "utf8"), cert: text, ca: text }
    } catch {
      return undefined
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
  }
  const tls = certificate()

  it.live.skipIf(tls === undefined)("TLS, with a certificate that is checked", () =>
    Effect.gen(function* () {
      if (tls === undefined) return
      const server = yield* RedisServer.start({ tls })
      const port = server.tlsPort ?? 0
      const redis = yield* connect({ host: "127.0.0.1", port, tls: { ca: tls.ca } })
      expect(yield* set(redis, "a", "1")).toBe("OK")
      const trusting = yield* connect({ url: `rediss://127.0.0.1:${port}` })
      const error = yield* Effect.flip(get(trusting, "a"))
      expect([error.reason, /self.signed/.test(error.message)]).toEqual(["Unavailable", true])
    }),
  )
})
