/**
 * cachified over memory, which is lru-cache as in its README, or Redis; it has one tier. It has no
 * tags, and its batches are of lookups, not of reads.
 */
import { type Cache, type CacheEntry, cachified, totalTtl } from "@epic-web/cachified"
import type { Redis } from "ioredis"
import { LRUCache } from "lru-cache"
import { maxEntries } from "../../source.ts"
import { clientOf } from "./client.ts"
import type { Open } from "./peer.ts"

const inMemory = (): Cache => {
  const kept = new LRUCache<string, CacheEntry>({ max: maxEntries })
  return {
    get: (key) => kept.get(key),
    set: (key, entry) => kept.set(key, entry, { ttl: totalTtl(entry.metadata) }),
    delete: (key) => kept.delete(key),
  }
}

const inRedis = (client: Redis): Cache => ({
  get: async (key): Promise<CacheEntry | null> => {
    const text = await client.get(key)
    return text === null ? null : JSON.parse(text)
  },
  set: (key, entry) => client.set(key, JSON.stringify(entry), "PX", totalTtl(entry.metadata)),
  delete: (key) => client.del(key),
})

export const open: Open = async ({ freshMillis, graceMillis, load, url }) => {
  const client = clientOf(url)
  const cache = client === undefined ? inMemory() : inRedis(client)
  return {
    get: (key) =>
      cachified({
        cache,
        key,
        ttl: freshMillis,
        swr: graceMillis,
        getFreshValue: () => load(key),
      }),
  }
}
