/** Larder over memory and Redis, set up as its peers are. */
import { EarlyRefresh, MemoryTier, TierStack } from "@larder/core"
import { RedisClient, RedisTier } from "@larder/redis"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { maxEntries } from "../sizes.ts"
import { openLarder } from "./product.ts"
import type { Open, OpenOptions } from "./peers/peer.ts"

const stackOf = ({ memory, url }: OpenOptions) => {
  if (url === undefined) throw new Error("it needs a Redis server")
  const redis = RedisTier.layer({ prefix: "larder" }).pipe(
    Layer.provide(RedisClient.layer({ url })),
    Layer.provide(Logger.layer([])),
  )
  return memory ? TierStack.layer(MemoryTier.layer({ maxEntries }), redis) : TierStack.layer(redis)
}

export const open: Open = async (options) => {
  const { freshMillis, graceMillis, load } = options
  const { close, larder } = await Effect.runPromise(
    openLarder({
      lookup: (key) => Effect.promise(() => load(key)),
      stack: stackOf(options),
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
    close: () => Effect.runPromise(close),
  }
}
