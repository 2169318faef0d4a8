/** The log of a failing connection: the cause and a remedy, but not a line for each short outage. */
import * as net from "node:net"
import { it } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { assert, describe, vi } from "vitest"
import { settings } from "../src/internal/client/options.ts"
import * as RedisClient from "../src/RedisClient.ts"
import { times, until } from "./support/clients.ts"
import { range } from "./support/topologies.ts"
import { redisSuite } from "./support/withRedis.ts"

const logged = (options: RedisClient.Options) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      lines.push(`${logLevel} ${String(message)}`)
    })
    const context = yield* Layer.build(
      RedisClient.layer({ ...times, ...options }).pipe(Layer.provide(Logger.layer([logger]))),
    )
    return { lines, redis: Context.get(context, RedisClient.RedisClient) }
  })

const ping = (redis: RedisClient.Client) => redis.use((client) => client.ping())
const has = (lines: ReadonlyArray<string>, text: RegExp) =>
  until(
    Effect.sync(() => lines.some((line) => text.test(line))),
    Boolean,
  )

describe("what the log says of a client that is closed", () => {
  it.live("is said once, with the remedy, when it is used again", () =>
    Effect.gen(function* () {
      const { lines, redis } = yield* Effect.scoped(logged({ port: 1 }))
      assert.deepStrictEqual(lines, [])
      for (const _ of range(3)) {
        assert.strictEqual((yield* Effect.flip(ping(redis))).reason, "Closed")
      }
      assert.lengthOf(lines, 1)
      const line =
        /^Warn Redis at 127\.0\.0\.1:1: the client is closed.*provide the layer for as long/
      assert.match(lines[0] ?? "", line)
    }),
  )
})

redisSuite("what the log says of a connection", () => {
  it.live("a connection that flaps is one line for many flaps", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const { lines, redis } = yield* logged({ url: server.url })
      for (const _ of range(25)) {
        yield* until(ping(redis))
        yield* server.cli("CLIENT", "KILL", "TYPE", "normal")
      }
      yield* until(ping(redis))
      assert.lengthOf(lines, 2)
      for (const line of lines) assert.match(line, /^Warn .*lost 10 times, each time for less than/)
    }),
  )

  it.live(
    "a Redis that comes and goes is a bounded number of lines, and says that some are left out",
    () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.start()
        const { lines, redis } = yield* logged({ url: server.url })
        for (const _ of range(6)) {
          yield* until(ping(redis))
          yield* server.kill()
          yield* until(Effect.flip(ping(redis)), ({ detail }) => detail.includes("ECONNREFUSED"))
          yield* server.restart()
        }
        yield* until(ping(redis))
        assert.lengthOf(lines, 6)
        assert.match(lines[0] ?? "", /^Warn .*ECONNREFUSED/)
        assert.match(lines[1] ?? "", /^Info .*connected again/)
      }),
  )

  it.live("a password that was changed: what the server says, and the remedy", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start({ password: "s3cret" })
      const { lines, redis } = yield* logged({ url: server.url })
      yield* ping(redis)
      yield* redis.use((client) => client.call("CONFIG", "SET", "requirepass", "chang3d"))
      const kill = ["KILL", "TYPE", "normal", "SKIPME", "no"]
      yield* Effect.ignore(redis.use((client) => client.call("CLIENT", kill)))
      yield* has(lines, /WRONGPASS.*set username and password to those of the server/)
      assert.notMatch(lines.join(), /s3cret|chang3d/)
      assert.match((yield* Effect.flip(ping(redis))).detail, /WRONGPASS/)
    }),
  )

  it.live("a password that was changed while Redis was away: said when it is back", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start({ password: "s3cret" })
      const { lines, redis } = yield* logged({
        host: "127.0.0.1",
        port: server.port,
        password: "another",
      })
      yield* has(lines, /WRONGPASS/)
      yield* server.kill()
      yield* until(Effect.flip(ping(redis)), ({ detail }) => detail.includes("ECONNREFUSED"))
      assert.lengthOf(lines, 1)
    }),
  )

  it.live("TLS at a plain port: said to be so", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const { lines } = yield* logged({
        url: `rediss://127.0.0.1:${server.port}`,
        connectTimeout: "200 millis",
      })
      yield* has(
        lines,
        /no TLS answer within 200 ms; if the port does not speak TLS, leave tls out/,
      )
    }),
  )

  for (const [what, answer, words] of [
    // What a server of TLS says to bytes that are no greeting: an alert.
    [
      "plain Redis at a port that speaks TLS",
      "\x15\x03\x03\x00\x02\x02F",
      /the port speaks TLS; set tls/,
    ],
    ["a port of HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", /the answer is not from Redis/],
  ] as const) {
    it.live(`${what}: said to be so`, () =>
      Effect.gen(function* () {
        const other = net.createServer((socket) => {
          socket.on("error", () => undefined)
          socket.once("data", () => socket.end(Buffer.from(answer, "latin1")))
        })
        yield* Effect.acquireRelease(
          Effect.callback<void>((resume) => {
            other.listen(0, "127.0.0.1", () => resume(Effect.void))
          }),
          () => Effect.sync(() => other.close()),
        )
        const { port } = other.address() as net.AddressInfo
        const { lines } = yield* logged({ host: "127.0.0.1", port })
        yield* has(lines, words)
      }),
    )
  }

  it.live(
    "a password for a server that has none, and a user without INFO: nothing on the console",
    () =>
      Effect.gen(function* () {
        const warn = vi.spyOn(console, "warn").mockReturnValue()
        yield* Effect.addFinalizer(() => Effect.sync(() => warn.mockRestore()))
        const server = yield* RedisServer.start({
          config: { user: ["app on >pw ~* &* +@all -info"] },
        })
        const { lines, redis } = yield* logged({
          host: "127.0.0.1",
          port: server.port,
          password: "needless",
        })
        yield* until(ping(redis))
        assert.notInclude(lines.join(), "needless")
        const app = yield* logged({ url: `redis://app:pw@127.0.0.1:${server.port}` })
        yield* until(ping(app.redis))
        assert.deepStrictEqual(app.lines, [])
        assert.strictEqual(warn.mock.calls.length, 0)
      }),
  )
})

describe("tls that cannot be meant", () => {
  for (const [what, tls, field, reason] of [
    ["ca of no certificate", { ca: "/etc/ssl/ca.pem" }, "tls.ca", /not its path/],
    ["one of several", { ca: ["garbage"] }, "tls.ca", /must be certificates in PEM/],
    [
      "a torn certificate",
      { ca: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----" },
      "tls.ca",
      /must be certificates in PEM/,
    ],
    ["a key that is none", { key: "s3cret", cert: "garbage" }, "tls", /its error: /],
  ] as const) {
    it.effect(`${what}: named`, () =>
      Effect.gen(function* () {
        const ca = "ca" in tls ? [tls.ca].flat() : undefined
        const error = yield* Effect.flip(
          Effect.fromResult(settings({ host: "h", tls: { ...tls, ca } })),
        )
        assert.strictEqual(error.field, field)
        assert.match(error.reason, reason)
        assert.notInclude(error.reason, "s3cret")
      }),
    )
  }
})
