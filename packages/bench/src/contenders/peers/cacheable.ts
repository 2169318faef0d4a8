/**
 * cacheable over memory, Redis or both. It clones values in memory, as by default. It serves
 * nothing stale.
 */
import KeyvRedis from "@keyv/redis"
import { Cacheable, createKeyv } from "cacheable"
import { maxEntries, type Product } from "../../source.ts"
import { ignore, type Open } from "./peer.ts"

const storesOf = (memory: boolean, url: string | undefined) => {
  const inMemory = memory ? [createKeyv({ lruSize: maxEntries })] : []
  const inRedis = url === undefined ? [] : [new KeyvRedis<unknown>(url)]
  const [primary, secondary] = [...inMemory, ...inRedis]
  return { ...(primary && { primary }), ...(secondary && { secondary }) }
}

export const open: Open = async ({ freshMillis, load, memory, tag, url }) => {
  const cache = new Cacheable({ ...storesOf(memory, url), tags: tag !== undefined })
  cache.on("error", ignore)
  const options = { ttl: freshMillis, ...(tag !== undefined && { tags: [tag] }) }
  /** getOrSet takes no tags. */
  const getTagged = async (key: string): Promise<Product> => {
    const known = await cache.get<Product>(key)
    if (known !== undefined) return known
    const product = await load(key)
    await cache.set(key, product, options)
    return product
  }
  // Report failures instead of hiding them.
  const get = (key: string) =>
    cache.getOrSet(key, () => load(key), { ttl: freshMillis, throwErrors: "function" })
  return {
    get: tag === undefined ? get : getTagged,
    getMany: (keys) => cache.getMany<Product>([...keys]),
    dropTagged: tag === undefined ? undefined : () => cache.tags.invalidateTag(tag),
  }
}
