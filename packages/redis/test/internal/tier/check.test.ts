/** The warnings to the operator about a tier's servers. */
import { it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, type Tier, TierStack, Upstream } from "@larder/core"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { assert, describe, vi } from "vitest"
import { factsOf, warningsOf, type Facts } from "../../../src/internal/tier/check.ts"
import * as RedisClient from "../../../src/RedisClient.ts"
import * as RedisTier from "../../../src/RedisTier.ts"
import { connect, until } from "../../support/clients.ts"
import { freshName, tierOn, useServer } from "../../support/tiers.ts"
import { useCluster } from "../../support/topologies.ts"
import { redisSuite } from "../../support/withRedis.ts"

const facts = (of: Partial<Facts>): Facts => ({
  version: "7.0.15",
  maxmemory: 100_000_000,
  policy: "volatile-lru",
  ...of,
})

describe("warningsOf", () => {
  for (const policy of ["volatile-lru", "volatile-lfu", "volatile-ttl", "volatile-random"]) {
    it(`${policy}: nothing`, () => {
      assert.deepStrictEqual(warningsOf(facts({ policy })), [])
    })
  }

  it("noeviction: values are refused, and which policy would do", () => {
    const [warning = "", ...others] = warningsOf(facts({ policy: "noeviction" }))
    assert.deepStrictEqual(others, [])
    assert.match(warning, /noeviction.*refuses values.*volatile-lru/)
  })

  for (const policy of ["allkeys-lru", "allkeys-lfu", "allkeys-random"]) {
    it(`${policy}: marks and floors may go, and which policy would do`, () => {
      const [warning = "", ...others] = warningsOf(facts({ policy }))
      assert.deepStrictEqual(others, [])
      assert.include(warning, `maxmemory-policy is ${policy}`)
      assert.match(warning, /marks and floors.*volatile-lru/)
    })
  }

  it("without a limit of memory no policy does anything", () => {
    for (const policy of ["noeviction", "allkeys-lru"]) {
      assert.deepStrictEqual(warningsOf(facts({ policy, maxmemory: 0 })), [])
    }
  })

  it("servers older than 6.2 are not supported, and said to be so besides their policy", () => {
    for (const version of ["2.8.0", "5.0.14", "6.0.20", "6.1.240"]) {
      const [warning = "", ...others] = warningsOf(facts({ version }))
      assert.deepStrictEqual(others, [])
      assert.match(warning, /older than 6\.2/)
      assert.include(warning, version)
    }
    for (const version of ["6.2.0", "6.10.1", "7.0.15", "8.2.1", "10.0.0", "255.255.255"]) {
      assert.deepStrictEqual(warningsOf(facts({ version })), [])
    }
    assert.lengthOf(warningsOf(facts({ version: "6.0.0", policy: "noeviction" })), 2)
  })
})

describe("factsOf", () => {
  it("finds the fields of INFO, whatever is around them", () => {
    const info = [
      "# Server",
      "redis_version:7.2.4",
      "# Memory",
      "used_memory:1",
      "maxmemory:104857600",
      "maxmemory_human:100.00M",
      "maxmemory_policy:allkeys-lru",
      "",
    ].join("\r\n")
    assert.deepStrictEqual(factsOf(info), {
      version: "7.2.4",
      maxmemory: 104_857_600,
      policy: "allkeys-lru",
    })
  })

  it("is nothing where a field is missing", () => {
    assert.isUndefined(factsOf(""))
    assert.isUndefined(factsOf("redis_version:7.2.4\r\nmaxmemory:0\r\n"))
  })
})

/** A logger that stores its lines, except debug messages. */
const keptLog = () => {
  const [warnings, debug]: [Array<string>, Array<string>] = [[], []]
  const logger = Logger.make(({ logLevel, message }) => {
    const lines = logLevel === "Debug" ? debug : warnings
    lines.push(Array.isArray(message) ? message.join(" ") : String(message))
  })
  const layer = Layer.merge(
    Logger.layer([logger]),
    Layer.succeed(References.MinimumLogLevel, "Debug"),
  )
  return { warnings, debug, layer }
}

/** A stack, and the log lines of its tier. */
const stackOn = (redis: RedisClient.Client, options: RedisTier.Options = {}) =>
  Effect.gen(function* () {
    const { debug, layer, warnings } = keptLog()
    const tier = RedisTier.layer(options).pipe(
      Layer.provide(Layer.succeed(RedisClient.RedisClient, redis)),
      Layer.provide(layer),
    )
    const stack = yield* Layer.build(TierStack.layer(MemoryTier.layer(), tier))
    const larder = Larder.make({
      name: freshName(),
      value: Schema.String,
      upstream: Upstream.make({ lookup: (key: string) => Effect.succeed(`of ${key}`) }),
      policy: Policy.make({ freshFor: "1 minute" }),
    }).pipe(Effect.provide(stack))
    return { larder, warnings, debug }
  })

/** How often a server has answered INFO from now on. */
const infoAnswers = (redis: RedisClient.Client) => {
  const answers = { count: 0 }
  const info = redis.client.info.bind(redis.client) as () => Promise<string>
  redis.client.info = (() =>
    info().finally(() => {
      answers.count += 1
    })) as typeof redis.client.info
  return Effect.sync(() => answers.count)
}

/** How often a server has refused to answer PING from now on. */
const refusals = (redis: RedisClient.Client) => {
  const refused = { count: 0 }
  const ping = redis.client.ping.bind(redis.client) as (word?: string) => Promise<string>
  // With its word: the client drops a connection that answers another one.
  redis.client.ping = ((...word: [word?: string]) =>
    ping(...word).catch((cause: unknown) => {
      refused.count += 1
      throw cause
    })) as typeof redis.client.ping
  return Effect.sync(() => refused.count)
}

const some = (count: number): boolean => count > 0
const lengthOf = (lines: ReadonlyArray<string>) => Effect.sync(() => lines.length)

redisSuite("a tier on servers that will lose something", () => {
  const { client, server } = useServer({ config: { maxmemory: "100mb" } })
  const usePolicy = (policy: string) =>
    Effect.flatMap(server, ({ cli }) => cli("CONFIG", "SET", "maxmemory-policy", policy))

  for (const [policy, words] of [
    ["noeviction", "refuses values"],
    ["allkeys-lru", "marks and floors"],
  ] as const) {
    it.live(`${policy}: logged once, however many larders there are`, () =>
      Effect.gen(function* () {
        yield* usePolicy(policy)
        const { larder, warnings } = yield* stackOn(yield* client, { name: "main" })
        for (const _ of [1, 2, 3]) {
          const { get } = yield* larder
          assert.strictEqual(yield* get("k"), "of k")
        }
        yield* until(lengthOf(warnings), some)
        assert.lengthOf(warnings, 1)
        assert.match(warnings[0] ?? "", new RegExp(`^Tier main: .*${words}`))
      }),
    )
  }

  it.live("each store that is opened is told, also long after the check", () =>
    Effect.gen(function* () {
      yield* usePolicy("noeviction")
      const tier = yield* tierOn(yield* client)
      for (const larder of [freshName(), freshName()]) {
        const told: Array<Tier.Notice> = []
        const notify = (notice: Tier.Notice) => {
          if (notice._tag !== "Connected") told.push(notice)
        }
        yield* tier.open({ larder, notify })
        yield* until(
          Effect.sync(() => told.length),
          some,
        )
        assert.deepStrictEqual(
          told.map(({ _tag }) => _tag),
          ["Warning"],
        )
        assert(told[0]?._tag === "Warning")
        assert.deepStrictEqual([told[0].message], warningsOf(facts({ policy: "noeviction" })))
      }
    }),
  )

  it.live("volatile-lru: there is nothing to say", () =>
    Effect.gen(function* () {
      yield* usePolicy("volatile-lru")
      const redis = yield* client
      yield* redis.use((connection) => connection.ping())
      const answers = infoAnswers(redis)
      const { debug, larder, warnings } = yield* stackOn(redis)
      const { get } = yield* larder
      yield* until(answers, some)
      yield* get("k")
      assert.deepStrictEqual([warnings, debug], [[], []])
    }),
  )

  it.live("a user that may not ask is not warned, and served", () =>
    Effect.gen(function* () {
      yield* usePolicy("noeviction")
      const { cli, url } = yield* server
      // ioredis itself says on the console that it may not ask.
      const warn = vi.spyOn(console, "warn").mockReturnValue()
      yield* Effect.addFinalizer(() => Effect.sync(() => warn.mockRestore()))
      yield* cli("ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-info")
      const redis = yield* connect({ url, username: "app", password: Redacted.make("pw") })
      const { debug, larder, warnings } = yield* stackOn(redis)
      const { get } = yield* larder
      assert.strictEqual(yield* get("k"), "of k")
      yield* until(lengthOf(debug), some)
      assert.deepStrictEqual(warnings, [])
      assert.lengthOf(debug, 1)
      assert.match(debug[0] ?? "", /could not be checked.*NOPERM/)
    }),
  )

  it.live("a server that is away at first is asked when it is there, and the larder is told", () =>
    Effect.gen(function* () {
      const away = yield* RedisServer.start({
        config: { maxmemory: "100mb", "maxmemory-policy": "allkeys-lru" },
      })
      yield* away.kill()
      const { larder, warnings } = yield* stackOn(yield* connect({ url: away.url }))
      const { events, get } = yield* larder
      const warned = yield* Effect.forkChild(
        events.pipe(
          Stream.filter((event) => event._tag === "TierWarning"),
          Stream.runHead,
        ),
        { startImmediately: true },
      )
      assert.strictEqual(yield* get("k"), "of k")
      assert.deepStrictEqual(warnings, [])
      yield* away.restart()
      const { message, tier } = Option.getOrThrow(yield* Fiber.join(warned))
      assert.strictEqual(tier, "redis")
      assert.deepStrictEqual([message], warningsOf(facts({ policy: "allkeys-lru" })))
      assert.deepStrictEqual(warnings, [`Tier redis: ${message}`])
    }),
  )

  it.live("a server that refuses everything for a while is asked again", () =>
    Effect.gen(function* () {
      const busy = yield* RedisServer.start({
        config: {
          maxmemory: "100mb",
          "maxmemory-policy": "noeviction",
          "busy-reply-threshold": "10",
        },
      })
      const redis = yield* connect({ url: busy.url })
      const ping = redis.use((connection) => connection.ping())
      yield* ping
      yield* Effect.forkChild(Effect.exit(busy.cli("EVAL", "while true do end", "0")), {
        startImmediately: true,
      })
      yield* until(Effect.flip(ping), ({ code }) => code === "BUSY")
      const refused = refusals(redis)
      const { warnings } = yield* stackOn(redis)
      yield* until(refused, some)
      yield* busy.cli("SCRIPT", "KILL")
      yield* until(lengthOf(warnings), some)
      assert.match(warnings[0] ?? "", /noeviction/)
    }),
  )
})

redisSuite("a tier on a Cluster whose nodes differ", () => {
  const { client, cluster } = useCluster({ config: { maxmemory: "100mb" } })

  it.live("each warning is logged once", () =>
    Effect.gen(function* () {
      const { masters } = yield* cluster
      const policies = ["noeviction", "noeviction", "allkeys-lru"]
      for (const [i, { cli }] of masters.entries()) {
        yield* cli("CONFIG", "SET", "maxmemory-policy", policies[i] ?? "")
      }
      const { larder, warnings } = yield* stackOn(yield* client)
      const { get } = yield* larder
      assert.strictEqual(yield* get("k"), "of k")
      yield* until(lengthOf(warnings), (length) => length >= 2)
      const expected = ["noeviction", "allkeys-lru"].flatMap((policy) =>
        warningsOf(facts({ policy })).map((warning) => `Tier redis: ${warning}`),
      )
      assert.sameMembers(warnings, expected)
      assert.lengthOf(warnings, 2)
    }),
  )
})
