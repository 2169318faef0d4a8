/** async-cache-dedupe over Redis; it has one tier. */
import { createCache } from "async-cache-dedupe"
import { Redis } from "ioredis"
import { ignore, type Open } from "./peer.ts"

export const open: Open = async ({ freshMillis, graceMillis, load, url }) => {
  const client = new Redis(url)
  client.on("error", ignore)
  const cache = createCache({
    ttl: Math.ceil(freshMillis / 1_000),
    stale: Math.ceil(graceMillis / 1_000),
    storage: { type: "redis", options: { client } },
  }).define("product", load)
  return {
    get: (key) => cache.product(key),
    close: async () => client.disconnect(),
  }
}
