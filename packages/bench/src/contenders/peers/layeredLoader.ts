/** layered-loader over Redis, with or without memory in front. */
import { Redis } from "ioredis"
import { Loader, RedisCache } from "layered-loader"
import { maxEntries } from "../../Case.ts"
import type { Product } from "../../source.ts"
import { ignore, type Open } from "./peer.ts"

export const open: Open = async ({ freshMillis, graceMillis, load, memory, url }) => {
  const client = new Redis(url)
  client.on("error", ignore)
  const ttlInMsecs = freshMillis + graceMillis
  const loader = new Loader<Product>({
    ...(memory && {
      inMemoryCache: { ttlInMsecs, ttlLeftBeforeRefreshInMsecs: graceMillis, maxItems: maxEntries },
    }),
    asyncCache: new RedisCache<Product>(client, { json: true, ttlInMsecs }),
    dataSourceGetOneFn: load,
  })
  return {
    get: async (key) => {
      const found = await loader.get(key)
      if (found === undefined || found === null) throw new Error(`no product ${key}`)
      return found
    },
    getMany: (keys) => Promise.all(keys.map((key) => loader.get(key).then((found) => found!))),
    close: async () => client.disconnect(),
  }
}
