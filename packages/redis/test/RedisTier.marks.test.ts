/** Marks that a node has not heard of, on real servers: many of them, and those of another node. */
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { it } from "@effect/vitest"
import { SqliteTier } from "@larder/sqlite"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { assert, describe } from "vitest"
import * as RedisClient from "../src/RedisClient.ts"
import * as RedisTier from "../src/RedisTier.ts"
import { connect, until } from "./support/clients.ts"
import { counting, node } from "./support/nodes.ts"
import { begin } from "./support/outages.ts"
import * as Proxy from "./support/proxy.ts"
import { freshName, useServer } from "./support/tiers.ts"
import { useCluster } from "./support/topologies.ts"
import { redisSuite } from "./support/withRedis.ts"

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

const tags = () => ["t"]

/** One lookup that lasts until it is let go. */
const held = Effect.gen(function* () {
  const begun = yield* Deferred.make<void>()
  const end = yield* Deferred.make<void>()
  const lookup = (key: string) =>
    key === "k"
      ? Effect.as(Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(end)), "old")
      : Effect.succeed("other")
  return { lookup, begun: Deferred.await(begun), end: Deferred.succeed(end, undefined) }
})

/** The checks that hold wherever the marks are. */
const judged = (client: ReturnType<typeof connect>) => {
  const two = (lookup: (key: string) => Effect.Effect<string, string>) =>
    Effect.gen(function* () {
      const name = freshName()
      const join = Effect.flatMap(client, (redis) => node(redis, { name, lookup, tags }))
      const [a, b] = [yield* join, yield* join]
      for (const each of [a, b]) yield* each.get("warm")
      return { a, b, join }
    })

  for (const what of ["a tag", "everything"]) {
    it.live(
      `law 11: what was looked up before another node invalidated ${what} is not kept as fresh`,
      () =>
        Effect.gen(function* () {
          const { begun, end, lookup } = yield* held
          const { a, b } = yield* two(lookup)
          const looking = yield* Effect.forkChild(b.get("k"))
          yield* begun
          const ack = yield* what === "a tag" ? a.invalidateTags(tags()) : a.clear()
          assert.isTrue(ack.settled)
          yield* end
          assert.strictEqual(yield* Fiber.join(looking), "old")
          // Until it has settled, those who come get the same.
          yield* until(b.read("k"), ({ freshness }) => freshness._tag !== "Fresh")
        }),
    )

    it.live(`law 13: what is set after another node invalidated ${what} is valid for all`, () =>
      Effect.gen(function* () {
        const { all, lookup } = countingAll()
        const { a, b, join } = yield* two(lookup)
        yield* what === "a tag" ? a.invalidateTags(tags()) : a.clear()
        assert.isTrue((yield* b.set("k", "set")).settled)
        const before = all()
        for (const each of [a, b, yield* join]) assert.strictEqual(yield* each.get("k"), "set")
        assert.strictEqual(all(), before)
      }),
    )
  }

  it.live("law 12: the first burst of a new node after a clear is kept in its memory", () =>
    Effect.gen(function* () {
      const { all, lookup } = countingAll()
      const { a, join } = yield* two(lookup)
      yield* a.clear()
      const keys = range(100).map((i) => `k${i}`)
      yield* a.getMany(keys)
      const before = all()
      const b = yield* join
      const burst = Effect.forEach(keys, (k) => b.getWithMeta(k), { concurrency: "unbounded" })
      yield* burst
      // What was read before the node's subscription began is read once more.
      yield* burst
      const again = yield* burst
      assert.deepStrictEqual([...new Set(again.map(({ tier }) => tier))], ["memory"])
      assert.strictEqual(all(), before)
    }),
  )
}

const countingAll = () => {
  const source = counting()
  return { lookup: source.lookup, all: () => source.all }
}

redisSuite("marks of other nodes", () => {
  describe("single", () => {
    const { client } = useServer()
    judged(client)
  })

  describe("Cluster", () => {
    const { client } = useCluster()
    judged(client)
  })

  describe("as many as are kept", () => {
    for (const delayMillis of [0, 10, 25]) {
      it.live(
        `laws 14, 15: with ${2 * delayMillis} ms a trip a new node reads, and what it sets is settled and valid for others`,
        () =>
          Effect.gen(function* () {
            const { join, raw, server } = yield* begin()
            const { lookup } = counting()
            const { arbiter } = yield* raw
            const old = yield* join({ lookup, tags: (_, key) => [key] })
            yield* old.set("tag 7", "old")
            let known = 0
            for (const i of range(100)) {
              const tags = range(1_000).map((j) => `tag ${1_000 * i + j}`)
              // A busy machine may take longer than a command may; the same marks may be set again.
              known = (yield* Effect.retry(arbiter.mark(tags, true, known), { times: 10 })).last
            }
            yield* old.set("tag 8", "new")
            const proxy = yield* Proxy.start(server.port, delayMillis)
            const b = yield* join(
              {
                lookup,
                tags: (_, key) => [key],
                // On a busy machine single steps take longer than they may.
                policy: { tierTimeout: 100, tierBudget: 200, retryAfterFailure: 0 },
              },
              connect({ url: `redis://127.0.0.1:${proxy.port}` }),
            )
            yield* until(b.read("tag 8"), ({ entry, freshness }) => {
              return freshness._tag === "Fresh" && entry?.value === "new"
            })
            assert.strictEqual(yield* b.get("tag 7"), "of tag 7")
            yield* until(b.set("tag 9", "mine"), ({ settled }) => settled)
            const other = yield* join({ lookup, tags: (_, key) => [key] })
            yield* until(other.read("tag 9"), ({ entry, freshness }) => {
              return freshness._tag === "Fresh" && entry?.value === "mine"
            })
          }),
        60_000,
      )
    }
  })

  describe("memory, SQLite and Redis", () => {
    const { client } = useServer()

    const three = (
      redis: RedisClient.Client,
      name: string,
      lookup: (key: string) => Effect.Effect<string>,
    ) =>
      Effect.gen(function* () {
        const tier = RedisTier.layer().pipe(
          Layer.provide(Layer.succeed(RedisClient.RedisClient, redis)),
        )
        const stack = TierStack.layer(
          MemoryTier.layer({ maxFreshFor: "300 millis" }),
          SqliteTier.layer({ filename: ":memory:" }),
          tier,
        )
        return yield* Larder.make({
          name,
          value: Schema.String,
          tags,
          upstream: Upstream.make({ lookup }),
          policy: Policy.make({
            freshFor: "1 hour",
            staleIfError: "1 hour",
            tierTimeout: "1 second",
            tierBudget: "2 seconds",
          }),
        }).pipe(Effect.provide(yield* Layer.build(stack)))
      }).pipe(Effect.provide(Logger.layer([])))

    const changes: Readonly<
      Record<string, (larder: Larder.Larder<string, string>) => Effect.Effect<Larder.Ack, unknown>>
    > = {
      set: (larder) => larder.set("k", "new"),
      remove: (larder) => larder.remove("k"),
      expire: (larder) => larder.expire("k"),
      "a tag": (larder) => larder.invalidateTags(["t"]),
      clear: (larder) => larder.clear(),
    }

    for (const [name, change] of Object.entries(changes)) {
      it.live(
        `laws 1, 18: what ${name} of another node changed is fresh for no longer than maxFreshFor`,
        () =>
          Effect.gen(function* () {
            const larder = freshName()
            let value = "old"
            const lookup = () => Effect.sync(() => value)
            const a = yield* three(yield* client, larder, lookup)
            const b = yield* three(yield* client, larder, lookup)
            yield* a.get("k")
            for (const _ of range(30)) {
              assert.strictEqual(yield* b.get("k"), "old")
              yield* Effect.sleep("10 millis")
            }
            value = "new"
            assert.isTrue((yield* change(a)).settled)
            const millis = yield* until(b.get("k"), (got) => got === "new")
            // On a busy machine; it was for ever.
            assert.isBelow(millis, 1_500)
          }),
      )
    }
  })
})
