/** bentocache over Redis, with or without memory in front. */
import { BentoCache, bentostore } from "bentocache"
import { memoryDriver } from "bentocache/drivers/memory"
import { redisDriver } from "bentocache/drivers/redis"
import { Redis } from "ioredis"
import { maxEntries } from "../../Case.ts"
import { ignore, type Open } from "./peer.ts"

export const open: Open = async ({ freshMillis, graceMillis, load, memory, url }) => {
  const connection = new Redis(url)
  connection.on("error", ignore)
  const redis = redisDriver({ connection })
  const store = bentostore()
  const bento = new BentoCache({
    default: "layered",
    stores: {
      layered: (memory
        ? store.useL1Layer(memoryDriver({ maxItems: maxEntries }))
        : store
      ).useL2Layer(redis),
    },
  })
  return {
    get: (key) =>
      bento.getOrSet({
        key,
        ttl: freshMillis,
        grace: graceMillis,
        // What is stale is given at once, and refreshed behind.
        timeout: 0,
        factory: () => load(key),
      }),
    close: async () => {
      await bento.disconnectAll()
      connection.disconnect()
    },
  }
}
