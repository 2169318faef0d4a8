/**
 * cachified over memory, which is lru-cache as in its README, or Redis; it has one tier. It has no
 * tags, and its batches are of lookups, not of reads.
 */
import { type Cache, type CacheEntry, cachified, totalTtl } from "@epic-web/cachified"
import type { Redis } from "ioredis"
import { LRUCache } from "lru-cache"
import { maxEntries } from "../../source.ts"
import { clientOf } from "./client.ts"
import { ignore, type Open } from "./peer.ts"

interface Store {
  readonly cache: Cache
  readonly close: () => void
}

/** An entry without an end has no TTL. */
const lifeLeft = ({ metadata }: CacheEntry): number | undefined => {
  const life = totalTtl(metadata)
  return life === Infinity ? undefined : life
}

const inMemory = (): Store => {
  const kept = new LRUCache<string, CacheEntry>({ max: maxEntries })
  return {
    cache: {
      get: (key) => kept.get(key),
      set: (key, entry) => {
        const ttl = lifeLeft(entry)
        return kept.set(key, entry, ttl === undefined ? {} : { ttl })
      },
      delete: (key) => kept.delete(key),
    },
    close: ignore,
  }
}

const inRedis = (client: Redis): Store => ({
  cache: {
    get: async (key): Promise<CacheEntry | null> => {
      const text = await client.get(key)
      return text === null ? null : JSON.parse(text)
    },
    set: (key, entry) => {
      const ttl = lifeLeft(entry)
      const text = JSON.stringify(entry)
      return ttl === undefined ? client.set(key, text) : client.set(key, text, "PX", ttl)
    },
    delete: (key) => client.del(key),
  },
  close: () => client.disconnect(),
})

export const open: Open = async ({ freshMillis, graceMillis, load, url }) => {
  const client = clientOf(url)
  const { cache, close } = client === undefined ? inMemory() : inRedis(client)
  return {
    get: (key) =>
      cachified({
        cache,
        key,
        ttl: freshMillis,
        swr: graceMillis,
        getFreshValue: () => load(key),
      }),
    close: async () => close(),
  }
}
