/**
 * Values that come with the message of their change. A node that has the key stores the value at once,
 * judged like an entry that it reads from the arbiter.
 */
import * as Effect from "effect/Effect"
import type { Engine } from "../state/engine.ts"
import { examined } from "../state/examined.ts"
import { beforeAll } from "../state/localEntries.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { TierRead } from "../tier/tierRead.ts"

/** A value that arrived with a message, for a key that this node has. */
export interface Pushed {
  readonly k: string
  /** The key as a caller passed it. */
  readonly asked: unknown
  readonly version: number
  readonly envelope: Uint8Array
}

export const keepPushed = (engine: Engine, arbiter: FartherTier, pushed: Pushed): void => {
  const { envelope, k, version } = pushed
  const gapsBefore = isFromBeforeGap(engine, arbiter, pushed) ? beforeAll : engine.gaps.count
  const confirmedAt = arbiter.marks.reading?.readAt
  engine.pushes.begin(k, version)
  const keep = (found: TierRead): void => {
    // Race: the key changed, here or elsewhere, while the value was decoded.
    if (!engine.pushes.end(k, version) || engine.closed) return
    if (found._tag !== "Entry" || found.entry.version !== version) return
    const kept = examined(engine, pushed, arbiter.name, found.entry, confirmedAt)
    if (kept !== undefined) {
      engine.entries.keep(k, pushed.asked, { ...kept, gapsBefore }, engine.now())
    }
  }
  engine.fibers.fork(Effect.map(arbiter.decoded(k, envelope), keep))
}

/**
 * Race: a message is late, and arrives after a gap was found. The message of a later change may be among
 * those that are missing.
 */
const isFromBeforeGap = (
  { gaps }: Engine,
  { time }: FartherTier,
  { k, version }: Pushed,
): boolean => {
  const at = gaps.lastAt(k)
  return at > -Infinity && version <= (time.placeOf(at, "most") ?? Infinity)
}
