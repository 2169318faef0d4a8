/** One node: a larder over memory and Redis. */
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { RedisClient, RedisTier } from "@larder/redis"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { countedTier, type Trips } from "./countedTier.ts"
import { lookup, type Rows } from "./race.ts"

export const open = (url: string, rows: Rows, trips: Trips, replicaLag: number) =>
  Effect.gen(function* () {
    const redis = RedisTier.layer({ prefix: "writing" }).pipe(
      Layer.provide(RedisClient.layer({ url })),
      Layer.provide(Logger.layer([])),
    )
    const stack = TierStack.layer(
      MemoryTier.layer({ maxEntries: 100_000 }),
      countedTier(redis, trips),
    )
    return yield* Effect.provideContext(
      Larder.make({
        name: "products",
        value: Schema.Finite,
        upstream: Upstream.make({ lookup: lookup(rows) }),
        policy: Policy.make({ freshFor: "1 hour", staleIfError: "1 day" }),
        replicaLag,
      }),
      yield* Layer.build(stack),
    )
  })
