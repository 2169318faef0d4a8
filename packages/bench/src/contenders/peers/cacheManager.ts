/** cache-manager over Redis, with or without memory in front. */
import KeyvRedis from "@keyv/redis"
import { createCache } from "cache-manager"
// cache-manager takes stores of Keyv 5, which it does not export; cacheable has the same.
import { createKeyv, Keyv } from "cacheable"
import { maxEntries } from "../../Case.ts"
import { ignore, type Open } from "./peer.ts"

export const open: Open = async ({ freshMillis, graceMillis, load, memory, url }) => {
  const redis = new Keyv({ store: new KeyvRedis(url) })
  redis.on("error", ignore)
  const cache = createCache({
    stores: memory ? [createKeyv({ lruSize: maxEntries }), redis] : [redis],
    refreshThreshold: graceMillis,
  })
  return {
    get: (key) => cache.wrap(key, () => load(key), freshMillis + graceMillis),
    close: () => cache.disconnect().then(ignore),
  }
}
