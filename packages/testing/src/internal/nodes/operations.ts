/** Wraps every operation of a store in the same way. */
import type { Tier } from "@larder/core"
import type * as Effect from "effect/Effect"

export interface Wrapping {
  readonly around: <A>(effect: Effect.Effect<A, Tier.TierError>) => Effect.Effect<A, Tier.TierError>
  readonly receives: (receive: (message: Tier.Message) => void) => (message: Tier.Message) => void
}

const arbiterWith = (
  { acquireAll, commitAll, listen, versions, ...arbiter }: Tier.Arbiter,
  { around, receives }: Wrapping,
): Tier.Arbiter => ({
  acquire: (...args) => around(arbiter.acquire(...args)),
  renew: (...args) => around(arbiter.renew(...args)),
  release: (...args) => around(arbiter.release(...args)),
  commit: (...args) => around(arbiter.commit(...args)),
  acquireAll: acquireAll && ((requests) => around(acquireAll(requests))),
  commitAll: commitAll && ((commits) => around(commitAll(commits))),
  write: (...args) => around(arbiter.write(...args)),
  mark: (...args) => around(arbiter.mark(...args)),
  marks: (since) => around(arbiter.marks(since)),
  versions: versions && ((keys) => around(versions(keys))),
  listen: listen && ((receive) => listen(receives(receive))),
})

export const each = (store: Tier.ByteStore, wrapping: Wrapping): Tier.ByteStore => ({
  ...store,
  read: (keys) => wrapping.around(store.read(keys)),
  put: (...args) => wrapping.around(store.put(...args)),
  drop: (...args) => wrapping.around(store.drop(...args)),
  arbiter: store.arbiter && arbiterWith(store.arbiter, wrapping),
})
