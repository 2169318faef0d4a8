/**
 * Effect's own `Cache`: capacity, request coalescing, a TTL. No stale values, no tags, no batch
 * reads.
 */
import * as Cache from "effect/Cache"
import * as Effect from "effect/Effect"
import { maxEntries, type Source } from "../source.ts"
import { effectful, lookup } from "./effectful.ts"

/** Makes a cache, and returns its `get`. */
export const openCache = (source: Source) =>
  Effect.map(
    Cache.make({ lookup: lookup(source), capacity: maxEntries, timeToLive: "1 hour" }),
    (cache) => (key: string) => Cache.get(cache, key),
  )

export const contender = effectful(({ source }) =>
  Effect.map(openCache(source), (get) => ({ get })),
)
