/** Changes that Redis missed while it was away, replayed at their place in the order. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { assert, describe } from "vitest"
import { connect, until } from "./support/clients.ts"
import { counting, heard } from "./support/nodes.ts"
import { begin, breakerOf, tierTimes } from "./support/outages.ts"
import * as Proxy from "./support/proxy.ts"
import { redisSuite } from "./support/withRedis.ts"

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

redisSuite("recovery", () => {
  describe.concurrent("after an outage", () => {
    it.live(
      "laws 13, 15: a change of a node that was cut off leaves what another node set later, and nothing older",
      () =>
        Effect.gen(function* () {
          const { join, raw, server } = yield* begin({ policy: tierTimes })
          const { lookup } = counting()
          const proxy = yield* Proxy.start(server.port)
          const a = yield* join({ lookup }, connect({ url: `redis://127.0.0.1:${proxy.port}` }))
          const b = yield* join({ lookup })
          yield* until(a.set("later", "of a"), ({ settled }) => settled)
          yield* until(a.set("older", "of a"), ({ settled }) => settled)
          yield* proxy.silence
          assert.isFalse((yield* a.set("later", "missed")).settled)
          assert.isFalse((yield* a.remove("older")).settled)
          yield* until(b.set("later", "of b"), ({ settled }) => settled)
          yield* proxy.restore
          const tier = yield* raw
          yield* until(tier.text("older"), (text) => text === "tombstone")
          assert.strictEqual(yield* tier.text("later"), "of b")
        }),
      30_000,
    )

    it.live(
      "law 15: every tag that was invalidated while Redis was frozen is marked there",
      () =>
        Effect.gen(function* () {
          const { join, server } = yield* begin({
            policy: tierTimes,
            tags: (_, key) => [key],
          })
          const { lookup } = counting()
          const a = yield* join({ lookup })
          const b = yield* join({ lookup, memory: false })
          const events = yield* heard(a)
          const keys = numbers(300).map((i) => `k${i}`)
          const looked = ["k0", "k150", "k298", "k299"]
          for (const key of looked) yield* until(a.set(key, key), ({ settled }) => settled)
          for (const key of looked) {
            yield* until(b.read(key), ({ freshness }) => freshness._tag === "Fresh")
          }
          yield* server.freeze
          for (const key of keys.slice(0, 299)) yield* a.invalidateTags([key])
          yield* server.thaw
          // Perhaps while the others are replayed.
          yield* a.invalidateTags(["k299"])
          yield* until(
            Effect.sync(() => events.of("Recovered").length),
            (count) => count > 0,
          )
          const c = yield* join({ lookup, memory: false })
          for (const key of looked) {
            assert.notStrictEqual((yield* c.read(key)).freshness._tag, "Fresh", key)
          }
        }),
      30_000,
    )

    it.live(
      "law 22: a larder that closes while its breaker is still open tells Redis what it missed",
      () =>
        Effect.gen(function* () {
          const { join, raw, server } = yield* begin({ policy: tierTimes })
          const { lookup } = counting()
          const scope = yield* Scope.make()
          const a = yield* Scope.provide(join({ lookup }), scope)
          yield* until(a.set("k", "kept"), ({ settled }) => settled)
          yield* server.freeze
          yield* a.remove("k")
          yield* until(
            Effect.andThen(a.expire("another"), breakerOf(a)),
            (state) => state === "Open",
          )
          yield* server.thaw
          yield* Scope.close(scope, Exit.void)
          assert.strictEqual(yield* (yield* raw).text("k"), "tombstone")
        }),
      30_000,
    )

    it.live(
      "law 15: values that are queued when Redis freezes are written when it thaws",
      () =>
        Effect.gen(function* () {
          const { join, raw, server } = yield* begin({
            policy: { ...tierTimes, tierWrites: "background" },
          })
          const { lookup } = counting()
          const a = yield* join({ lookup })
          yield* a.set("warm", "warm")
          yield* until(a.stats, ({ queuedWrites }) => queuedWrites === 0)
          yield* server.freeze
          for (const i of numbers(800)) yield* a.set(`k${i}`, `${i}`)
          yield* Effect.sleep("2 seconds")
          yield* server.thaw
          yield* until(a.stats, ({ queuedWrites }) => queuedWrites === 0)
          const tier = yield* raw
          for (const i of numbers(800)) assert.strictEqual(yield* tier.text(`k${i}`), `${i}`)
        }),
      30_000,
    )
  })
})
