import { it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, type Tier, TierStack, Upstream } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { assert } from "vitest"
import * as RedisClient from "../src/RedisClient.ts"
import * as RedisTier from "../src/RedisTier.ts"
import { until } from "./support/clients.ts"
import { freshName, useServer } from "./support/tiers.ts"
import { redisSuite } from "./support/withRedis.ts"

redisSuite("many keys at once", () => {
  const { client, server } = useServer()

  it.live("laws 7, 14: 800 cold keys are stored for other nodes, and open no breaker", () =>
    Effect.gen(function* () {
      const redis = yield* client
      const tier: Layer.Layer<Tier.Tier, RedisTier.InvalidRedisTier> = RedisTier.layer().pipe(
        Layer.provide(Layer.succeed(RedisClient.RedisClient, redis)),
        Layer.provide(Logger.layer([])),
      )
      const asked = { one: 0, many: 0 }
      const name = freshName()
      const join = Effect.gen(function* () {
        const stack = yield* Layer.build(TierStack.layer(MemoryTier.layer(), tier))
        return yield* Larder.make({
          name,
          value: Schema.String,
          upstream: Upstream.make({
            lookup: (key: string) => Effect.sync(() => ((asked.one += 1), key)),
            lookupMany: (keys) =>
              Effect.sync(() => ((asked.many += 1), new Map(keys.map((key) => [key, key])))),
          }),
          policy: Policy.make({ freshFor: "1 minute", tierTimeout: "1 second" }),
        }).pipe(Effect.provide(stack))
      })
      const keys = Array.from({ length: 800 }, (_, i) => `k${i}`)
      const a = yield* join
      yield* a.get("warm")
      yield* a.getMany(keys)
      assert.strictEqual((yield* a.stats).breakers["redis"], "Closed")
      const { cli } = yield* server
      yield* until(cli("DBSIZE"), (size) => Number(size) >= keys.length)
      const b = yield* join
      asked.one = asked.many = 0
      yield* b.getMany(keys)
      assert.deepStrictEqual(asked, { one: 0, many: 0 })
    }),
  )
})
