/** Values stay right whatever a connection does to requests and replies. */
import { it } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { assert, describe } from "vitest"
import { connect, until } from "./support/clients.ts"
import * as liar from "./support/liar.ts"
import { counting, node } from "./support/nodes.ts"
import { begin, millisOf, tierTimes } from "./support/outages.ts"
import { freshName } from "./support/tiers.ts"
import { redisSuite } from "./support/withRedis.ts"

redisSuite("a connection", () => {
  // Together, since most of the time they wait for breakers.
  describe.concurrent("that lies", () => {
    const lies: Readonly<Record<string, liar.Lie>> = {
      garbage: (said) => Buffer.from(said.map((byte, i) => byte ^ (i % 251) ^ 0x5a)),
      "answers to other questions": () => Buffer.from("$5\r\nhello\r\n"),
      "numbers where none should be": () => Buffer.from(":12\r\n"),
      "nothing where something should be": () => Buffer.from("*-1\r\n"),
      errors: () => Buffer.from("-LOADING not now\r\n"),
      "half an answer, and then the end": () => undefined,
      "no answer": () => Buffer.alloc(0),
    }

    for (const [what, lie] of Object.entries(lies)) {
      it.live(
        `laws 14, 16: ${what}: reads are answered, and afterwards all is well`,
        () =>
          Effect.gen(function* () {
            const server = yield* RedisServer.start()
            const between = yield* liar.start(server.port)
            const name = freshName()
            const values = new Map<string, string>()
            const lookup = (key: string) => Effect.sync(() => values.get(key) ?? `of ${key}`)
            const change = (key: string, value: string) => {
              values.set(key, value)
              return a.set(key, value)
            }
            const policy = tierTimes
            const far = yield* connect({ host: "127.0.0.1", port: between.port })
            const a = yield* node(far, { name, lookup, policy })
            yield* change("k", "set")
            yield* change("l", "set")
            yield* between.tell(lie)
            for (const key of ["x", "y"]) {
              const { millis, value } = yield* millisOf(a.get(key))
              assert.strictEqual(value, `of ${key}`)
              assert.isBelow(millis, policy.tierBudget + 250)
            }
            assert.strictEqual(yield* a.get("k"), "set")
            // The connection for messages may be lost as well: then memory is no longer trusted.
            assert.isFalse((yield* change("k", "mine")).settled)
            values.delete("l")
            assert.isFalse((yield* a.remove("l")).settled)
            assert.strictEqual(yield* a.get("k"), "mine")
            assert.strictEqual(yield* a.get("l"), "of l")
            assert.isAbove((yield* a.stats).tierFailures, 0)
            yield* between.tellTheTruth
            yield* until(change("k", "again"), ({ settled }) => settled)
            const b = yield* node(yield* connect({ url: server.url }), { name, lookup, policy })
            assert.strictEqual(yield* b.get("k"), "again")
            yield* until(a.getWithMeta("l", { stale: "never" }), ({ value }) => value === "of l")
          }),
        15_000,
      )
    }
  })

  describe("that is slow", () => {
    it.live(
      "law 13: a value that was set does not overtake one that was set after it",
      () =>
        Effect.gen(function* () {
          const { join, raw, server } = yield* begin({ policy: tierTimes })
          const between = yield* liar.start(server.port)
          const redis = yield* connect({ host: "127.0.0.1", port: between.port })
          const a = yield* join({ lookup: counting().lookup }, Effect.succeed(redis))
          yield* a.set("k", "0")
          yield* between.hold
          assert.isFalse((yield* a.set("k", "older")).settled)
          yield* until(redis.state, (state) => state !== "ready")
          yield* between.pass
          yield* until(redis.state, (state) => state === "ready")
          yield* until(a.set("k", "newer"), ({ settled }) => settled)
          // Later than Redis takes it from anybody.
          yield* Effect.sleep(500)
          const before = (yield* server.calls).get("evalsha") ?? 0
          yield* between.release
          yield* until(server.calls, (calls) => (calls.get("evalsha") ?? 0) > before)
          assert.strictEqual(yield* (yield* raw).text("k"), "newer")
          const b = yield* join({ lookup: () => Effect.fail("not asked") })
          assert.strictEqual(yield* b.get("k"), "newer")
        }),
      15_000,
    )

    it.live(
      "law 9: a lease that somebody has given up waiting for is not granted",
      () =>
        Effect.gen(function* () {
          const { join, raw, server } = yield* begin({ policy: tierTimes })
          const gone = yield* raw
          yield* gone.win("another")
          yield* server.freeze
          yield* Effect.timeoutOption(gone.acquire("k"), 50)
          yield* Effect.sleep(700)
          yield* server.thaw
          yield* until(server.cli("PING"))
          const a = yield* join({ lookup: counting().lookup })
          const { millis, value } = yield* millisOf(a.get("k"))
          assert.strictEqual(value, "of k")
          assert.isBelow(millis, 1_000)
        }),
      15_000,
    )

    it.live(
      "law 9: a lease that is granted to somebody who has given up is given back",
      () =>
        Effect.gen(function* () {
          const { raw, server } = yield* begin({ policy: tierTimes })
          const gone = yield* raw
          yield* gone.win("another")
          yield* server.freeze
          assert.isTrue(Option.isNone(yield* Effect.timeoutOption(gone.acquire("k"), 50)))
          yield* server.thaw
          const other = yield* raw
          const millis = yield* until(other.acquire("k"), ({ _tag }) => _tag === "Won")
          // Else it would be as long as the lease.
          assert.isBelow(millis, 2_000)
        }),
      15_000,
    )
  })
})
