/** Whatever Redis loses or refuses costs lookups; nothing that was changed or invalidated comes back. */
import { it } from "@effect/vitest"
import { Freshness } from "@larder/core"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { assert, describe } from "vitest"
import { keysOf } from "../src/internal/keys.ts"
import type * as RedisClient from "../src/RedisClient.ts"
import { until } from "./support/clients.ts"
import { counting, heard, node } from "./support/nodes.ts"
import { freshName, openOn, useServer } from "./support/tiers.ts"
import { storm, tags, truth } from "./support/truth.ts"
import { redisSuite } from "./support/withRedis.ts"

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

/** Two nodes under load, while something happens to Redis again and again. */
const stormy = <E, R>(
  client: Effect.Effect<RedisClient.Client, E, R>,
  fault: Effect.Effect<unknown, unknown>,
  padding = 0,
) =>
  Effect.gen(function* () {
    const world = yield* truth({ lookupMillis: 5, padding })
    const options = { name: freshName(), tags, lookup: world.lookup }
    const third = yield* client
    const nodes = [yield* node(yield* client, options), yield* node(yield* client, options)]
    const enough = { until: () => world.settled > 120 }
    yield* storm({
      world,
      nodes,
      newcomer: node(third, options),
      fault: Effect.repeat(fault, enough),
    })
    return nodes
  })

redisSuite("loss", () => {
  describe("FLUSHALL", () => {
    const { client, server } = useServer()

    it.live("law 7: afterwards one lookup per key in all nodes", () =>
      Effect.gen(function* () {
        const { cli } = yield* server
        const name = freshName()
        const { lookup, of } = counting()
        const [a, b] = [
          yield* node(yield* client, { name, lookup }),
          yield* node(yield* client, { name, lookup }),
        ]
        const keys = range(20).map((i) => `k${i}`)
        for (const each of [a, b]) yield* each.getMany(keys)
        assert.deepStrictEqual(
          keys.map(of),
          keys.map(() => 1),
        )
        yield* cli("FLUSHALL")
        // So that both nodes have asked for the marks since.
        for (const each of [a, b]) yield* each.invalidateTags(["nobody's"])
        yield* Effect.all([a.getMany(keys), b.getMany(keys)], { concurrency: 2 })
        assert.deepStrictEqual(
          keys.map(of),
          keys.map(() => 2),
        )
      }),
    )

    it.live(
      "law 12: again and again under load: nothing that was changed comes back",
      () =>
        Effect.gen(function* () {
          const { cli } = yield* server
          const flush = Effect.andThen(cli("FLUSHALL"), Effect.sleep(40))
          yield* stormy(client, flush)
        }),
      15_000,
    )
  })

  describe("a full memory, noeviction", () => {
    const { client, server } = useServer({ config: { "maxmemory-policy": "noeviction" } })

    it.live("law 13: what is refused takes the previous value with it, and is told", () =>
      Effect.gen(function* () {
        const { cli } = yield* server
        const name = freshName()
        const { lookup, of } = counting()
        const a = yield* node(yield* client, { name, lookup, tags: () => ["t"] })
        const b = yield* node(yield* client, { name, lookup, tags: () => ["t"], memory: false })
        const events = yield* heard(a)
        const tier = yield* openOn(yield* client, { larder: name })
        yield* a.set("k", "old")
        assert.strictEqual(yield* b.get("k"), "old")
        yield* cli("CONFIG", "SET", "maxmemory", "1")

        yield* a.set("k", "new")
        yield* until(
          Effect.sync(() => events.of("Evicted").length),
          (count) => count === 1,
        )
        const [evicted] = events.of("Evicted")
        assert.deepInclude(evicted, { key: "k", tier: "redis", cause: "refused" })
        assert.strictEqual((yield* a.stats).evictions, 1)
        assert.strictEqual(yield* tier.text("k"), "tombstone")
        assert.strictEqual(yield* a.get("k"), "new")
        assert.strictEqual(yield* b.get("k"), "of k")

        assert.strictEqual(yield* a.get("other"), "of other")
        assert.strictEqual(yield* a.get("other"), "of other")
        assert.strictEqual(of("other"), 1)
        for (const change of [
          a.remove("k"),
          a.expire("other"),
          a.invalidateTags(["t"]),
          a.clear(),
        ]) {
          assert.deepInclude(yield* change, { settled: true, pending: [] })
        }
        assert.strictEqual(yield* a.get("k"), "of k")

        yield* cli("CONFIG", "SET", "maxmemory", "0")
        yield* a.set("k", "again")
        assert.strictEqual(yield* b.get("k"), "again")
      }),
    )
  })

  describe("marks and floors", () => {
    const { client, server } = useServer({ config: { "maxmemory-policy": "allkeys-lru" } })

    for (const keepStale of [true, false]) {
      for (const lost of [["marks"], ["floors"], ["marks", "floors"]] as const) {
        const invalidated = keepStale ? "invalidated" : "dropped"
        it.live(
          `law 12: what was ${invalidated} is not fresh again when ${lost.join(" and ")} go`,
          () =>
            Effect.gen(function* () {
              const { cli } = yield* server
              const name = freshName()
              const { lookup, of } = counting()
              const newcomer = node(yield* client, { name, lookup, tags: () => ["t"] })
              const a = yield* newcomer
              yield* a.set("k", "old")
              yield* a.set("l", "old")
              assert.strictEqual((yield* (yield* newcomer).read("k")).freshness._tag, "Fresh")
              yield* a.invalidateTags(["t"], { keepStale })
              for (const each of lost) yield* cli("DEL", keysOf("larder", name)[each])

              const { freshness } = yield* (yield* newcomer).read("k")
              // Whether the floors knew of marks that drop, nobody can tell when they are gone.
              const keeps = keepStale && !lost.some((each) => each === "floors")
              assert.deepStrictEqual(freshness, keeps ? Freshness.staleError : Freshness.missing)
              const b = yield* newcomer
              assert.strictEqual(yield* b.get("k"), "of k")
              assert.strictEqual(yield* b.get("k"), "of k")
              assert.strictEqual(yield* (yield* newcomer).get("k"), "of k")
              assert.strictEqual(of("k"), 1)
              assert.strictEqual(yield* a.get("l"), "of l")
            }),
        )
      }
    }

    it.live(
      "law 12: an invalidation reaches nodes that read within five seconds",
      () =>
        Effect.gen(function* () {
          const name = freshName()
          const { lookup, of } = counting()
          const a = yield* node(yield* client, { name, lookup, tags: () => ["t"] })
          const b = yield* node(yield* client, { name, lookup, tags: () => ["t"] })
          const c = yield* node(yield* client, { name, lookup, tags: () => ["t"], memory: false })
          yield* a.set("k", "old")
          for (const each of [b, c]) assert.strictEqual(yield* each.get("k"), "old")
          yield* a.invalidateTags(["t"])
          assert.strictEqual(yield* a.get("k"), "of k")
          const millis = yield* until(
            Effect.forEach([b, c], (each) => Effect.andThen(each.read("not there"), each.get("k"))),
            (values) => values.every((value) => value === "of k"),
          )
          assert.isBelow(millis, 6_000)
          assert.strictEqual(of("k"), 1)
        }),
      10_000,
    )
  })

  describe("the holder of a lease", () => {
    const { client } = useServer()

    it.live(
      "law 10: that dies: after its lease others load, once; its late commit is refused",
      () =>
        Effect.gen(function* () {
          const name = freshName()
          const { lookup, of } = counting()
          const holder = yield* openOn(yield* client, { larder: name })
          const token = yield* holder.win("k", { lease: 300 })
          const a = yield* node(yield* client, { name, lookup })
          const b = yield* node(yield* client, { name, lookup })
          const events = yield* heard(a)
          const [millis] = yield* Effect.timed(
            Effect.map(Effect.all([a.get("k"), b.get("k")], { concurrency: 2 }), (values) =>
              assert.deepStrictEqual(values, ["of k", "of k"]),
            ),
          )
          assert.isAtLeast(Duration.toMillis(millis), 250)
          assert.isBelow(Duration.toMillis(millis), 3_000)
          assert.isAbove(events.of("LeaseBusy").length, 0)
          assert.strictEqual(of("k"), 1)
          yield* until(holder.text("k"), (text) => text === "of k")
          assert.strictEqual((yield* holder.commit("k", token, "late")).decision, "Superseded")
          assert.strictEqual(yield* (yield* node(yield* client, { name, lookup })).get("k"), "of k")
        }),
    )

    it.live("law 10: that is late: its own callers get its value, which is not kept", () =>
      Effect.gen(function* () {
        const name = freshName()
        const answer = yield* Deferred.make<string>()
        const lookup = () => Deferred.await(answer)
        const a = yield* node(yield* client, { name, lookup })
        const events = yield* heard(a)
        const b = yield* node(yield* client, { name, lookup: () => Effect.succeed("new") })
        const late = yield* Effect.forkChild(a.get("k"))
        yield* until(
          Effect.sync(() => events.of("LookupStarted").length),
          Boolean,
        )
        assert.strictEqual(yield* b.refresh("k"), "new")
        yield* Deferred.succeed(answer, "old")
        assert.strictEqual(yield* Fiber.join(late), "old")
        yield* until(
          Effect.sync(() => events.of("Superseded").length),
          Boolean,
        )
        assert.strictEqual(yield* a.get("k"), "new")
        assert.strictEqual(yield* (yield* node(yield* client, { name, lookup })).get("k"), "new")
      }),
    )
  })

  const fillers = "x".repeat(50_000)

  for (const policy of ["noeviction", "volatile-ttl", "allkeys-lru", "allkeys-random"]) {
    describe(`a full memory under load, ${policy}`, () => {
      const { client, server } = useServer({ config: { "maxmemory-policy": policy } })

      it.live(
        "laws 12, 13: values are right, and nothing that was changed comes back",
        () =>
          Effect.gen(function* () {
            const { cli, info } = yield* server
            const used = Number((yield* info("memory")).get("used_memory"))
            yield* cli("CONFIG", "SET", "maxmemory", String(used + 600_000))
            let next = 0
            const fill = Effect.suspend(() =>
              cli("SET", `filler ${next++}`, fillers, "EX", "86400"),
            )
            const filling = Effect.andThen(Effect.ignore(fill), Effect.sleep(5))
            const nodes = yield* stormy(client, filling, 3_000)
            const evicted = Number((yield* info("stats")).get("evicted_keys"))
            const refused = (yield* nodes[0]!.stats).evictions
            assert.isAbove(policy === "noeviction" ? refused : evicted, 0)
          }),
        15_000,
      )
    })
  }
})
