/** LRU, of the package of that name. */
import { LRUCache } from "lru-cache"
import type { Simulation } from "./Simulated.ts"

export const lru: Simulation = (max) => {
  const cache = new LRUCache<string, true>({ max })
  return {
    access: (key) => {
      if (cache.get(key) !== undefined) return true
      cache.set(key, true)
      return false
    },
  }
}
