/** Applies another node's change of a key to what this node remembers of the key. */
import { dropNearer } from "../recover/nearerTiers.ts"
import type { Engine } from "../state/engine.ts"
import { forgetStale } from "../state/generation.ts"

export interface ChangedKey {
  readonly key: string
  /** The version of the key since the change, in the order of the versions that this node knows. */
  readonly version: number
  readonly isRemoval: boolean
}

/**
 * Applies the change to memory, and to lookups and changes under way. Returns the version of an older
 * entry in memory; undefined for none.
 */
export const keyChanged = (
  engine: Engine,
  { isRemoval, key, version }: ChangedKey,
): number | undefined => {
  engine.flights.hear(key, version, isRemoval)
  if (isRemoval) forgetStale(engine, key, version)
  engine.changes.hear(key, version)
  engine.sourceWrites.overtake(key)
  engine.recentChanges.changed(key)
  engine.writes.hear(key, { version, isRemoval })
  engine.reads.hear(key)
  engine.failures.forget(key)
  const older = engine.entries.outdate(key, version, isRemoval, engine.now())
  if (older !== undefined) {
    engine.pushes.forget(key)
    engine.stampedes.changed(key)
  }
  return older
}

/** Applies the change to the tiers that have copies: what is older there must be confirmed, and goes after a removal. */
export const copiesChanged = (engine: Engine, { isRemoval, key, version }: ChangedKey): void => {
  for (const tier of engine.stack.farther) {
    const hasOlder = tier.copies.outdate(key, version)
    // Otherwise stale-if-error would return the removed value where the arbiter does not answer.
    if (hasOlder && isRemoval) {
      engine.fibers.forkAwaited(dropNearer(engine, tier, key, version))
    }
  }
}

/** Counts a message of another node, by whether it outdated something here, and one of this node. */
export const counted = ({ observer }: Engine, isNews: boolean): void => {
  observer.counters[isNews ? "messagesReceived" : "messagesIgnored"] += 1
}
