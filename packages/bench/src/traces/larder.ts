/** What Larder keeps its entries in. */
import { BoundedMap } from "@larder/core"
import type { Simulation } from "./Simulated.ts"

/** Nothing expires: all is at one time. */
const now = 0

export const larder =
  (options: { readonly eviction: "w-tinylfu" | "lru"; readonly seed: number }): Simulation =>
  (maxEntries) => {
    const map = BoundedMap.make<true>({ ...options, maxEntries })
    return {
      access: (key) => {
        if (map.get(key, now) !== undefined) return true
        map.set(key, true, { now })
        return false
      },
    }
  }
