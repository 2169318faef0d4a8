/** Whether, and as what, an answer of a tier is believed while the arbiter has missed changes of this node. */
import type { Entry } from "../../Entry.ts"
import type { Engine } from "../state/engine.ts"
import { capped } from "../state/localEntries.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { TierEntry } from "../tier/tierRead.ts"

/**
 * Whether what the arbiter has at a key can be believed: nothing of what it missed
 * may concern the key: no change of it, and no mark. Where the server that has the marks
 * is away, the keys of others are believed, and judged by {@link judgeable}.
 */
export const isBelieved = ({ missed, stack }: Engine, k: string): boolean => {
  const { arbiter } = stack
  if (missed.isEmpty || arbiter === undefined) return true
  if (missed.keysForgotten || missed.key(k) !== undefined) return false
  // Its marks wait only for their own server, which would have to answer for this key too.
  return !missed.hasMarks || arbiter.partOf(k) !== arbiter.partOf(undefined)
}

/**
 * What a tier has, as it is to be judged.
 *
 * Of a tier in front of the arbiter: fresh for no longer after the arbiter has confirmed it
 * than memory may take it for fresh.
 *
 * Of the arbiter, while it has not heard of marks of this node. Race: another
 * node sets a mark, whose number is above those that this node gave to its own, and
 * stores what it had looked up before them: by its `asOf` alone the entry would be
 * younger than all marks. So it counts as looked up before the first own mark.
 */
export const judgeable = (
  engine: Engine,
  tier: FartherTier,
  { confirmedAt, entry }: TierEntry,
): Entry<unknown> => {
  const { marks, missed, stack } = engine
  if (tier === stack.arbiter) {
    return missed.hasMarks ? { ...entry, asOf: marks.surelyAfter(entry.asOf) } : entry
  }
  return confirmedAt === undefined ? entry : capped(entry, engine.entries.freshCap(confirmedAt))
}
