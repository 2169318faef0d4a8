/** async-cache-dedupe over memory or Redis; it has one tier, and whole seconds. It asks for many one by one. */
import { createCache } from "async-cache-dedupe"
import { Redis } from "ioredis"
import { maxEntries } from "../../Case.ts"
import { ignore, type Open } from "./peer.ts"

const clientOf = (url: string): Redis => {
  const client = new Redis(url)
  client.on("error", ignore)
  return client
}

export const open: Open = async ({ freshMillis, graceMillis, load, tag, url }) => {
  const client = url === undefined ? undefined : clientOf(url)
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
    close: async () => client?.disconnect(),
  }
}
