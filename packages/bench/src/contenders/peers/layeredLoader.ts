/** layered-loader over memory, Redis or both. It has groups, no tags. */
import { Redis } from "ioredis"
import { Loader, RedisCache } from "layered-loader"
import { maxEntries } from "../../Case.ts"
import type { Product } from "../../source.ts"
import { ignore, lifeOf, type Open } from "./peer.ts"

const clientOf = (url: string): Redis => {
  const client = new Redis(url)
  client.on("error", ignore)
  return client
}

export const open: Open = async (options) => {
  const { graceMillis, load, memory, url } = options
  const client = url === undefined ? undefined : clientOf(url)
  const ttlInMsecs = lifeOf(options)
  const loader = new Loader<Product>({
    ...(memory && {
      inMemoryCache: {
        ttlInMsecs,
        maxItems: maxEntries,
        ...(graceMillis > 0 && { ttlLeftBeforeRefreshInMsecs: graceMillis }),
      },
    }),
    ...(client && { asyncCache: new RedisCache<Product>(client, { json: true, ttlInMsecs }) }),
    // It would print each failure.
    logger: { error: ignore },
    cacheKeyFromValueResolver: ({ id }) => id,
    dataSourceGetOneFn: load,
    dataSourceGetManyFn: (keys) => Promise.all(keys.map(load)),
  })
  return {
    get: (key) => loader.get(key),
    getMany: (keys) => loader.getMany([...keys]),
    set: (key, product) => loader.forceSetValue(key, product),
    close: async () => client?.disconnect(),
  }
}
