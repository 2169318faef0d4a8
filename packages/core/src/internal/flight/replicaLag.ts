/**
 * A value that was looked up soon after a change of its key may come from a replica of the source that
 * does not have the change yet. It is fresh at most until the replica must have it.
 */
import type { Entry } from "../../Entry.ts"
import type { Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import { capped } from "../state/localEntries.ts"

export const cappedByLag = (
  engine: Engine,
  flight: Flight,
  entry: Entry<unknown>,
): Entry<unknown> => {
  const { replicaLag } = engine.settings
  if (replicaLag === 0) return entry
  const took = engine.stopwatch() - flight.lookedUpAt
  const begun = entry.storedAt - took
  const left = replicaLag - Math.max(0, millisSinceChange(engine, flight, entry, begun))
  return left > 0 ? capped(entry, begun + left) : entry
}

/** How long before the lookup the value was changed last, by this node's knowledge and the arbiter's. */
const millisSinceChange = (
  engine: Engine,
  { k, lease, lookedUpAt }: Flight,
  { tags }: Entry<unknown>,
  begun: number,
): number => {
  const here = lookedUpAt - engine.recentChanges.lastOf(k)
  const byTags = begun - engine.marks.markedAt(tags)
  // Versions are microseconds of the arbiter's time, and so is the token, given as the lookup began. A
  // version of a looked-up value counts as a change as well: the arbiter does not tell them apart.
  const atArbiter = lease?.storedVersion ? (lease.token - lease.storedVersion) / 1000 : Infinity
  return Math.min(here, byTags, atArbiter)
}
