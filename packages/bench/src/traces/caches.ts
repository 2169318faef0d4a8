/** Caches that replay a trace and store each missing key. */
import { BoundedMap } from "@larder/core"
import type { Trace } from "@larder/traces"
import { LRUCache } from "lru-cache"

/** Returns whether the key was cached; stores it if not. */
export type Simulated = (key: string) => boolean

const simulated =
  (has: (key: string) => boolean, store: (key: string) => unknown): Simulated =>
  (key) => {
    const isHit = has(key)
    if (!isHit) store(key)
    return isHit
  }

/** LRU, from the package lru-cache. */
export const lru = (max: number): Simulated => {
  const cache = new LRUCache<string, true>({ max })
  return simulated(
    (key) => cache.get(key) !== undefined,
    (key) => cache.set(key, true),
  )
}

/** The map behind Larder's memory tier. Time stands still, so nothing expires. */
export const larder = (maxEntries: number, eviction?: BoundedMap.Eviction): Simulated => {
  const map = BoundedMap.make<true>({ maxEntries, eviction, seed: 1 })
  return simulated(
    (key) => map.get(key, 0) !== undefined,
    (key) => map.set(key, true, { now: 0 }),
  )
}

/** The number of hits, from a cold start. */
export const replay = ({ keys, requests }: Trace, access: Simulated): number =>
  requests.reduce((hits, key) => hits + Number(access(keys[key]!)), 0)
