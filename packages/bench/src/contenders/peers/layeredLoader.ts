/** layered-loader over memory, Redis or both. It has groups, no tags. */
import { Loader, RedisCache } from "layered-loader"
import { maxEntries, type Product } from "../../source.ts"
import { clientOf } from "./client.ts"
import { ignore, lifeOf, type Open } from "./peer.ts"

export const open: Open = async (options) => {
  const { graceMillis, load, memory, url } = options
  const client = clientOf(url)
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
    // The default logger prints each failure.
    logger: { error: ignore },
    cacheKeyFromValueResolver: ({ id }) => id,
    dataSourceGetOneFn: load,
    dataSourceGetManyFn: (keys) => Promise.all(keys.map(load)),
  })
  return {
    get: (key) => loader.get(key),
    getMany: (keys) => loader.getMany([...keys]),
  }
}
