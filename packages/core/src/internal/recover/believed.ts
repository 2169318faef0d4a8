/** How this node judges a tier's answer while the arbiter has missed changes of this node. */
import type { Entry } from "../../Entry.ts"
import type { Engine } from "../state/engine.ts"
import { capped } from "../state/localEntries.ts"
import type { TierEntry } from "../tier/tierRead.ts"

/**
 * Whether the arbiter's answer for a key can be used: the arbiter missed no change of the key, and
 * no mark. While only the server with the marks is away, answers of other servers are used, and
 * judged by {@link judgeable}.
 */
export const isBelieved = (engine: Engine, k: string): boolean => {
  const { missed, stack } = engine
  const { arbiter } = stack
  if (missed.isEmpty || arbiter === undefined) return true
  if (hasMissed(engine, k)) return false
  // Missed marks wait only for the server with the marks, so only its keys are affected.
  return !missed.hasMarks || arbiter.partOf(k) !== arbiter.partOf(undefined)
}

/**
 * Whether the arbiter may have missed a change of the key. Race: the arbiter is read while the change is
 * under way there, and answers after the change has failed. Its answer is from before the change.
 */
export const hasMissed = ({ missed }: Engine, k: string): boolean =>
  missed.keysForgotten || missed.key(k) !== undefined

/**
 * A tier's entry with the times and the `asOf` by which it is judged.
 *
 * An entry of a tier in front of the arbiter is fresh at most `maxFreshFor` after its last confirmation,
 * unless this read has just confirmed it (`isOfArbiter`).
 *
 * From an arbiter that has missed marks of this node. Race: another node sets a mark, whose number
 * is above this node's own, and stores a value that it had looked up before. By `asOf` alone the
 * entry would be younger than all marks. So it counts as looked up before this node's first own mark.
 */
export const judgeable = (
  { entries, marks, missed }: Engine,
  { confirmedAt, entry }: TierEntry,
  isOfArbiter: boolean,
): Entry<unknown> => {
  if (isOfArbiter) {
    return missed.hasMarks ? { ...entry, asOf: marks.surelyAfter(entry.asOf) } : entry
  }
  return confirmedAt === undefined ? entry : capped(entry, entries.freshCap(confirmedAt))
}
