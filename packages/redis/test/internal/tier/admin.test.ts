/** Administrators list and remove exactly the names of the tier under a prefix, in small steps. */
import { it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { assert, describe } from "vitest"
import { keysOf } from "../../../src/internal/keys.ts"
import * as RedisClient from "../../../src/RedisClient.ts"
import * as RedisTier from "../../../src/RedisTier.ts"
import { connect, until } from "../../support/clients.ts"
import { counting, node } from "../../support/nodes.ts"
import { freshName, openOn, useServer } from "../../support/tiers.ts"
import { inUse, range, useCluster } from "../../support/topologies.ts"
import { redisSuite } from "../../support/withRedis.ts"

const named = (larder: string, keys: ReadonlyArray<string>) => keys.map((key) => ({ larder, key }))

/** The listed entries, sorted. */
const listed = (redis: RedisClient.Client, selection: RedisTier.Selection = {}) =>
  RedisTier.keys(selection).pipe(
    Stream.runCollect,
    Effect.provideService(RedisClient.RedisClient, redis),
    Effect.map((all) => all.map(({ key, larder }) => JSON.stringify([larder, key])).toSorted()),
  )

const shown = (all: ReadonlyArray<{ readonly larder: string; readonly key: string }>) =>
  all.map(({ key, larder }) => JSON.stringify([larder, key])).toSorted()

const removed = (redis: RedisClient.Client, selection: RedisTier.Selection = {}) =>
  RedisTier.removeAll(selection).pipe(Effect.provideService(RedisClient.RedisClient, redis))

/** All names on a server. */
const namesOn = (redis: RedisClient.Client) =>
  Effect.flatMap(redis.masters, (masters) =>
    redis.use(() => Promise.all(masters.map((master) => master.keys("*")))),
  ).pipe(Effect.map((all) => all.flat().toSorted()))

const awkward = ["", "%", "%25", "{}", "a:b", "a:{b}", "*", "?", "[a-z]", "a\\b", "äöü €", " ", "k"]

redisSuite("administration of one server", () => {
  const { client, server } = useServer()
  const empty = Effect.flatMap(server, ({ cli }) => cli("FLUSHALL"))

  describe("keys", () => {
    it.live("are those with a value or a tombstone, as the larders named them", () =>
      Effect.gen(function* () {
        yield* empty
        const redis = yield* client
        for (const larder of ["products", "a:{1}%", "*"]) {
          const { arbiter, set, win } = yield* openOn(redis, { larder })
          for (const key of awkward) yield* set(key, "v")
          yield* arbiter.write("removed", { _tag: "Remove" }, 0)
          yield* win("only leased")
          yield* arbiter.mark(["tag"], true, 0)
        }
        const expected = [...awkward, "removed"]
        assert.deepStrictEqual(
          yield* listed(redis, { larder: "products" }),
          shown(named("products", expected)),
        )
        assert.deepStrictEqual(yield* listed(redis, { larder: "*" }), shown(named("*", expected)))
        assert.deepStrictEqual(
          yield* listed(redis),
          shown(["products", "a:{1}%", "*"].flatMap((larder) => named(larder, expected))),
        )
        assert.deepStrictEqual(yield* listed(redis, { larder: "product" }), [])
        assert.deepStrictEqual(yield* listed(redis, { prefix: "another" }), [])
      }),
    )

    it.live("of a prefix are never those of another, whatever characters are in it", () =>
      Effect.gen(function* () {
        yield* empty
        const redis = yield* client
        const prefixes = ["shop", "shop2", "shop:v:x", "sh*", "sh?p", "[s]hop", "sh\\op", "*", "s"]
        for (const prefix of prefixes) {
          const { set } = yield* openOn(redis, { prefix, larder: "l" })
          yield* set(`of ${prefix}`, "v")
        }
        for (const name of ["shop:v:l:{k}:x", "shop:v:l:k", "shop:v:{k}", "shop:w:l:{k}", "shop"]) {
          yield* redis.use((connection) => connection.set(name, "somebody else's"))
        }
        for (const prefix of prefixes) {
          assert.deepStrictEqual(
            yield* listed(redis, { prefix }),
            shown(named("l", [`of ${prefix}`])),
          )
        }
      }),
    )

    it.live("come as they are found: whoever wants a few does not make Redis look at all", () =>
      Effect.gen(function* () {
        yield* empty
        const redis = yield* client
        yield* fill(redis, "larder", 5_000)
        const { calls } = yield* server
        const scans = Effect.map(calls, (all) => all.get("scan") ?? 0)
        const before = yield* scans
        const few = yield* RedisTier.keys().pipe(
          Stream.take(10),
          Stream.runCollect,
          Effect.provideService(RedisClient.RedisClient, redis),
        )
        assert.lengthOf(few, 10)
        assert.isAtMost((yield* scans) - before, 2)
      }),
    )
  })

  /** Entries of a larder named many, in a few trips. */
  const fill = (redis: RedisClient.Client, prefix: string, count: number) => {
    const { entry } = keysOf(prefix, "many")
    return redis.use((connection) =>
      connection.mset(new Map(range(count).map((i) => [entry(`k${i}`), "v"]))),
    )
  }

  describe("removeAll", () => {
    it.live("leaves nothing of the prefix, and everything else", () =>
      Effect.gen(function* () {
        yield* empty
        const redis = yield* client
        for (const prefix of ["shop", "shop2", "sh*", "shop:v:x"]) {
          for (const larder of ["a", "b"]) {
            const { arbiter, set, win } = yield* openOn(redis, { prefix, larder })
            for (const key of awkward) yield* set(key, "v")
            yield* win("leased")
            yield* arbiter.mark(["tag", undefined], true, 0)
          }
        }
        const foreign = ["shop", "shop:", "shop:v", "shop:v:k", "shop:m:k", "shop:c:{a}", "other"]
        for (const name of foreign) {
          yield* redis.use((connection) => connection.set(name, "somebody else's"))
        }
        const before = yield* namesOn(redis)
        const { floors, marks } = keysOf("shop", "a")
        const isOf = (name: string, larder: string) => {
          const { entry, floors, lease, marks } = keysOf("shop", larder)
          const keys = [...awkward, "leased"]
          return [...keys.map(entry), ...keys.map(lease), floors, marks].includes(name)
        }
        assert.include(before, marks)
        assert.include(before, floors)
        const count = yield* removed(redis, { prefix: "shop", larder: "a" })
        const afterOne = before.filter((name) => !isOf(name, "a"))
        assert.deepStrictEqual(yield* namesOn(redis), afterOne)
        assert.strictEqual(count, before.length - afterOne.length)
        const rest = yield* removed(redis, { prefix: "shop" })
        const afterAll = afterOne.filter((name) => !isOf(name, "b"))
        assert.deepStrictEqual(yield* namesOn(redis), afterAll)
        assert.strictEqual(rest, afterOne.length - afterAll.length)
        assert.strictEqual(yield* removed(redis, { prefix: "shop" }), 0)
      }),
    )

    it.live("many thousands go in bounded steps, and never by KEYS", () =>
      Effect.gen(function* () {
        yield* empty
        const redis = yield* client
        const count = 20_000
        yield* fill(redis, "larder", count)
        yield* fill(redis, "other", count)
        const { calls, cli } = yield* server
        yield* cli("CONFIG", "RESETSTAT")
        assert.lengthOf(yield* listed(redis), count)
        const afterKeys = yield* calls
        const scans = afterKeys.get("scan") ?? 0
        assert.isAtLeast(scans, (2 * count) / 1_000)
        assert.isAtMost(scans, (2 * count) / 250)
        assert.strictEqual(yield* removed(redis), count)
        const afterRemoval = yield* calls
        assert.strictEqual(afterRemoval.get("unlink"), count)
        for (const name of ["keys", "flushdb", "flushall", "del", "eval", "evalsha"]) {
          assert.isUndefined(afterRemoval.get(name), name)
        }
        assert.lengthOf(yield* listed(redis), 0)
        assert.lengthOf(yield* listed(redis, { prefix: "other" }), count)
      }),
    )
  })

  describe("a larder that is in use meanwhile", () => {
    it.live(
      "stays right",
      () =>
        Effect.gen(function* () {
          yield* empty
          const redis = yield* client
          const use = yield* inUse(Effect.orDie(client), Effect.void)
          yield* use.more
          for (const _ of range(3)) {
            assert.isAbove(yield* removed(redis), 10)
            yield* use.more
          }
          yield* use.end
        }),
      30_000,
    )

    it.live("does not store a lookup that began before, and keeps what begins after", () =>
      Effect.gen(function* () {
        const redis = yield* client
        const gate = yield* Deferred.make<void>()
        const source = counting((key, count) =>
          Effect.as(count === 1 ? Deferred.await(gate) : Effect.void, `${key}, ${count}`),
        )
        const options = { name: freshName(), lookup: source.lookup, memory: false }
        const [a, b] = [yield* node(redis, options), yield* node(yield* client, options)]
        const waiting = yield* Effect.forkChild(a.get("k"), { startImmediately: true })
        yield* until(
          Effect.sync(() => source.of("k")),
          (count) => count === 1,
        )
        yield* removed(redis, { larder: options.name })
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* Fiber.join(waiting), "k, 1")
        assert.strictEqual(yield* b.get("k"), "k, 2")
        yield* until(a.get("k"), (value) => value === "k, 2")
        assert.strictEqual(source.of("k"), 2)
      }),
    )

    it.live(
      "law 12: what was invalidated and had its mark removed does not come back",
      () =>
        Effect.gen(function* () {
          const redis = yield* client
          const source = counting((key, count) => Effect.succeed(`${key}, ${count}`))
          const options = { name: freshName(), lookup: source.lookup, tags: () => ["t"] }
          const [a, b] = [yield* node(redis, options), yield* node(yield* client, options)]
          assert.strictEqual(yield* b.get("k"), "k, 1")
          assert.isTrue((yield* a.invalidateTags(["t"])).settled)
          yield* removed(redis, { larder: options.name })
          assert.strictEqual(yield* a.get("k"), "k, 2")
          // Its memory has the first one until it asks Redis for marks again, as it does with what it reads there.
          let others = 0
          yield* until(
            Effect.andThen(
              Effect.suspend(() => b.get(`other ${others++}`)),
              b.get("k"),
            ),
            (value) => value === "k, 2",
          )
          assert.strictEqual(source.of("k"), 2)
        }),
      30_000,
    )
  })

  describe("failures", () => {
    it.live("of the server are typed, and name the operation", () =>
      Effect.gen(function* () {
        const redis = yield* connect({ url: "redis://127.0.0.1:1" })
        for (const [operation, error] of [
          ["keys", yield* Effect.flip(listed(redis))],
          ["removeAll", yield* Effect.flip(removed(redis))],
        ] as const) {
          assert(error._tag === "TierError")
          assert.deepStrictEqual([error.tier, error.operation], ["redis", operation])
          assert(error.cause instanceof RedisClient.RedisClientError)
          assert.strictEqual(error.cause.reason, "Unavailable")
        }
      }),
    )
  })
})

redisSuite("administration of a Cluster", () => {
  const { client } = useCluster()

  it.live("keys and removeAll go to every master", () =>
    Effect.gen(function* () {
      const redis = yield* client
      const keys = range(300).map((i) => `k${i}`)
      for (const larder of ["a", "b"]) {
        const { arbiter, set, win } = yield* openOn(redis, { larder })
        yield* Effect.forEach(keys, (key) => set(key, "v"), { concurrency: 50 })
        yield* win("leased")
        yield* arbiter.mark([undefined], true, 0)
      }
      const held = yield* Effect.forEach(yield* redis.masters, (master) =>
        redis.use(() => master.dbsize()),
      )
      assert.lengthOf(held, 3)
      assert.isTrue(held.every((size) => size > 100))
      assert.deepStrictEqual(yield* listed(redis, { larder: "a" }), shown(named("a", keys)))
      assert.lengthOf(yield* listed(redis), 600)
      // Entries, the lease, marks and floors.
      assert.strictEqual(yield* removed(redis, { larder: "a" }), 303)
      assert.deepStrictEqual(yield* listed(redis), shown(named("b", keys)))
      assert.strictEqual(yield* removed(redis), 303)
      assert.deepStrictEqual(yield* namesOn(redis), [])
    }),
  )

  it.live(
    "a larder that is in use meanwhile stays right",
    () =>
      Effect.gen(function* () {
        const redis = yield* client
        const use = yield* inUse(client, Effect.void)
        yield* use.more
        for (const _ of range(3)) {
          assert.isAbove(yield* removed(redis), 10)
          yield* use.more
        }
        yield* use.end
      }),
    30_000,
  )
})
