/**
 * async-cache-dedupe over memory or Redis; it has one tier, and TTLs in whole seconds. It has no
 * batch reads: keys are requested one by one.
 */
import { createCache } from "async-cache-dedupe"
import { maxEntries } from "../../source.ts"
import { clientOf } from "./client.ts"
import { type Open } from "./peer.ts"

export const open: Open = async ({ freshMillis, graceMillis, load, tag, url }) => {
  const client = clientOf(url)
  const cache = createCache({
    ttl: Math.ceil(freshMillis / 1_000),
    stale: Math.ceil(graceMillis / 1_000),
    storage: client
      ? { type: "redis", options: { client } }
      : { type: "memory", options: { size: maxEntries, invalidation: tag !== undefined } },
  }).define("product", { ...(tag !== undefined && { references: () => [tag] }) }, load)
  return {
    get: (key) => cache.product(key),
    dropTagged: tag === undefined ? undefined : () => cache.invalidate("product", tag),
  }
}
