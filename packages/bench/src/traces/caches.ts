/** Caches that are asked for the keys of a trace and store each that they lack. */
import { BoundedMap } from "@larder/core"
import type { Trace } from "@larder/traces"
import { LRUCache } from "lru-cache"

export interface Simulated {
  /** Whether the key was there; it is stored if not. */
  readonly access: (key: string) => boolean
}

/** LRU, of the package of that name. */
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

/** What Larder keeps the entries of its memory in. Nothing expires: all is at one time. */
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

/** How many of the requests are hits, from a cold start. */
export const replay = ({ keys, requests }: Trace, cache: Simulated): number => {
  let hits = 0
  for (let at = 0; at < requests.length; at++) {
    if (cache.access(keys[requests[at]!]!)) hits++
  }
  return hits
}
