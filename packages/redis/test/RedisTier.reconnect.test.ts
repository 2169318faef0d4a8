/** Law 14: a connection that is lost for a moment costs that moment, not the breaker's five seconds. */
import { it } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { connect, until } from "./support/clients.ts"
import { counting, heard, node } from "./support/nodes.ts"
import { breakerOf } from "./support/outages.ts"
import { freshName } from "./support/tiers.ts"
import { busy, nodesOf, range } from "./support/topologies.ts"
import { redisSuite } from "./support/withRedis.ts"

redisSuite("a connection that is lost for a moment", () => {
  it.live("opens the breaker, and closes it when it is back", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const redis = yield* connect({ url: server.url })
      const larder = yield* node(redis, { name: freshName(), lookup: counting().lookup })
      const events = yield* heard(larder)
      assert.isTrue((yield* larder.set("k", "v")).settled)
      for (const round of range(3)) {
        yield* server.cli("CLIENT", "KILL", "TYPE", "normal")
        for (let i = 0; (yield* breakerOf(larder)) !== "Open"; i++) {
          assert.isBelow(i, 10_000, "the reconnect came before five failures")
          yield* larder.read(`k ${i}`)
        }
        const millis = yield* until(larder.set("k", "v"), ({ settled }) => settled)
        assert.isBelow(millis, 2_000, `round ${round}`)
        assert.strictEqual(yield* breakerOf(larder), "Closed")
        yield* until(
          Effect.succeed(0),
          () => events.of("BreakerChanged").length === 3 * (round + 1),
        )
      }
    }),
  )

  it.live(
    "a planned failover by Sentinel is over with the reconnect",
    () =>
      Effect.gen(function* () {
        const pair = yield* RedisServer.startReplicated()
        const client = yield* Effect.orDie(
          connect({ sentinels: nodesOf(pair.sentinels), name: pair.name }),
        )
        const larder = yield* node(client, { name: freshName(), lookup: counting().lookup })
        assert.isTrue((yield* larder.set("k", "v")).settled)
        const unsettled: Array<number> = []
        const writes = yield* busy(
          Effect.gen(function* () {
            const { settled } = yield* larder.set("k", "v")
            if (!settled) unsettled.push(yield* Clock.currentTimeMillis)
            yield* Effect.sleep("1 millis")
          }).pipe(Effect.orDie),
        )
        yield* writes.more
        yield* pair.failover
        yield* until(client.use((ioredis) => ioredis.set("x", "y")))
        yield* until(larder.set("k", "v"), ({ settled }) => settled)
        yield* writes.more
        yield* writes.stop
        const lasted = (unsettled.at(-1) ?? 0) - (unsettled[0] ?? 0)
        assert.isBelow(lasted, 4_000)
      }),
    { timeout: 60_000 },
  )
})
