/** No cache library at all: GET, MGET and JSON.parse. */
import { Redis } from "ioredis"
import type { Product } from "../source.ts"
import { lookup, promised } from "./promised.ts"

export const contender = promised(async ({ redis, source }) => {
  const client = new Redis(redis)
  const load = lookup(source)
  const keyOf = (key: string) => `raw:${key}`
  return {
    get: async (key): Promise<Product> => {
      const found = await client.get(keyOf(key))
      if (found !== null) return JSON.parse(found)
      const product = await load(key)
      await client.set(keyOf(key), JSON.stringify(product), "PX", 3_600_000)
      return product
    },
    getMany: async (keys) => {
      const found = await client.mget(keys.map(keyOf))
      return found.map((text): Product => JSON.parse(text!))
    },
  }
})
