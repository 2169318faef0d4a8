/**
 * bentocache over memory, Redis or both. It serializes values in memory, as by default: without
 * that it is broken over Redis. It has no batch reads.
 */
import { BentoCache, bentostore } from "bentocache"
import { memoryDriver } from "bentocache/drivers/memory"
import { redisDriver } from "bentocache/drivers/redis"
import type { Redis } from "ioredis"
import { maxEntries } from "../../source.ts"
import { clientOf } from "./client.ts"
import { type Open } from "./peer.ts"

const storeOf = (memory: boolean, connection: Redis | undefined) => {
  const inMemory = memory
    ? bentostore().useL1Layer(memoryDriver({ maxItems: maxEntries }))
    : bentostore()
  return connection === undefined ? inMemory : inMemory.useL2Layer(redisDriver({ connection }))
}

export const open: Open = async ({ freshMillis, graceMillis, load, memory, tag, url }) => {
  const connection = clientOf(url)
  const bento = new BentoCache({
    default: "products",
    stores: { products: storeOf(memory, connection) },
  })
  const options = {
    ttl: freshMillis,
    grace: graceMillis === 0 ? (false as const) : graceMillis,
    // Serve stale values at once and refresh in the background.
    timeout: 0,
    ...(tag !== undefined && { tags: [tag] }),
  }
  return {
    get: (key) => bento.getOrSet({ key, ...options, factory: () => load(key) }),
    dropTagged: tag === undefined ? undefined : () => bento.deleteByTag({ tags: [tag] }),
  }
}
