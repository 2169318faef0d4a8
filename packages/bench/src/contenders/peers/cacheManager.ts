/**
 * cache-manager over memory, Redis or both. Its memory is cacheable's, which clones values by
 * default. It has no tags.
 */
import KeyvRedis from "@keyv/redis"
import { createCache } from "cache-manager"
// cache-manager takes stores of Keyv 5 but does not export it; cacheable exports the same version.
import { createKeyv, Keyv } from "cacheable"
import { maxEntries, type Product } from "../../source.ts"
import { ignore, lifeOf, type Open } from "./peer.ts"

const redisAt = (url: string): Keyv => {
  const redis = new Keyv({ store: new KeyvRedis(url) })
  redis.on("error", ignore)
  return redis
}

export const open: Open = async (options) => {
  const { graceMillis, load, memory, url } = options
  const cache = createCache({
    stores: [
      ...(memory ? [createKeyv({ lruSize: maxEntries })] : []),
      ...(url === undefined ? [] : [redisAt(url)]),
    ],
    ...(graceMillis > 0 && { refreshThreshold: graceMillis }),
  })
  const life = lifeOf(options)
  return {
    get: (key) => cache.wrap(key, () => load(key), life),
    getMany: (keys) => cache.mget<Product>([...keys]),
  }
}
