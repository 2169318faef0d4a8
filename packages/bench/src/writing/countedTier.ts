/** A tier that counts the trips to it. */
import { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export interface Trips {
  count: number
}

/** Counts the operations of a larder's callers; marks are read in the background as well. */
export const countedTier = <E, R>(
  tier: Layer.Layer<Tier.Tier, E, R>,
  trips: Trips,
): Layer.Layer<Tier.Tier, E, R> => {
  const counting =
    <A extends ReadonlyArray<unknown>, B, E2>(operation: (...args: A) => Effect.Effect<B, E2>) =>
    (...args: A): Effect.Effect<B, E2> =>
      Effect.suspend(() => {
        trips.count += 1
        return operation(...args)
      })
  const ofArbiter = (arbiter: Tier.Arbiter): Tier.Arbiter => ({
    ...arbiter,
    acquire: counting((key, request) => arbiter.acquire(key, request)),
    renew: counting((key, token, lease) => arbiter.renew(key, token, lease)),
    release: counting((key, token, failed) => arbiter.release(key, token, failed)),
    commit: counting((key, token, envelope, life) => arbiter.commit(key, token, envelope, life)),
    write: counting((key, write, known) => arbiter.write(key, write, known)),
    mark: counting((tags, keepStale, known) => arbiter.mark(tags, keepStale, known)),
    marks: (since) => arbiter.marks(since),
    versions: arbiter.versions && counting((keys) => arbiter.versions!(keys)),
    // Key by key, so that each operation passes here.
    acquireAll: undefined,
    commitAll: undefined,
    listen: arbiter.listen && ((receive) => arbiter.listen!(receive)),
  })
  const ofStore = (store: Tier.ByteStore): Tier.ByteStore => ({
    read: counting((keys) => store.read(keys)),
    put: counting((key, envelope, life) => store.put(key, envelope, life)),
    drop: counting((key, version) => store.drop(key, version)),
    partOf: store.partOf && ((key) => store.partOf!(key)),
    arbiter: store.arbiter && ofArbiter(store.arbiter),
  })
  const counted = Effect.map(Tier.Tier, (own) =>
    own.kind === "objects"
      ? own
      : Tier.Tier.of({
          ...own,
          open: (options: Parameters<Tier.ByteTier["open"]>[0]) =>
            Effect.map(own.open(options), ofStore),
        }),
  )
  return Layer.effect(Tier.Tier, counted).pipe(Layer.provide(tier))
}
