/** lru-cache, through its `fetch`; it has memory only. Its stale values never expire. */
import { LRUCache } from "lru-cache"
import { maxEntries, type Product } from "../../source.ts"
import type { Open } from "./peer.ts"

export const open: Open = async ({ freshMillis, graceMillis, load }) => {
  const cache = new LRUCache<string, Product>({
    max: maxEntries,
    ttl: freshMillis,
    allowStale: graceMillis > 0,
    fetchMethod: load,
  })
  return { get: (key) => cache.fetch(key) }
}
