/** Values that this node has set and the tiers have not got yet, as readers may get them. */
import { expireAt } from "../../Entry.ts"
import { candidateFrom } from "./candidateFrom.ts"
import type { Engine } from "./engine.ts"
import type { Candidate } from "./flight.ts"
import { capped } from "./localEntries.ts"
import type { Queued } from "./writeQueue.ts"

export interface QueuedCandidate {
  readonly candidate: Candidate
  readonly keeping: Queued
  /** A message has told of a newer version: the tiers have something newer. */
  readonly isOutdated: boolean
}

/**
 * The queued value of a key. Race: another node changes the key while the value waits. Once this node
 * has heard of that, the value is usable only for stale-if-error, and after a removal not at all.
 */
export const queuedCandidate = (
  engine: Engine,
  k: string,
  now: number,
): QueuedCandidate | undefined => {
  const keeping = engine.writes.newest(k)
  if (keeping === undefined) return undefined
  const { gapsBefore, isPlaced, madeAt } = keeping
  const known = capped(keeping.entry, engine.entries.freshCap(madeAt))
  const heard = engine.writes.heard(k)
  const isOutdated = known.version < (heard?.version ?? 0)
  // Without its place in the order, the value may have been set after the removal.
  if (isOutdated && heard?.isRemoval === true && isPlaced) return undefined
  const entry = isOutdated ? expireAt(known, now) : known
  if (entry === undefined) return undefined
  const candidate = candidateFrom(engine, engine.nearName, entry, now, gapsBefore)
  const freshness = engine.entries.judgeKnown(k, entry, gapsBefore, now)
  return { candidate: { ...candidate, freshness }, keeping, isOutdated }
}
