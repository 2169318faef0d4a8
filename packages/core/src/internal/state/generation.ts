/** A change of a key begins a new generation: earlier lookups answer their waiters and store nothing. */
import type { Engine } from "./engine.ts"
import type { Change } from "../tier/arbiterWrites.ts"

/** Detaches the active flight, overtakes writes of the source, and forgets the remembered failure. */
export const begun = (engine: Engine, k: string, _tag: Change["_tag"]): void => {
  if (_tag === "Remove") forgetStale(engine, k, Infinity)
  engine.flights.detach(k)
  engine.sourceWrites.overtake(k)
  engine.recentChanges.changed(k)
  engine.pushes.forget(k)
  engine.failures.forget(k)
}

/**
 * Drops a removed value, below the version of the removal, from active flights, so that
 * stale-if-error cannot return it.
 */
export const forgetStale = (engine: Engine, k: string, version: number): void => {
  for (const flight of engine.flights.active()) {
    const isRemoved = flight.k === k && (flight.stale?.entry.version ?? Infinity) < version
    if (isRemoved) flight.stale = undefined
  }
}
