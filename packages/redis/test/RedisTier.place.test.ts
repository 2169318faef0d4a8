/** Law 16: an entry that was copied to another key, larder or prefix is a miss, and repaired. */
import { it } from "@effect/vitest"
import { Larder, Policy, TierStack, Upstream, Wire } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { assert } from "vitest"
import { keysOf } from "../src/internal/keys.ts"
import * as RedisClient from "../src/RedisClient.ts"
import * as RedisTier from "../src/RedisTier.ts"
import { until } from "./support/clients.ts"
import { heard } from "./support/nodes.ts"
import { useServer } from "./support/tiers.ts"
import { redisSuite } from "./support/withRedis.ts"

const sealed = Wire.encrypted(Wire.json, {
  keys: { a: new Uint8Array(32).fill(1) },
  current: "a",
})

redisSuite("an entry in another's place", () => {
  const { client } = useServer()

  const open = (redis: RedisClient.Client, name: string, options: RedisTier.Options) =>
    Effect.gen(function* () {
      const tier = RedisTier.layer(options).pipe(
        Layer.provide(Layer.succeed(RedisClient.RedisClient, redis)),
        Layer.provide(Logger.layer([])),
      )
      return yield* Larder.make({
        name,
        value: Schema.String,
        upstream: Upstream.make({ lookup: (key: string) => Effect.succeed(`${name} ${key}`) }),
        policy: Policy.make({
          freshFor: "1 minute",
          staleIfError: "1 minute",
          tierTimeout: "1 second",
        }),
      }).pipe(Effect.provide(yield* Layer.build(TierStack.layer(tier))))
    })

  for (const wire of [Wire.json, sealed]) {
    for (const [what, prefix, larder, key] of [
      ["key", "staging", "people", "b"],
      ["larder", "staging", "others", "a"],
      ["prefix", "prod", "people", "a"],
    ] as const) {
      it.live(`${wire.name}: another ${what}`, () =>
        Effect.gen(function* () {
          const redis = yield* client
          yield* redis.use((connection) => connection.flushall())
          const from = yield* open(redis, "people", { prefix: "staging", wire })
          assert.isTrue((yield* from.set("a", "Ada")).settled)
          assert.isTrue((yield* from.expire("a")).settled)
          assert.strictEqual((yield* from.read("a")).entry?.value, "Ada")
          const to = yield* open(redis, larder, { prefix, wire })
          yield* to.get("warm")
          const events = yield* heard(to)
          const source = keysOf("staging", "people").entry("a")
          yield* redis.use((connection) =>
            connection.copy(source, keysOf(prefix, larder).entry(key)),
          )
          assert.strictEqual((yield* to.read(key)).freshness._tag, "Missing")
          assert.strictEqual(yield* to.get(key), `${larder} ${key}`)
          assert.isAbove(events.of("Undecodable").length, 0)
          const again = yield* open(redis, larder, { prefix, wire })
          // Committed after the caller was answered.
          yield* until(again.read(key), ({ entry }) => entry?.value === `${larder} ${key}`)
        }),
      )
    }
  }
})
