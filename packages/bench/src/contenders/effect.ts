/**
 * Effect's own `Cache`: capacity, request coalescing, a TTL. No stale values, no tags, no batch
 * reads.
 */
import * as Cache from "effect/Cache"
import * as Effect from "effect/Effect"
import { maxEntries } from "../sizes.ts"
import { effectful, lookup } from "./effectful.ts"

export const contender = effectful(({ source }) =>
  Effect.gen(function* () {
    const cache = yield* Cache.make({
      lookup: lookup(source),
      capacity: maxEntries,
      timeToLive: "1 hour",
    })
    return {
      get: (key) => Cache.get(cache, key),
      close: Effect.void,
    }
  }),
)
