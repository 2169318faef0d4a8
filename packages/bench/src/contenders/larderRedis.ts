/** Larder over Redis alone: the cost of a memory miss that Redis answers. */
import { EarlyRefresh, MemoryTier, TierStack } from "@larder/core"
import { RedisClient, RedisTier } from "@larder/redis"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { maxEntries } from "../source.ts"
import { larderOver, openLarder } from "./larder.ts"
import type { Open } from "./peers/peer.ts"

export const redisTier = (url: string) =>
  RedisTier.layer({ prefix: "larder" }).pipe(
    Layer.provide(RedisClient.layer({ url })),
    Layer.provide(Logger.layer([])),
  )

export const contender = larderOver((redis) => TierStack.layer(redisTier(redis)))

/** Opens Larder over memory and Redis, with the settings of the other libraries. */
export const open: Open = async ({ freshMillis, graceMillis, load, url }) => {
  const larder = await Effect.runPromise(
    openLarder({
      lookup: (key) => Effect.promise(() => load(key)),
      stack: TierStack.layer(MemoryTier.layer({ maxEntries }), redisTier(url!)),
      // Early refreshes at random times would only blur the result.
      policy: {
        freshFor: freshMillis,
        staleWhileRevalidate: graceMillis,
        earlyRefresh: EarlyRefresh.none,
      },
    }),
  )
  return {
    get: (key) => Effect.runPromise(larder.get(key)),
    usesRedis: () =>
      Effect.runPromise(Effect.map(larder.stats, ({ breakers }) => breakers["redis"] === "Closed")),
  }
}
