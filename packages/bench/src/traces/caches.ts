/** Caches that replay a trace and store each missing key. */
import { BoundedMap } from "@larder/core"
import type { Trace } from "@larder/traces"
import { LRUCache } from "lru-cache"

export interface Simulated {
  /** Returns whether the key was cached; stores it if not. */
  readonly access: (key: string) => boolean
}

/** LRU, from the package lru-cache. */
export const lru = (max: number): Simulated => {
  const cache = new LRUCache<string, true>({ max })
  return {
    access: (key) => {
      if (cache.get(key) !== undefined) return true
      cache.set(key, true)
      return false
    },
  }
}

/** The map behind Larder's memory tier. Time stands still, so nothing expires. */
export const larder = (
  options: Pick<BoundedMap.Options<true>, "maxEntries" | "eviction" | "seed">,
): Simulated => {
  const map = BoundedMap.make<true>(options)
  return {
    access: (key) => {
      if (map.get(key, 0) !== undefined) return true
      map.set(key, true, { now: 0 })
      return false
    },
  }
}

/** The number of hits, from a cold start. */
export const replay = ({ keys, requests }: Trace, cache: Simulated): number => {
  let hits = 0
  for (let at = 0; at < requests.length; at++) {
    if (cache.access(keys[requests[at]!]!)) hits++
  }
  return hits
}
