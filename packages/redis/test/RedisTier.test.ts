/** The contract of an arbiter, on a real server. */
import { it } from "@effect/vitest"
import { Envelope, Tier } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import { assert, describe } from "vitest"
import * as RedisClient from "../src/RedisClient.ts"
import { connect, until } from "./support/clients.ts"
import {
  envelope,
  freshName,
  life,
  opened,
  openOn,
  textOf,
  tierOn,
  useServer,
} from "./support/tiers.ts"
import { redisSuite } from "./support/withRedis.ts"

/** The messages that have arrived, once there are as many as expected. */
const take = (queue: Queue.Dequeue<Tier.Message>, count: number) =>
  Effect.timeout(
    Effect.forEach(Array.from({ length: count }), () => Queue.take(queue)),
    5_000,
  )

redisSuite("RedisTier", () => {
  const { client, server } = useServer()
  const open = Effect.flatMap(client, (redis) => openOn(redis))

  describe("what it declares", () => {
    it.live("a shared byte tier that notifies, named redis or as it is told", () =>
      Effect.gen(function* () {
        const redis = yield* client
        const { abilities, kind, name, scope } = yield* tierOn(redis)
        assert.deepStrictEqual([kind, name, scope], ["bytes", "redis", "shared"])
        assert.deepStrictEqual(abilities, { notifies: true })
        assert.strictEqual((yield* tierOn(redis, { name: "main" })).name, "main")
      }),
    )

    it.live("a larder opened again, or by another node, finds what was there; others do not", () =>
      Effect.gen(function* () {
        const redis = yield* client
        const tier = yield* tierOn(redis)
        const larder = freshName()
        const a = opened(yield* Effect.scoped(tier.open({ larder })))
        yield* a.set("k", "v")
        const b = yield* openOn(yield* client, { larder })
        assert.strictEqual(yield* b.text("k"), "v")
        assert.isUndefined(yield* (yield* openOn(redis)).text("k"))
        assert.isUndefined(yield* (yield* openOn(redis, { larder, prefix: "other" })).text("k"))
      }),
    )

    it.live("any string is a key, and different strings are different keys", () =>
      Effect.gen(function* () {
        const { set, text } = yield* open
        const keys = [
          "",
          "%",
          "%25",
          "{}",
          "{a}b",
          "a:b",
          "%7B",
          "äöü €",
          "*",
          " ",
          "a\\b",
          "x".repeat(1024),
        ]
        for (const key of keys) yield* set(key, `of ${key}`)
        for (const key of keys) assert.strictEqual(yield* text(key), `of ${key}`)
        const committed = yield* open
        for (const key of keys) {
          yield* committed.commit(key, yield* committed.win(key), key)
          assert.strictEqual(yield* committed.text(key), key)
        }
      }),
    )

    it.live("bytes that are not an envelope are rejected with the operation's name", () =>
      Effect.gen(function* () {
        const { arbiter, store, text, win } = yield* open
        const garbage = new TextEncoder().encode("garbage")
        const token = yield* win("k")
        const set: Tier.Write = { _tag: "Set", envelope: garbage, lifeMillis: life }
        const errors = [
          yield* Effect.flip(store.put("k", garbage, life)),
          yield* Effect.flip(arbiter.commit("k", token, garbage, life)),
          yield* Effect.flip(arbiter.write("k", set, 0)),
        ]
        assert.deepStrictEqual(
          errors.map((error) => [error._tag, error.tier, error.operation]),
          [
            ["TierError", "redis", "put"],
            ["TierError", "redis", "commit"],
            ["TierError", "redis", "write"],
          ],
        )
        assert.isUndefined(yield* text("k"))
      }),
    )
  })

  describe("put, drop, read", () => {
    it.live("put stores over a lower version only, and returns whether it did", () =>
      Effect.gen(function* () {
        const { put, text, version } = yield* open
        assert.isTrue(yield* put("k", "five", 5))
        assert.isFalse(yield* put("k", "four", 4))
        assert.isFalse(yield* put("k", "other five", 5))
        assert.strictEqual(yield* text("k"), "five")
        assert.isTrue(yield* put("k", "six", 6))
        assert.deepStrictEqual([yield* text("k"), yield* version("k")], ["six", 6])
      }),
    )

    it.live("law 13: a value without a life removes the previous one", () =>
      Effect.gen(function* () {
        const { put, text } = yield* open
        yield* put("k", "five", 5)
        assert.isTrue(yield* put("k", "six", 6, 0))
        assert.strictEqual(yield* text("k"), "tombstone")
        assert.isFalse(yield* put("k", "five", 5))
      }),
    )

    it.live("a delayed value from before a lease or an expiry is not stored", () =>
      Effect.gen(function* () {
        const { arbiter, put, text, win } = yield* open
        const token = yield* win("k")
        assert.isFalse(yield* put("k", "late", token - 1))
        assert.isTrue(yield* put("k", "late", token), "the holder's own value, replayed")
        const { version } = yield* arbiter.write("l", { _tag: "Expire" }, 0)
        assert.isFalse(yield* put("l", "late", version - 1))
        assert.isFalse(yield* put("l", "late", version))
        assert.isUndefined(yield* text("l"))
      }),
    )

    it.live("drop removes up to a version, tombstones too", () =>
      Effect.gen(function* () {
        const { arbiter, put, store, text } = yield* open
        yield* put("k", "five", 5)
        yield* store.drop("k", 4)
        assert.strictEqual(yield* text("k"), "five")
        yield* store.drop("k", 5)
        assert.isUndefined(yield* text("k"))
        yield* store.drop("k", 5)
        yield* arbiter.write("k", { _tag: "Remove" }, 0)
        yield* store.drop("k", Number.MAX_SAFE_INTEGER)
        assert.isUndefined(yield* text("k"))
      }),
    )

    it.live(
      "law 20: numbers rise from a version that was dropped, though it is ahead of the clock",
      () =>
        Effect.gen(function* () {
          const { put, store, win } = yield* open
          const ahead = ((yield* Clock.currentTimeMillis) + 60_000) * 1000
          yield* put("k", "ahead", ahead)
          yield* store.drop("k", ahead)
          assert.strictEqual(yield* win("k"), ahead + 1)
        }),
    )

    it.live("read answers in the order of the keys, until the life of each ends", () =>
      Effect.gen(function* () {
        const { put, store } = yield* open
        yield* put("a", "a", 1, 150)
        yield* put("b", "b", 1, Infinity)
        const read = Effect.map(store.read(["b", "x", "a", "b"]), (all) => all.map(textOf))
        assert.deepStrictEqual(yield* read, ["b", undefined, "a", "b"])
        yield* until(read, (all) => all[2] === undefined)
        assert.deepStrictEqual(yield* read, ["b", undefined, undefined, "b"])
        assert.deepStrictEqual(yield* store.read([]), [])
      }),
    )

    it.live("thousands of keys are read at once", () =>
      Effect.gen(function* () {
        const { put, store } = yield* open
        yield* put("k2499", "last", 1)
        const read = yield* store.read(Array.from({ length: 2500 }, (_, i) => `k${i}`))
        assert.strictEqual(read.length, 2500)
        assert.strictEqual(textOf(read[2499]), "last")
        assert.isTrue(read.slice(0, 2499).every((bytes) => bytes === undefined))
      }),
    )
  })

  describe("acquire", () => {
    it.live("Won with the server's time in microseconds; Busy for everybody else", () =>
      Effect.gen(function* () {
        const shared = yield* open
        const before = yield* Clock.currentTimeMillis
        const won = yield* shared.acquire("k")
        assert(won._tag === "Won")
        assert.isAtLeast(won.token, (before - 5) * 1000)
        assert.isAtMost(won.token, ((yield* Clock.currentTimeMillis) + 5) * 1000)
        const busy = yield* shared.acquire("k")
        assert(busy._tag === "Busy")
        assert.isAtMost(busy.leftMillis, 10_000)
        assert.isAbove(busy.leftMillis, 5_000)
        assert.strictEqual((yield* shared.acquire("other"))._tag, "Won")
      }),
    )

    it.live("Newer carries what the caller does not know, and no tombstone", () =>
      Effect.gen(function* () {
        const shared = yield* open
        const version = yield* shared.set("k", "v")
        const newer = yield* shared.acquire("k", { known: version - 1 })
        assert(newer._tag === "Newer")
        assert.strictEqual(textOf(newer.envelope), "v")
        assert.isAbove(yield* shared.win("k", { known: version }), version)
        yield* shared.arbiter.write("k", { _tag: "Remove" }, 0)
        assert.strictEqual((yield* shared.acquire("k"))._tag, "Won")
      }),
    )

    it.live("a caller that knows more than the tier gets a token above that", () =>
      Effect.gen(function* () {
        const { win } = yield* open
        const known = 8_000_000_000_000_000
        assert.strictEqual(yield* win("k", { known }), known + 1)
        assert.strictEqual(yield* win("k", { known: 1, force: true }), known + 2)
      }),
    )

    it.live(
      "law 10: a lease whose holder dies passes on after the lease time, with a higher token",
      () =>
        Effect.gen(function* () {
          const { acquire, arbiter, commit, text, win } = yield* open
          const first = yield* win("k", { lease: 200 })
          assert.strictEqual((yield* acquire("k"))._tag, "Busy")
          yield* until(acquire("k"), (acquired) => acquired._tag === "Won")
          const second = yield* win("k", { force: true })
          assert.isAbove(second, first)
          assert.strictEqual((yield* commit("k", first, "late")).decision, "Superseded")
          assert.isFalse(yield* arbiter.renew("k", first, 10_000))
          yield* arbiter.release("k", first, 5000)
          assert.isUndefined(yield* text("k"))
          assert.strictEqual((yield* commit("k", second, "second")).decision, "Stored")
          assert.strictEqual((yield* commit("k", first, "late")).decision, "Superseded")
          assert.strictEqual(yield* text("k"), "second")
        }),
    )

    it.live("law 10: a slow holder renews, and commits later", () =>
      Effect.gen(function* () {
        const { acquire, arbiter, commit, text, win } = yield* open
        const token = yield* win("k", { lease: 100 })
        assert.isTrue(yield* arbiter.renew("k", token, 10_000))
        const busy = yield* acquire("k")
        assert(busy._tag === "Busy")
        assert.isAbove(busy.leftMillis, 5_000)
        assert.strictEqual((yield* commit("k", token, "slow")).decision, "Stored")
        assert.strictEqual(yield* text("k"), "slow")
      }),
    )

    it.live(
      "a holder that is late but that nobody has replaced still commits; its record outlives the lease",
      () =>
        Effect.gen(function* () {
          const redis = yield* client
          const { commit, win } = yield* openOn(redis, { larder: "late" })
          const token = yield* win("a", { lease: 50 })
          const [left] = [yield* redis.use((client) => client.pttl("larder:l:late:{a}"))]
          assert.isAbove(left, 55_000)
          const begin = yield* Clock.currentTimeMillis
          yield* until(Clock.currentTimeMillis, (now) => now > begin + 60)
          assert.strictEqual((yield* commit("a", token, "a")).decision, "Stored")
          assert.strictEqual(yield* redis.use((client) => client.exists("larder:l:late:{a}")), 0)
        }),
    )

    it.live("force takes the lease, whatever is stored, held or failed", () =>
      Effect.gen(function* () {
        const { acquire, arbiter, commit, set, text, win } = yield* open
        const version = yield* set("k", "v")
        const held = yield* win("k", { known: version })
        const forced = yield* acquire("k", { force: true })
        assert(forced._tag === "Won")
        assert.isAbove(forced.token, held)
        assert.strictEqual((yield* commit("k", held, "held")).decision, "Superseded")
        yield* arbiter.release("k", forced.token, 5000)
        assert.strictEqual((yield* acquire("k", { force: true }))._tag, "Won")
        assert.strictEqual(yield* text("k"), "v")
      }),
    )

    it.live("a released lease can be won at once, and its token commits nothing", () =>
      Effect.gen(function* () {
        const { arbiter, commit, win } = yield* open
        const first = yield* win("k")
        yield* arbiter.release("k", first, 0)
        assert.strictEqual((yield* commit("k", first, "x")).decision, "Lost")
        assert.isFalse(yield* arbiter.renew("k", first, 10_000))
        assert.isAbove(yield* win("k"), first)
      }),
    )

    it.live("a failed lookup keeps other nodes from looking up for a while", () =>
      Effect.gen(function* () {
        const { acquire, arbiter, win } = yield* open
        yield* arbiter.release("k", yield* win("k"), 200)
        const failed = yield* acquire("k")
        assert(failed._tag === "Failed")
        assert.isAtMost(failed.leftMillis, 200)
        yield* until(acquire("k"), (acquired) => acquired._tag === "Won")
      }),
    )

    it.live("a failure is remembered for longer than a lease record where that is asked", () =>
      Effect.gen(function* () {
        const redis = yield* client
        const { arbiter, win } = yield* openOn(redis, { larder: "failed" })
        yield* arbiter.release("k", yield* win("k"), 600_000)
        const left = yield* redis.use((client) => client.pttl("larder:l:failed:{k}"))
        assert.isAbove(left, 595_000)
      }),
    )
  })

  describe("commit", () => {
    it.live("law 11: a change that came in between wins", () =>
      Effect.gen(function* () {
        const { arbiter, commit, set, text, win } = yield* open
        const changes: ReadonlyArray<readonly [string, Effect.Effect<unknown, Tier.TierError>]> = [
          ["set", set("set", "new")],
          ["remove", arbiter.write("remove", { _tag: "Remove" }, 0)],
        ]
        for (const [key, change] of changes) {
          const token = yield* win(key)
          yield* change
          assert.isFalse(yield* arbiter.renew(key, token, 10_000))
          assert.strictEqual((yield* commit(key, token, "old")).decision, "Superseded")
        }
        assert.strictEqual(yield* text("set"), "new")
        assert.strictEqual(yield* text("remove"), "tombstone")
      }),
    )

    it.live(
      "law 11: an expiry of nothing ends the lease too, and its token does not come back",
      () =>
        Effect.gen(function* () {
          const { arbiter, commit, text, win } = yield* open
          const token = yield* win("k")
          yield* arbiter.write("k", { _tag: "Expire" }, 0)
          assert.notStrictEqual((yield* commit("k", token, "old")).decision, "Stored")
          const next = yield* win("k")
          assert.isAbove(next, token)
          assert.strictEqual((yield* commit("k", token, "old")).decision, "Superseded")
          assert.isUndefined(yield* text("k"))
        }),
    )

    it.live("stores under the token, whatever version the envelope came with, once", () =>
      Effect.gen(function* () {
        const { arbiter, commit, text, version, win } = yield* open
        const token = yield* win("k")
        const bytes = Envelope.withVersion(yield* envelope("v"), 9e15)
        assert.strictEqual((yield* arbiter.commit("k", token, bytes, life)).decision, "Stored")
        assert.strictEqual(yield* version("k"), token)
        assert.strictEqual((yield* commit("k", token, "again")).decision, "Superseded")
        assert.strictEqual(yield* text("k"), "v")
      }),
    )

    it.live("law 13: what has no life becomes a tombstone", () =>
      Effect.gen(function* () {
        const { commit, set, text, version, win } = yield* open
        const old = yield* set("k", "old")
        const token = yield* win("k", { known: old })
        assert.strictEqual((yield* commit("k", token, "v", 0)).decision, "Stored")
        assert.strictEqual(yield* text("k"), "tombstone")
        assert.strictEqual(yield* version("k"), token)
      }),
    )

    it.live("never without a record of the lease", () =>
      Effect.gen(function* () {
        const { commit, text } = yield* open
        assert.strictEqual((yield* commit("k", 5, "v")).decision, "Lost")
        assert.isUndefined(yield* text("k"))
      }),
    )
  })

  describe("write", () => {
    it.live("always wins: above what is stored, held and known", () =>
      Effect.gen(function* () {
        const { arbiter, put, version, win } = yield* open
        const high = 8_000_000_000_000_000
        yield* put("k", "v", high)
        const token = yield* win("k", { known: high + 20 })
        assert.strictEqual(token, high + 21)
        const set: Tier.Write = { _tag: "Set", envelope: yield* envelope("w"), lifeMillis: life }
        assert.strictEqual((yield* arbiter.write("k", set, 0)).version, high + 22)
        assert.strictEqual((yield* arbiter.write("k", set, high + 50)).version, high + 51)
        assert.strictEqual(yield* version("k"), high + 51)
      }),
    )

    it.live("a damaged version at the end of the numbers does not stop writes", () =>
      Effect.gen(function* () {
        const { arbiter, store, text } = yield* open
        const last = Envelope.withVersion(yield* envelope("v"), Number.MAX_SAFE_INTEGER)
        assert.isFalse(yield* store.put("k", last, life))
        const set: Tier.Write = { _tag: "Set", envelope: last, lifeMillis: life }
        const { time, version } = yield* arbiter.write("k", set, Number.MAX_SAFE_INTEGER)
        assert.strictEqual(Math.floor(version / 1000), time)
        assert.strictEqual(yield* text("k"), "v")
      }),
    )

    it.live("law 20: stored numbers without room above them count as 0", () =>
      Effect.gen(function* () {
        const redis = yield* client
        const { arbiter, commit, set, text, win } = yield* openOn(redis, { larder: "ends" })
        const end = 2 ** 53 - 2
        const sound = yield* envelope("damaged")
        const lease = `${end}${"9".repeat(13)}${"0".repeat(13)}`
        for (const [key, bytes] of [
          ["value", Envelope.withVersion(sound, end)],
          ["tombstone", Envelope.tombstone(end)],
        ] as const) {
          yield* redis.use((client) =>
            client.mset(
              `larder:v:ends:{${key}}`,
              Buffer.from(bytes),
              `larder:l:ends:{${key}}`,
              lease,
            ),
          )
          const token = yield* win(key)
          assert.isBelow(token, end - 1_000_000)
          const asked = { known: 0, leaseMillis: 1000, force: false }
          assert.strictEqual((yield* arbiter.acquire(key, asked))._tag, "Busy")
          assert.strictEqual((yield* commit(key, token, "good")).decision, "Stored")
          assert.isAbove(yield* set(key, "set"), token)
          assert.strictEqual(yield* text(key), "set")
        }
      }),
    )

    it.live("damaged entries and lease records count as none", () =>
      Effect.gen(function* () {
        const redis = yield* client
        const { commit, text, win } = yield* openOn(redis, { larder: "damaged" })
        const garbage = ["", "x", "L1V", "L1T123", `L1V${"9".repeat(93)}`, `L1T${"9".repeat(16)}`]
        for (const [i, bytes] of garbage.entries()) {
          yield* redis.use((client) =>
            client.mset(`larder:v:damaged:{${i}}`, bytes, `larder:l:damaged:{${i}}`, bytes),
          )
          const token = yield* win(String(i))
          assert.strictEqual((yield* commit(String(i), token, "good")).decision, "Stored")
          assert.strictEqual(yield* text(String(i)), "good")
        }
      }),
    )

    it.live("remove leaves a tombstone for 120 seconds", () =>
      Effect.gen(function* () {
        const redis = yield* client
        const { arbiter, set, text } = yield* openOn(redis, { larder: "removed" })
        yield* set("k", "v")
        yield* arbiter.write("k", { _tag: "Remove" }, 0)
        assert.strictEqual(yield* text("k"), "tombstone")
        const left = yield* redis.use((client) => client.pttl("larder:v:removed:{k}"))
        assert.isAbove(left, 115_000)
        assert.isAtMost(left, 120_000)
      }),
    )

    it.live("law 12: tombstones live twice the settleTime, records of leases as long", () =>
      Effect.gen(function* () {
        const redis = yield* client
        const settleTime = 600_000
        const options = { larder: "settling", settleTime } as const
        const { arbiter, commit, put, set, store, win } = yield* openOn(redis, options)
        const remains = (kind: "v" | "l", key: string, whole: number) =>
          Effect.map(
            redis.use((client) => client.pttl(`larder:${kind}:settling:{${key}}`)),
            (left) => {
              assert.isAbove(left, whole - 60_000, key)
              assert.isAtMost(left, whole, key)
            },
          )
        const bytes = yield* envelope("v")
        const at = ((yield* Clock.currentTimeMillis) - 1_000) * 1000
        const sets = (at: number) =>
          ({ _tag: "Set", envelope: bytes, lifeMillis: life, at }) as const
        const tombstones: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
          remove: arbiter.write("remove", { _tag: "Remove" }, 0),
          removeAt: arbiter.write("removeAt", { _tag: "Remove", at }, 0),
          "set too late": arbiter.write("set too late", sets(at - settleTime * 1000), 0),
          "set without a life": set("set without a life", "v", 0),
          "put without a life": put("put without a life", "v", 5, 0),
          "commit without a life": Effect.flatMap(win("commit without a life"), (token) =>
            commit("commit without a life", token, "v", 0),
          ),
          "expire at its end": Effect.andThen(
            Effect.flatMap(envelope("v", { freshFor: 0, staleFor: 0 }), (ended) =>
              store.put("expire at its end", Envelope.withVersion(ended, 5), life),
            ),
            arbiter.write("expire at its end", { _tag: "Expire" }, 0),
          ),
        }
        for (const [key, change] of Object.entries(tombstones)) {
          yield* change
          yield* remains("v", key, 2 * settleTime)
        }
        // Not too late by this settleTime, and far too late by the default.
        yield* arbiter.write("set late", sets(at - 500_000_000), 0)
        assert.strictEqual(textOf((yield* store.read(["set late"]))[0]), "v")
        const ahead = ((yield* Clock.currentTimeMillis) + 60_000) * 1000
        const records: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
          acquire: win("acquire"),
          acquireAll: arbiter.acquireAll!([
            { key: "acquireAll", known: 0, leaseMillis: 10, force: false },
          ]),
          renew: Effect.flatMap(win("renew"), (token) => arbiter.renew("renew", token, 10)),
          release: Effect.flatMap(win("release"), (token) => arbiter.release("release", token, 0)),
          "expire nothing": arbiter.write("expire nothing", { _tag: "Expire" }, 0),
          "set briefly": set("set briefly", "v", 100),
          "drop what is ahead": Effect.andThen(
            put("drop what is ahead", "v", ahead),
            store.drop("drop what is ahead", ahead),
          ),
        }
        for (const [key, change] of Object.entries(records)) {
          yield* change
          yield* remains("l", key, settleTime)
        }
      }),
    )

    it.live("expire keeps the value for error grace, and the end of its life", () =>
      Effect.gen(function* () {
        const redis = yield* client
        const { arbiter, set, store } = yield* openOn(redis, { larder: "expired" })
        yield* set("k", "v", 50_000)
        const [before] = yield* store.read(["k"])
        const { time, version } = yield* arbiter.write("k", { _tag: "Expire" }, 0)
        const [bytes] = yield* store.read(["k"])
        const parsed = Envelope.parse(bytes!)
        assert(parsed._tag === "Value")
        assert.deepStrictEqual(
          [parsed.version, parsed.freshUntil, parsed.revalidateUntil, parsed.staleUntil],
          [version, time, time, Envelope.staleUntil(before!)],
        )
        assert.strictEqual(textOf(bytes), "v")
        const left = yield* redis.use((client) => client.pttl("larder:v:expired:{k}"))
        assert.isAtMost(left, 50_000)
        assert.isAbove(left, 40_000)
      }),
    )

    it.live("expire of a value whose life has no end keeps it for error grace", () =>
      Effect.gen(function* () {
        const { arbiter, store } = yield* open
        const bytes = yield* envelope("v", { freshFor: 1e15, staleFor: 1e15 })
        yield* arbiter.write("k", { _tag: "Set", envelope: bytes, lifeMillis: Infinity }, 0)
        const { time } = yield* arbiter.write("k", { _tag: "Expire" }, 0)
        const [read] = yield* store.read(["k"])
        const parsed = Envelope.parse(read!)
        assert(parsed._tag === "Value")
        assert.deepStrictEqual(
          [parsed.freshUntil, parsed.staleUntil],
          [time, Number.MAX_SAFE_INTEGER],
        )
      }),
    )

    it.live(
      "expire with no life left is a removal; of nothing or a tombstone it stores nothing",
      () =>
        Effect.gen(function* () {
          const { arbiter, text, version } = yield* open
          const short = yield* envelope("v", { freshFor: -10, staleFor: -5 })
          yield* arbiter.write("k", { _tag: "Set", envelope: short, lifeMillis: life }, 0)
          yield* arbiter.write("k", { _tag: "Expire" }, 0)
          assert.strictEqual(yield* text("k"), "tombstone")
          const buried = yield* version("k")
          yield* arbiter.write("k", { _tag: "Expire" }, 0)
          assert.strictEqual(yield* version("k"), buried)
          yield* arbiter.write("l", { _tag: "Expire" }, 0)
          assert.isUndefined(yield* text("l"))
        }),
    )

    it.live("ends any lease and failure: a reader after it can win at once", () =>
      Effect.gen(function* () {
        const { acquire, arbiter, win } = yield* open
        for (const write of [{ _tag: "Remove" }, { _tag: "Expire" }] as const) {
          yield* win(write._tag)
          yield* arbiter.write(write._tag, write, 0)
          assert.strictEqual((yield* acquire(write._tag))._tag, "Won")
          const failed = yield* win(`${write._tag} failed`)
          yield* arbiter.release(`${write._tag} failed`, failed, 10_000)
          yield* arbiter.write(`${write._tag} failed`, write, 0)
          assert.strictEqual((yield* acquire(`${write._tag} failed`))._tag, "Won")
        }
      }),
    )
  })

  describe("foreign types", () => {
    it.live("a list where an entry or a lease should be is removed, and counts as nothing", () =>
      Effect.gen(function* () {
        const redis = yield* client
        const larder = "foreign"
        const { arbiter, commit, put, set, store, text, win } = yield* openOn(redis, { larder })
        const spoil = (key: string) =>
          redis.use((client) =>
            Promise.all([
              client.lpush(`larder:v:${larder}:{${key}}`, "x"),
              client.lpush(`larder:l:${larder}:{${key}}`, "x"),
            ]),
          )
        yield* spoil("read")
        assert.isUndefined(yield* text("read"))
        assert.strictEqual(
          yield* redis.use((client) => client.exists(`larder:v:${larder}:{read}`)),
          0,
        )
        yield* spoil("many")
        assert.deepStrictEqual(yield* store.read(["many", "x"]), [undefined, undefined])
        assert.strictEqual((yield* commit("many", yield* win("many"), "good")).decision, "Stored")
        yield* spoil("set")
        yield* set("set", "good")
        yield* spoil("put")
        assert.isTrue(yield* put("put", "good", 5))
        yield* spoil("expire")
        yield* arbiter.write("expire", { _tag: "Expire" }, 0)
        yield* spoil("drop")
        yield* store.drop("drop", 5)
        yield* spoil("versions")
        const stored = yield* arbiter.versions!(["versions", "set"])
        assert.deepStrictEqual(stored[0], { version: 0, isValue: false })
        assert.isTrue(stored[1]?.isValue)
        assert.strictEqual(
          yield* redis.use((client) => client.exists(`larder:v:${larder}:{versions}`)),
          0,
        )
        const read = yield* store.read(["many", "set", "put", "expire", "drop"])
        assert.deepStrictEqual(read.map(textOf), ["good", "good", "good", undefined, undefined])
      }),
    )
  })

  describe("messages", () => {
    it.live("every applied change is told to every node, in the order of the changes", () =>
      Effect.gen(function* () {
        const larder = freshName()
        const { arbiter, commit, put, set, win } = yield* openOn(yield* client, { larder })
        const other = yield* openOn(yield* client, { larder })
        const a = yield* Tier.messages(arbiter)
        const b = yield* Tier.messages(other.arbiter)
        const { last } = yield* arbiter.marks(0)
        const key = "set {} ü\n:"
        const one = yield* set(key, "v")
        const two = yield* win("commit")
        yield* commit("commit", two, "v")
        const three = yield* arbiter.write("remove", { _tag: "Remove" }, 0)
        const four = yield* arbiter.write(key, { _tag: "Expire" }, 0)
        const five = yield* arbiter.write("nothing", { _tag: "Expire" }, 0)
        const { number } = yield* arbiter.mark(['t"', undefined, 't"'], false, 0)
        yield* put("put", "v", 3)
        const expected: ReadonlyArray<Tier.Message> = [
          { _tag: "Changed", key, version: one, isRemoval: false },
          { _tag: "Changed", key: "commit", version: two, isRemoval: false },
          { _tag: "Changed", key: "remove", version: three.version, isRemoval: true },
          { _tag: "Changed", key, version: four.version, isRemoval: false },
          { _tag: "Changed", key: "nothing", version: five.version, isRemoval: false },
          {
            _tag: "Marked",
            previous: last,
            page: {
              last: number,
              floor: last,
              dropFloor: 0,
              marks: [
                { tag: 't"', keepStale: false, number },
                { tag: undefined, keepStale: false, number },
              ],
            },
          },
          { _tag: "Changed", key: "put", version: 3, isRemoval: false },
        ]
        assert.deepStrictEqual(yield* take(a, 7), expected)
        assert.deepStrictEqual(yield* take(b, 7), expected)
      }),
    )

    it.live("what was refused, what leaves a lease held, and what is no message, is not told", () =>
      Effect.gen(function* () {
        const redis = yield* client
        const { arbiter, commit, put, set, store, win } = yield* openOn(redis, {
          larder: "quiet",
        })
        const version = yield* set("k", "v")
        const queue = yield* Tier.messages(arbiter)
        yield* put("k", "v", version)
        yield* commit("k", version, "v")
        yield* commit("l", 5, "v")
        const token = yield* win("k", { known: version })
        yield* arbiter.renew("k", token, 10_000)
        yield* arbiter.release("k", token - 1, 0)
        yield* store.drop("k", version)
        for (const text of [
          "",
          "c123",
          "hello",
          `m${"1".repeat(64)}kx`,
          `m${"1".repeat(64)}k[1]`,
        ]) {
          yield* redis.use((client) => client.publish("larder:c:{quiet}", text))
        }
        const end = yield* set("end", "v")
        assert.deepStrictEqual(yield* take(queue, 1), [
          { _tag: "Changed", key: "end", version: end, isRemoval: false },
        ])
      }),
    )

    it.live("a lease that is returned without a value is told: by its holder, once", () =>
      Effect.gen(function* () {
        const { arbiter, win } = yield* open
        const queue = yield* Tier.messages(arbiter)
        const key = "released {} ü\n:"
        const token = yield* win(key)
        yield* arbiter.release(key, token, 5_000)
        yield* arbiter.release(key, token, 5_000)
        const again = yield* win(key, { force: true })
        yield* arbiter.release(key, again, 0)
        yield* arbiter.write("end", { _tag: "Remove" }, 0)
        const told = yield* take(queue, 3)
        assert.deepStrictEqual(told.slice(0, 2), [
          { _tag: "Released", key },
          { _tag: "Released", key },
        ])
        assert.deepInclude(told[2], { _tag: "Changed", key: "end" })
      }),
    )

    it.live("a waiting reader wakes; messages end with their scope", () =>
      Effect.gen(function* () {
        const { arbiter, set } = yield* open
        const queue = yield* Effect.scoped(
          Effect.gen(function* () {
            const queue = yield* Tier.messages(arbiter)
            const waiting = yield* Effect.forkChild(Queue.take(queue), { startImmediately: true })
            const version = yield* set("k", "v")
            assert.deepStrictEqual(yield* Fiber.join(waiting), {
              _tag: "Changed",
              key: "k",
              version,
              isRemoval: false,
            })
            return queue
          }),
        )
        yield* set("k", "w")
        assert.isTrue(
          Option.isNone(yield* Queue.poll(queue).pipe(Effect.orElseSucceed(Option.none))),
        )
      }),
    )
  })

  it.live("errors carry the operation and what Redis said", () =>
    Effect.gen(function* () {
      const { cli, url } = yield* server
      const rules = [
        "on",
        ">pw",
        "~*",
        "&*",
        "+@all",
        "-get",
        "-getrange",
        "-mget",
        "-evalsha",
        "-eval",
      ]
      yield* cli("ACL", "SETUSER", "reader", ...rules)
      const redis = yield* connect({ url, username: "reader", password: Redacted.make("pw") })
      const { acquire, arbiter, commit, put, set, store } = yield* openOn(redis)
      const operations = {
        read: store.read(["k"]),
        put: put("k", "v", 5),
        drop: store.drop("k", 5),
        acquire: acquire("k"),
        renew: arbiter.renew("k", 5, 10),
        release: arbiter.release("k", 5, 10),
        commit: commit("k", 5, "v"),
        write: set("k", "v"),
        mark: arbiter.mark(["t"], true, 0),
        marks: arbiter.marks(0),
        versions: arbiter.versions!(["k"]),
      } as const satisfies Record<string, Effect.Effect<unknown, Tier.TierError>>
      for (const [operation, effect] of Object.entries<Effect.Effect<unknown, Tier.TierError>>(
        operations,
      )) {
        const error = yield* Effect.flip(effect)
        assert.deepStrictEqual([error.tier, error.operation], ["redis", operation])
        assert(error.cause instanceof RedisClient.RedisClientError)
        assert.deepStrictEqual([error.cause.reason, error.cause.code], ["Reply", "NOPERM"])
      }
    }),
  )

  it.live("an answer that none of its scripts gives is an error, not a value", () =>
    Effect.gen(function* () {
      const redis = yield* client
      const replies = [
        null,
        7,
        "x",
        [],
        ["Won"],
        ["Stored", "x"],
        [Buffer.from("W"), 1, "x"],
      ] as const
      const errors = Effect.fnUntraced(function* (reply: (typeof replies)[number]) {
        const fake = { ...redis, use: () => Effect.succeed(reply as never) }
        const { acquire, arbiter, commit, put, set } = yield* openOn(fake)
        const asked = [
          acquire("k"),
          arbiter.renew("k", 5, 10),
          commit("k", 5, "v"),
          put("k", "v", 5),
          set("k", "v"),
          arbiter.marks(0),
          arbiter.mark(["t"], true, 0),
        ] satisfies ReadonlyArray<Effect.Effect<unknown, Tier.TierError>>
        return yield* Effect.forEach(
          asked,
          (effect) => Effect.flip(effect as Effect.Effect<unknown, Tier.TierError>),
          { concurrency: "unbounded" },
        )
      })
      const all = yield* Effect.forEach(replies, errors, { concurrency: "unbounded" })
      for (const error of all.flat()) assert.include(String(error.cause), "unexpected reply")
      assert.lengthOf(all.flat(), 7 * replies.length)
    }),
  )
})
