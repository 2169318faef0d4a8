/** The bounded maps of Larder's memory and of lru-cache behind one interface, without Effect. */
import { BoundedMap } from "@larder/core"
import { LRUCache } from "lru-cache"

export interface Store {
  /** Whether the key is present; counts as a hit. */
  readonly get: (key: string) => boolean
  /** Stores the value that all keys share. */
  readonly set: (key: string) => void
}

/** One value for all entries, so that the size of values does not count. */
const value = { stored: true }

const hour = 3_600_000

/** Makes an empty store for this many entries. */
type Make = (maxEntries: number) => Store

const lruCache =
  (options: { readonly ttl?: number }): Make =>
  (max) => {
    const cache = new LRUCache<string, typeof value>({ max, ...options })
    return {
      get: (key) => cache.get(key) !== undefined,
      set: (key) => void cache.set(key, value),
    }
  }

/**
 * Callers read the clock, so that all calls have one time, as lru-cache has in a loop that yields
 * to no timer.
 */
const now = 1_790_000_000_000

// Options exist beforehand like keys and values, so that all garbage is the map's.
const lives: ReadonlyArray<BoundedMap.SetOptions> = Array.from({ length: 1_024 }, (_, life) => ({
  now,
  expiresAt: now + hour + ((life * 7_919) % 1_024) * 3_500,
}))

const larder =
  (options: ReadonlyArray<BoundedMap.SetOptions>, eviction?: BoundedMap.Eviction): Make =>
  (maxEntries) => {
    const map = BoundedMap.make<typeof value>({ maxEntries, eviction, seed: 1 })
    let count = 0
    return {
      get: (key) => map.get(key, now) !== undefined,
      set: (key) => void map.set(key, value, options[count++ % options.length]),
    }
  }

/** Larder's map as it is used, and with the eviction of lru-cache. */
export const larderMap = larder([{ now }])
export const larderLru = larder([{ now }], "lru")
export const lru = lruCache({})

/** The stores, by variant (whether the store expires entries) and by contender. */
export const stores: Readonly<Record<string, Readonly<Record<string, Make>>>> = {
  "no expiry": { larder: larderMap, "lru-cache": lru },
  expiry: { larder: larder(lives), "lru-cache": lruCache({ ttl: hour }) },
}
