/** cacheable over Redis, with or without memory in front. It gives nothing stale. */
import KeyvRedis from "@keyv/redis"
import { Cacheable, createKeyv } from "cacheable"
import { maxEntries } from "../../Case.ts"
import { ignore, type Open } from "./peer.ts"

export const open: Open = async ({ freshMillis, load, memory, url }) => {
  const redis = new KeyvRedis<unknown>(url)
  const cache = memory
    ? new Cacheable({ primary: createKeyv({ lruSize: maxEntries }), secondary: redis })
    : new Cacheable({ primary: redis })
  cache.on("error", ignore)
  return {
    get: async (key) => {
      const found = await cache.getOrSet(key, () => load(key), { ttl: freshMillis })
      if (found === undefined) throw new Error(`no product ${key}`)
      return found
    },
    close: () => cache.disconnect(),
  }
}
