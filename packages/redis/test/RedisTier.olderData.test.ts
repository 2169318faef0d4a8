/** A restart with older data undoes changes until a node with a later mark is connected again, as docs/redis.md says. */
import { it } from "@effect/vitest"
import * as RedisServer from "@larder/testing/RedisServer"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { connect, until } from "./support/clients.ts"
import { counting, node } from "./support/nodes.ts"
import { freshName } from "./support/tiers.ts"
import { redisSuite } from "./support/withRedis.ts"

redisSuite("a restart with an older RDB", () => {
  it.live("law 12: marks are undone until a node that knows of them is back", () =>
    Effect.gen(function* () {
      const server = yield* RedisServer.start()
      const source = counting((key, count) => Effect.succeed(`${key}, ${count}`))
      const options = {
        name: freshName(),
        lookup: source.lookup,
        memory: false,
        tags: () => ["t"],
      }
      const client = connect({ url: server.url })
      const a = yield* node(yield* client, options)
      for (const key of ["removed", "marked", "other"]) {
        assert.isTrue((yield* a.set(key, "old")).settled)
      }
      yield* server.cli("SAVE")
      assert.isTrue((yield* a.remove("removed")).settled)
      assert.isTrue((yield* a.invalidateTags(["t"])).settled)
      yield* server.kill()
      yield* server.restart({ keepData: true })
      // The node that knows more has a gap, and asks about marks; the floor rises for all.
      for (const key of ["marked", "removed"]) {
        const newcomer = Effect.flatMap(client, (redis) => node(redis, options))
        const asked = Effect.scoped(Effect.flatMap(newcomer, (larder) => larder.get(key)))
        yield* until(asked, (value) => value === `${key}, 1`)
      }
    }),
  )
})
