/** `removeWhere` on real servers: by SCAN, step by step, on every master. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { assert } from "vitest"
import type * as RedisClient from "../src/RedisClient.ts"
import { connect, until } from "./support/clients.ts"
import { counting, node } from "./support/nodes.ts"
import { freshName, useServer } from "./support/tiers.ts"
import { useCluster } from "./support/topologies.ts"
import { redisSuite } from "./support/withRedis.ts"

const keys = Array.from({ length: 700 }, (_, i) => `shop:${i}`)
const others = ["shopping", "other"]

const removes = (client: Effect.Effect<RedisClient.Client, unknown, Scope.Scope>) =>
  Effect.gen(function* () {
    const name = freshName()
    const { lookup } = counting()
    const a = yield* node(yield* client, { name, lookup })
    const b = yield* node(yield* client, { name, lookup })
    for (const larder of [a, b]) yield* larder.getMany([...keys, ...others])
    const removed = yield* a.removeWhere({ prefix: "shop:" })
    assert.deepStrictEqual(removed, { keys: keys.length, settled: true, pending: [] })
    for (const key of keys) {
      yield* until(b.read(key), ({ freshness }) => freshness._tag === "Missing")
    }
    for (const key of others) {
      assert.strictEqual((yield* b.read(key)).freshness._tag, "Fresh", key)
    }
  })

redisSuite("removeWhere", () => {
  const { server } = useServer()

  it.live("removes the keys with the prefix and no others, and other nodes hear of it", () =>
    removes(Effect.flatMap(server, ({ url }) => connect({ url }))),
  )
})

redisSuite("removeWhere on a Cluster", () => {
  const { client } = useCluster()

  it.live("removes the keys of every master", () => removes(client))
})
