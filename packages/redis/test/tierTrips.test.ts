/** The trips of each operation, counted where the client sends: commands of one write share a trip. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert, describe } from "vitest"
import { until } from "./support/clients.ts"
import { counting, node, sent } from "./support/nodes.ts"
import { freshName, openOn, useServer } from "./support/tiers.ts"
import { redisSuite } from "./support/withRedis.ts"

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

redisSuite("trips", () => {
  const { client } = useServer()

  /** Two nodes on clients of their own: what one has stored, the other has not in memory. */
  const two = (tags: ReadonlyArray<string> = []) =>
    Effect.gen(function* () {
      const name = freshName()
      const source = counting()
      const options = { name, lookup: source.lookup, tags: () => tags }
      const [first, second] = [yield* client, yield* client]
      const [a, b] = [yield* node(first, options), yield* node(second, options)]
      // The clients know the scripts, and the nodes have read the marks.
      for (const each of [a, b]) yield* each.get("warm")
      for (const change of [a.set("warm", "w"), a.expire("warm"), a.remove("warm"), a.clear()]) {
        yield* change
      }
      return { a, b, source, first: sent(first.client), second: sent(second.client) }
    })

  for (const count of [0, 5]) {
    it.live(`a hit with ${count} tags is one GET`, () =>
      Effect.gen(function* () {
        const { a, b, second, source } = yield* two(range(count).map((i) => `tag ${i}`))
        yield* a.set("k", "v")
        second.take()
        assert.strictEqual(yield* b.get("k"), "v")
        assert.deepStrictEqual(second.take(), ["get"])
        assert.strictEqual(source.of("k"), 0)
      }),
    )
  }

  it.live("versions are one GETRANGE a key, in one write", () =>
    Effect.gen(function* () {
      const redis = yield* client
      const { arbiter, set } = yield* openOn(redis, { larder: "versions" })
      const keys = ["none", "value", "tombstone", "garbage", "value"]
      const value = yield* set("value", "v")
      const { version } = yield* arbiter.write("tombstone", { _tag: "Remove" }, 0)
      const { take } = sent(redis.client)
      const expected = [
        { version: 0, isValue: false },
        { version: value, isValue: true },
        { version, isValue: false },
      ]
      for (const [i, stored] of expected.entries()) {
        assert.deepStrictEqual(yield* arbiter.versions!([keys[i]!]), [stored])
        assert.deepStrictEqual(take(), ["getrange"])
      }
      yield* redis.use((ioredis) => ioredis.set(`larder:v:versions:{garbage}`, "garbage"))
      take()
      assert.deepStrictEqual(yield* arbiter.versions!(keys), [
        ...expected,
        { version: 0, isValue: true },
        expected[1]!,
      ])
      assert.deepStrictEqual(
        take(),
        keys.map(() => "getrange"),
      )
      assert.deepStrictEqual(yield* arbiter.versions!([]), [])
      assert.deepStrictEqual(take(), [])
    }),
  )

  it.live("a miss is three: GET, acquire, commit; a background refresh two", () =>
    Effect.gen(function* () {
      const { a, first } = yield* two()
      first.take()
      assert.strictEqual(yield* a.get("k"), "of k")
      yield* until(
        Effect.sync(() => first.commands.length),
        (length) => length >= 3,
      )
      assert.deepStrictEqual(first.take(), ["get", "acquire", "commit"])
      yield* a.refresh("k")
      yield* until(
        Effect.sync(() => first.commands.length),
        (length) => length >= 2,
      )
      assert.deepStrictEqual(first.take(), ["acquire", "commit"])
    }),
  )

  it.live("set, remove, expire, an invalidation of tags and a clear are one each", () =>
    Effect.gen(function* () {
      const { a, first } = yield* two(["t"])
      yield* a.get("k")
      yield* until(
        Effect.sync(() => first.commands.includes("commit")),
        Boolean,
      )
      first.take()
      yield* a.set("k", "v")
      assert.deepStrictEqual(first.take(), ["set"])
      yield* a.expire("k")
      assert.deepStrictEqual(first.take(), ["expire"])
      yield* a.remove("k")
      assert.deepStrictEqual(first.take(), ["remove"])
      yield* a.invalidateTags(["t", "u"])
      assert.deepStrictEqual(first.take(), ["mark"])
      yield* a.clear()
      assert.deepStrictEqual(first.take(), ["mark"])
    }),
  )

  it.live("a hundred keys are one MGET", () =>
    Effect.gen(function* () {
      const { a, b, second, source } = yield* two()
      const keys = range(100).map((i) => `k${i}`)
      for (const key of keys) yield* a.set(key, `v of ${key}`)
      second.take()
      const read = yield* b.getMany(keys)
      assert.deepStrictEqual(second.take(), ["mget"])
      for (const key of keys) assert.deepStrictEqual(read.get(key), Exit.succeed(`v of ${key}`))
      assert.strictEqual(source.of("k1"), 0)
    }),
  )

  it.live("the marks that a new node reads go out together with its first GET", () =>
    Effect.gen(function* () {
      const redis = yield* client
      yield* redis.use((client) => client.ping())
      const { lookup } = counting()
      const larder = yield* node(redis, { name: freshName(), lookup })
      const { commands } = sent(redis.client)
      const answered: Array<number> = []
      const get = redis.client.getBuffer.bind(redis.client)
      redis.client.getBuffer = ((key: string) =>
        get(key).finally(() => answered.push(commands.length))) as typeof get
      yield* larder.get("k")
      assert.sameMembers(commands.slice(0, 2), ["get", "readMarks"])
      assert.isAtLeast(answered[0] ?? 0, 2)
    }),
  )

  it.live("law 7: a thousand cold callers of one key are one GET, one acquire, one commit", () =>
    Effect.gen(function* () {
      const { a, first, source } = yield* two()
      first.take()
      const all = yield* Effect.all(
        range(1_000).map(() => a.get("cold")),
        { concurrency: "unbounded" },
      )
      assert.isTrue(all.every((value) => value === "of cold"))
      yield* until(
        Effect.sync(() => first.commands.length),
        (length) => length >= 3,
      )
      assert.deepStrictEqual(first.take(), ["get", "acquire", "commit"])
      assert.strictEqual(source.of("cold"), 1)
    }),
  )

  describe("a server that has forgotten the scripts", () => {
    it.live("is sent the text, once", () =>
      Effect.gen(function* () {
        const redis = yield* client
        const { acquire, commit, win } = yield* openOn(redis)
        yield* win("a")
        yield* redis.use((client) => client.script("FLUSH"))
        const { take } = sent(redis.client)
        assert.strictEqual((yield* acquire("a"))._tag, "Busy")
        assert.deepStrictEqual(take(), ["acquire", "eval"])
        const token = yield* win("b")
        assert.deepStrictEqual(take(), ["acquire"])
        assert.strictEqual((yield* commit("b", token, "v")).decision, "Stored")
      }),
    )
  })
})
