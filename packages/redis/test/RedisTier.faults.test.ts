/** A Redis that dies or freezes costs a read little, and is right again afterwards. */
import { it } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { assert, describe } from "vitest"
import { connect, until } from "./support/clients.ts"
import { counting, heard, node, sent } from "./support/nodes.ts"
import { begin, breakerOf, millisOf, tierTimes } from "./support/outages.ts"
import { freshName } from "./support/tiers.ts"
import { storm, tags, truth } from "./support/truth.ts"
import { redisSuite } from "./support/withRedis.ts"

redisSuite("faults", () => {
  describe("killed", () => {
    it.live(
      "law 14: without its data: reads go on, the breaker opens, and closes afterwards",
      () =>
        Effect.gen(function* () {
          const { join, server } = yield* begin({
            policy: { ...tierTimes, freshFor: 50, staleWhileRevalidate: "1 minute" },
          })
          const { lookup } = counting()
          const a = yield* join({ lookup })
          const events = yield* heard(a)
          yield* a.get("k")
          yield* server.kill()
          yield* Effect.forEach(Array.from({ length: 20 }), (_, i) =>
            Effect.gen(function* () {
              const known = yield* millisOf(a.get("k"))
              assert.strictEqual(known.value, "of k")
              assert.isBelow(known.millis, 50)
              const unknown = yield* millisOf(a.get(`new ${i}`))
              assert.strictEqual(unknown.value, `of new ${i}`)
              assert.isBelow(unknown.millis, tierTimes.tierBudget + 100)
            }),
          )
          assert.strictEqual(yield* breakerOf(a), "Open")
          yield* server.restart()
          yield* until(Effect.andThen(a.refresh("k"), breakerOf(a)), (state) => state === "Closed")
          assert.deepStrictEqual(
            events.of("BreakerChanged").map(({ breaker, from, to }) => [breaker, from, to]),
            [
              ["redis", "Closed", "Open"],
              ["redis", "Open", "HalfOpen"],
              ["redis", "HalfOpen", "Closed"],
            ],
          )
          // What is set is as good as the marks that are known, and they were read before the loss.
          yield* a.read("nothing")
          assert.deepInclude(yield* a.set("k", "set"), { settled: true })
          assert.strictEqual(yield* (yield* join({ lookup })).get("k"), "set")
        }),
      15_000,
    )

    it.live(
      "laws 13, 15: without its data: what was changed meanwhile stays changed",
      () =>
        Effect.gen(function* () {
          const { join, raw, server } = yield* begin({ policy: tierTimes })
          const late = yield* Deferred.make<string>()
          const { lookup } = counting((key) =>
            key === "k" ? Effect.succeed("2") : Effect.succeed(`of ${key}`),
          )
          const a = yield* join({ lookup })
          const b = yield* join({ lookup: () => Deferred.await(late) })
          const [ofA, ofB] = [yield* heard(a), yield* heard(b)]
          // A lookup that begins before the change, and ends after the recovery.
          const older = yield* Effect.forkChild(b.get("k"))
          yield* until(
            Effect.sync(() => ofB.of("LookupStarted").length),
            (count) => count === 1,
          )
          yield* server.kill()
          const ack = yield* a.set("k", "2")
          assert.deepStrictEqual([ack.settled, ack.pending], [false, ["redis"]])
          assert.strictEqual(yield* a.get("k"), "2")
          yield* server.restart()
          yield* until(
            Effect.sync(() => ofA.of("Recovered").length),
            (count) => count === 1,
          )
          const tier = yield* raw
          assert.strictEqual(yield* tier.text("k"), "tombstone")
          yield* Deferred.succeed(late, "1")
          assert.strictEqual(yield* Fiber.join(older), "1")
          yield* until(
            Effect.sync(() => ofB.of("Superseded").length),
            (count) => count === 1,
          )
          assert.strictEqual(yield* a.get("k"), "2")
          const c = yield* join({ lookup })
          assert.strictEqual(yield* c.get("k"), "2")
          assert.strictEqual(yield* b.get("k"), "2")
        }),
      15_000,
    )

    it.live(
      "law 15: with its data: what it missed is settled by dropping",
      () =>
        Effect.gen(function* () {
          const { join, raw, server } = yield* begin({
            policy: tierTimes,
            tags: (_, key) => (key.startsWith("tagged") ? ["t"] : []),
          })
          const values = new Map<string, string>()
          const { lookup, of } = counting((key) => Effect.succeed(values.get(key) ?? "1"))
          const a = yield* join({ lookup })
          const changed = ["set", "removed", "expired", "tagged"]
          const keys = [...changed, "untouched"]
          yield* a.getMany(keys)
          const tier = yield* raw
          yield* until(
            Effect.forEach(keys, (key) => tier.text(key)),
            (texts) => texts.every((text) => text === "1"),
          )
          const events = yield* heard(a)
          yield* server.stop
          for (const key of keys) values.set(key, "2")
          for (const change of [
            a.set("set", "2"),
            a.remove("removed"),
            a.expire("expired"),
            a.invalidateTags(["t"]),
          ]) {
            assert.deepInclude(yield* change, { settled: false, pending: ["redis"] })
          }
          yield* server.restart({ keepData: true })
          assert.strictEqual(yield* tier.text("set").pipe(Effect.eventually), "1")
          yield* until(
            Effect.forEach(changed, (key) =>
              Effect.map(a.getWithMeta(key), ({ freshness, value }) => {
                assert.deepStrictEqual([key, freshness._tag, value], [key, "Fresh", "2"])
              }),
            ),
            () => events.of("Recovered").length === 1,
          )
          assert.isAtLeast(events.of("Recovered")[0]?.changes ?? 0, changed.length)
          const b = yield* join({ lookup })
          for (const key of changed) assert.strictEqual(yield* b.get(key), "2")
          const { tier: from, value } = yield* b.getWithMeta("untouched")
          assert.deepStrictEqual([from, value], ["redis", "1"])
          assert.strictEqual(of("untouched"), 1)
        }),
      15_000,
    )
  })

  describe("frozen", () => {
    const policy = { tierTimeout: 100, tierBudget: 200 }
    const graceful = { ...policy, freshFor: 50, staleWhileRevalidate: "1 minute" } as const

    it.live(
      "law 14: for two seconds: what is in memory costs nothing, all else the budget at most",
      () =>
        Effect.gen(function* () {
          const { join, server } = yield* begin({ policy: graceful })
          const { lookup } = counting((key) => Effect.delay(Effect.succeed(`of ${key}`), 20))
          const a = yield* join({ lookup })
          yield* a.get("k")
          const known: Array<number> = []
          const useKnown = Effect.gen(function* () {
            const { millis, value } = yield* millisOf(a.get("k"))
            assert.strictEqual(value, "of k")
            known.push(millis)
            yield* Effect.sleep(20)
          })
          const useUnknown = (i: number) =>
            Effect.gen(function* () {
              const { millis, value } = yield* millisOf(a.get(`new ${i}`))
              assert.strictEqual(value, `of new ${i}`)
              assert.isBelow(millis, policy.tierBudget + 20 + 150)
              return millis
            })
          yield* server.freeze
          const unknown = yield* Effect.raceFirst(
            Effect.forEach(Array.from({ length: 40 }), (_, i) =>
              Effect.tap(useUnknown(i), Effect.sleep(20)),
            ),
            Effect.forever(useKnown),
          ).pipe(Effect.ensuring(server.thaw))
          assert.isAbove(known.length, 40)
          // None has waited for a step in the tier; a few may have waited for a busy machine.
          assert.isBelow(Math.max(...known), policy.tierTimeout)
          assert.isAtMost(known.filter((millis) => millis >= 50).length, 2)
          assert.isBelow(Math.min(...unknown.slice(-10)), policy.tierTimeout)
          assert.strictEqual(yield* breakerOf(a), "Open")
          yield* until(Effect.andThen(a.refresh("k"), breakerOf(a)), (state) => state === "Closed")
          yield* a.get("after")
          const b = yield* join({ lookup: () => Effect.fail("not asked") })
          yield* until(b.get("after"), (value) => value === "of after")
        }),
      15_000,
    )
  })

  describe("closed while frozen", () => {
    it.live(
      "law 22: ends within closeTimeout, and says nothing to Redis any more",
      () =>
        Effect.gen(function* () {
          const { client, join, raw, server } = yield* begin({
            policy: tierTimes,
            closeTimeout: "1 second",
          })
          const answer = yield* Deferred.make<string>()
          const { lookup } = counting((key) =>
            key === "slow" ? Deferred.await(answer) : Effect.succeed(`of ${key}`),
          )
          const redis = yield* client
          const scope = yield* Scope.make()
          const a = yield* join({ lookup }, Effect.succeed(redis)).pipe(Scope.provide(scope))
          yield* a.get("k")
          const events = yield* heard(a)
          const waiting = yield* Effect.forkChild(Effect.exit(a.get("slow")))
          yield* until(
            Effect.sync(() => events.of("LeaseWon").length),
            (count) => count === 1,
          )
          yield* server.freeze
          const writing = yield* Effect.forkChild(Effect.exit(a.set("k", "set")))
          const loading = yield* Effect.forkChild(Effect.exit(a.get("new")))
          yield* Effect.sleep(20)
          const { millis } = yield* millisOf(Scope.close(scope, Exit.void))
          assert.isBelow(millis, 1_300)
          for (const fiber of [waiting, loading]) {
            assert.isTrue(Exit.hasDies(yield* Fiber.join(fiber)))
          }
          yield* Fiber.join(writing)
          const { take } = sent(redis.client)
          yield* Deferred.succeed(answer, "late")
          yield* server.thaw
          const tier = yield* raw
          yield* until(tier.text("k"), Boolean)
          // Longer than the pause between two recoveries.
          yield* Effect.sleep(1_200)
          assert.deepStrictEqual(take(), [])
          assert.strictEqual(yield* tier.text("slow"), undefined)
          assert.strictEqual(yield* tier.text("new"), undefined)
        }),
      15_000,
    )
  })

  // Together, since most of the time they wait for breakers.
  describe.concurrent("for long", () => {
    it.live(
      "law 14: frozen: the breaker's probes fail until it thaws, and then one does not",
      () =>
        Effect.gen(function* () {
          const { join, server } = yield* begin({ policy: tierTimes })
          const { lookup } = counting()
          const a = yield* join({ lookup })
          const events = yield* heard(a)
          yield* a.get("k")
          yield* server.freeze
          const changes = Effect.sync(() => events.of("BreakerChanged").map(({ to }) => to))
          let next = 0
          const use = Effect.suspend(() => a.get(`new ${next++}`))
          yield* until(Effect.andThen(use, changes), (states) => states.length === 3).pipe(
            Effect.ensuring(server.thaw),
          )
          yield* until(Effect.andThen(use, changes), (states) => states.length === 5)
          assert.deepStrictEqual(yield* changes, ["Open", "HalfOpen", "Open", "HalfOpen", "Closed"])
          const { settled } = yield* a.set("k", "set")
          assert.isTrue(settled)
          assert.strictEqual(yield* (yield* join({ lookup })).get("k"), "set")
        }),
      20_000,
    )

    type Outage = (server: RedisServer.RedisServer) => {
      readonly away: Effect.Effect<void, RedisServer.RedisServerError>
      readonly back: Effect.Effect<void, RedisServer.RedisServerError>
    }
    const outages: Readonly<Record<string, Outage>> = {
      frozen: ({ freeze, thaw }) => ({ away: freeze, back: thaw }),
      "killed, and started without its data": ({ kill, restart }) => ({
        away: kill(),
        back: restart(),
      }),
      "killed, and started with its data": ({ kill, restart }) => ({
        away: kill(),
        back: restart({ keepData: true }),
      }),
    }

    for (const [what, outage] of Object.entries(outages)) {
      it.live(
        `laws 11, 12, 13: ${what}, under load: nothing that was changed comes back`,
        () =>
          Effect.gen(function* () {
            // What it has acknowledged is on disk.
            const config = { appendonly: "yes", appendfsync: "always" }
            const server = yield* RedisServer.start({ config })
            const world = yield* truth({ lookupMillis: 5 })
            const options = {
              name: freshName(),
              tags,
              lookup: world.lookup,
              policy: tierTimes,
            }
            const client = Effect.tap(
              connect({ url: server.url, commandTimeout: "5 seconds" }),
              (redis) => redis.use((client) => client.ping()),
            )
            const third = yield* client
            const nodes = [yield* node(yield* client, options), yield* node(yield* client, options)]
            const { away, back } = outage(server)
            const settled = Effect.sync(() => world.settled)
            const fault = Effect.gen(function* () {
              yield* until(settled, (count) => count > 40)
              yield* away
              yield* until(Effect.forEach(nodes, breakerOf), (states) =>
                states.every((state) => state === "Open"),
              )
              const before = yield* settled
              yield* Effect.sleep(200)
              yield* back
              yield* until(settled, (count) => count > before + 80)
            })
            yield* storm({ world, nodes, newcomer: node(third, options), fault })
          }),
        // On a busy machine the new client may not be connected before its first request.
        { timeout: 25_000, retry: 2 },
      )
    }
  })
})
