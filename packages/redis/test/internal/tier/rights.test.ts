/** The rights that a Redis user needs: each one is taken away alone, and the warning names it. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { assert, describe } from "vitest"
import * as rights from "../../../src/internal/tier/rights.ts"
import * as RedisClient from "../../../src/RedisClient.ts"
import { Tier } from "@larder/core"
import * as RedisTier from "../../../src/RedisTier.ts"
import { connect, until } from "../../support/clients.ts"
import { counting, node } from "../../support/nodes.ts"
import { freshName, openOn, useServer } from "../../support/tiers.ts"
import { nodesOf, useCluster } from "../../support/topologies.ts"
import { redisSuite } from "../../support/withRedis.ts"

const prefix = "shop"

/** The words of ACL SETUSER for a user with these rights alone. */
const userWith = (commands: ReadonlyArray<string>, names = `~${prefix}:* &${prefix}:*`) => [
  "reset",
  "on",
  ">pw",
  ...names.split(" ").filter(Boolean),
  "-@all",
  ...commands.map((command) => `+${command}`),
]

const login = { username: "app", password: Redacted.make("pw") } as const

/** The rights that a server refuses to the client's user. */
const missingOn = (redis: RedisClient.Client) =>
  Effect.gen(function* () {
    const found = new Set<string>()
    for (const master of yield* redis.masters) {
      for (const right of yield* rights.missing(redis, master, prefix)) found.add(right)
    }
    return [...found]
  })

/** All that a larder does with a tier, on clients of that user. */
const everything = (client: Effect.Effect<RedisClient.Client, never, Scope.Scope>) =>
  Effect.gen(function* () {
    const source = counting()
    const options = { name: freshName(), lookup: source.lookup, prefix, tags: () => ["t"] }
    const a = yield* node(yield* client, options)
    const redis = yield* client
    const b = yield* node(redis, { ...options, memory: false })
    const keys = Array.from({ length: 30 }, (_, i) => `k${i}`)
    for (const key of keys) assert.strictEqual(yield* a.get(key), `of ${key}`)
    for (const key of keys.slice(0, 10)) {
      for (const ack of [yield* a.set(key, "set"), yield* a.expire(key), yield* a.remove(key)]) {
        assert.isTrue(ack.settled)
      }
    }
    const many = yield* until(b.getMany(keys), (found) => [...found.values()].every(Exit.isSuccess))
    assert.isNumber(many)
    for (const key of keys.slice(10)) assert.strictEqual(source.of(key), 1, key)
    yield* a.set("walked:1", "set")
    assert.isTrue((yield* a.removeWhere({ prefix: "walked:" })).settled)
    assert.isTrue((yield* a.invalidateTags(["t"])).settled)
    assert.isTrue((yield* a.clear({ keepStale: false })).settled)
    const { arbiter, win } = yield* openOn(redis, { prefix })
    yield* Tier.messages(arbiter)
    const token = yield* win("k")
    assert.isTrue(yield* arbiter.renew("k", token, 1_000))
    yield* arbiter.versions!(["k", "l"])
    yield* arbiter.release("k", token, 100)
    return redis
  })

redisSuite("the rights of a Redis user", () => {
  const { server } = useServer()
  const asUser = (commands: ReadonlyArray<string>, names?: string) =>
    Effect.gen(function* () {
      const { cli, url } = yield* server
      yield* Effect.orDie(cli("ACL", "SETUSER", "app", ...userWith(commands, names)))
      return yield* Effect.orDie(connect({ url, ...login }))
    })
  const needs = { isCluster: false }

  it.live(
    "those that are listed are enough for all that a larder does, and nothing is missing",
    () =>
      Effect.gen(function* () {
        const redis = yield* everything(asUser(rights.needed(needs)))
        assert.deepStrictEqual(yield* missingOn(redis), [])
        const redisOfBest = yield* everything(asUser(rights.best(needs)))
        assert.deepStrictEqual(yield* missingOn(redisOfBest), [])
      }),
  )

  it.live("the look at them writes nothing", () =>
    Effect.gen(function* () {
      const { cli, info } = yield* server
      const redis = yield* asUser(rights.needed(needs))
      yield* cli("FLUSHALL")
      const changes = Effect.map(info("persistence"), (fields) =>
        fields.get("rdb_changes_since_last_save"),
      )
      const before = yield* changes
      assert.deepStrictEqual(yield* missingOn(redis), [])
      assert.strictEqual(yield* changes, before)
      assert.strictEqual(yield* cli("DBSIZE"), 0)
    }),
  )

  it.live("they are enough to list and to remove entries", () =>
    Effect.gen(function* () {
      const redis = yield* asUser(rights.needed(needs))
      const larder = yield* node(redis, { name: "of admins", lookup: counting().lookup, prefix })
      yield* larder.set("k", "v")
      const provided = Effect.provideService(RedisClient.RedisClient, redis)
      const found = yield* Stream.runCollect(
        Stream.provideService(
          RedisTier.keys({ prefix, larder: "of admins" }),
          RedisClient.RedisClient,
          redis,
        ),
      )
      assert.lengthOf([...found], 1)
      assert.isAbove(yield* provided(RedisTier.removeAll({ prefix })), 0)
    }),
  )

  for (const command of rights.needed(needs)) {
    it.live(`without ${command}: it is named`, () =>
      Effect.gen(function* () {
        const left = rights.needed(needs).filter((other) => other !== command)
        const redis = yield* asUser(left)
        const missing = yield* missingOn(redis)
        assert.deepStrictEqual(missing, [`+${command}`])
      }),
    )
  }

  it.live("without scan alone: removeWhere fails, and the warning says that all else works", () =>
    Effect.gen(function* () {
      const redis = yield* asUser(rights.needed(needs).filter((other) => other !== "scan"))
      const warning = rights.warningOf(yield* missingOn(redis))
      assert.match(warning!, /\+scan\. Until it has it, removeWhere, .*fail; all else works/)
      assert.include(warning, "ACL SETUSER <user> +scan")
      const larder = yield* node(redis, { name: freshName(), lookup: counting().lookup, prefix })
      yield* larder.set("walked:1", "v")
      const error = yield* Effect.flip(larder.removeWhere({ prefix: "walked:" }))
      assert.strictEqual(error.reason, "failed")
      assert.isTrue((yield* larder.set("k", "v")).settled)
    }),
  )

  for (const [what, names, expected] of [
    ["names", `&${prefix}:*`, `~${prefix}:*`],
    ["the names of marks", `~${prefix}:v:* ~${prefix}:l:* &${prefix}:*`, `~${prefix}:*`],
    ["channels", `~${prefix}:*`, `&${prefix}:*`],
    ["its channels", `~${prefix}:* &other:*`, `&${prefix}:*`],
  ] as const) {
    it.live(`without the right to ${what}: it is named`, () =>
      Effect.gen(function* () {
        const redis = yield* asUser(rights.needed(needs), names)
        assert.deepStrictEqual(yield* missingOn(redis), [expected])
      }),
    )
  }

  it.live(
    "the tier logs what is missing once, with the line that gives it, and tells larders",
    () =>
      Effect.gen(function* () {
        const left = rights.needed(needs).filter((each) => !["getrange", "hmget"].includes(each))
        const redis = yield* asUser(left, `~${prefix}:*`)
        const lines: Array<string> = []
        const logger = Logger.make(({ message }) => void lines.push(String(message)))
        yield* Layer.build(
          RedisTier.layer({ prefix }).pipe(
            Layer.provide(Layer.succeed(RedisClient.RedisClient, redis)),
            Layer.provide(Logger.layer([logger])),
          ),
        )
        yield* until(
          Effect.sync(() => lines.length > 0),
          Boolean,
        )
        assert.lengthOf(lines, 1)
        assert.match(lines[0]!, /^Tier redis: the Redis user lacks rights.*\+getrange \+hmget/)
        assert.include(lines[0], "ACL SETUSER <user> &shop:* +getrange +hmget")
      }),
  )

  describe("scripts", () => {
    for (const [command, operation] of [
      ["getrange", "set"],
      ["hmget", "mark"],
      ["zcard", "mark"],
      ["set", "set"],
    ] as const) {
      it.live(`hide no refusal: without ${command}, ${operation} fails, and nothing is lost`, () =>
        Effect.gen(function* () {
          const name = freshName()
          const { url } = yield* server
          const well = yield* openOn(yield* connect({ url }), { larder: name, prefix })
          yield* well.set("k", "before")
          const { number } = yield* well.arbiter.mark(["t"], true, 0)
          const left = rights.needed(needs).filter((other) => other !== command)
          const refused = yield* openOn(yield* asUser(left), { larder: name, prefix })
          const asked: Effect.Effect<unknown, unknown> =
            operation === "set" ? refused.set("k", "after") : refused.arbiter.mark(["t"], true, 0)
          const error = yield* Effect.flip(asked)
          assert.match(String((error as { cause: unknown }).cause), /NOPERM|permission|can't run/i)
          assert.strictEqual(yield* well.text("k"), "before")
          const { marks } = yield* well.arbiter.marks(0)
          assert.deepStrictEqual(
            marks.map((mark) => mark.number),
            [number],
          )
        }),
      )
    }
  })
})

redisSuite("the rights of a Redis user on a Cluster", () => {
  const { cluster } = useCluster()
  const needs = { isCluster: true }
  const asUser = (commands: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const { masters } = yield* cluster
      for (const { cli } of masters) {
        yield* Effect.orDie(cli("ACL", "SETUSER", "app", ...userWith(commands)))
      }
      return yield* Effect.orDie(connect({ cluster: { nodes: nodesOf(masters) }, ...login }))
    })

  it.live(
    "those that are listed are enough for all that a larder does, and nothing is missing",
    () =>
      Effect.gen(function* () {
        const redis = yield* everything(asUser(rights.needed(needs)))
        assert.deepStrictEqual(yield* missingOn(redis), [])
      }),
  )

  it.live("a right that is missing is named, also where one node alone lacks it", () =>
    Effect.gen(function* () {
      for (const command of [
        "asking",
        "getrange",
        "subscribe",
        "spublish",
        "ssubscribe",
        "sunsubscribe",
      ]) {
        const redis = yield* asUser(rights.needed(needs))
        yield* redis.use((client) => client.ping())
        const { masters } = yield* cluster
        yield* masters[2]!.cli("ACL", "SETUSER", "app", `-${command}`)
        assert.deepStrictEqual(yield* missingOn(redis), [`+${command}`])
      }
    }),
  )

  it.live("without CLUSTER SLOTS nothing connects, and the client says why", () =>
    Effect.gen(function* () {
      const redis = yield* asUser(rights.needed(needs).filter((each) => each !== "cluster|slots"))
      yield* until(Effect.flip(redis.use((client) => client.ping())), ({ detail }) =>
        /NOPERM.*slots/.test(detail),
      )
    }),
  )
})
