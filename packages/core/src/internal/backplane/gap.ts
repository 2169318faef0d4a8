/**
 * What a node does when it may have missed messages: entries from before are usable only for
 * stale-if-error until the arbiter has confirmed them, and marks are read anew. Where no arbiter of all
 * nodes confirms anything, they are looked up again.
 */
import * as Effect from "effect/Effect"
import type { GapReason } from "../../Tier.ts"
import type { Engine } from "../state/engine.ts"
import { markHere } from "../state/ownMarks.ts"
import { suspectAll } from "../state/suspicion.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { confirmHotSoon } from "./confirm.ts"

/** A gap begins, or is found afterwards. `part`: the server whose messages are missing; undefined for all. */
export const detected = (
  engine: Engine,
  arbiter: FartherTier | undefined,
  reason: GapReason,
  part: string | undefined,
): void => {
  engine.observer.counters.gaps += 1
  engine.observer.tell({ _tag: "GapDetected", reason, part })
  suspect(engine, arbiter, part)
}

/**
 * Messages arrive again. What this node read or looked up during the gap is suspect too: it heard of
 * no change meanwhile.
 */
export const ended = (
  engine: Engine,
  arbiter: FartherTier | undefined,
  { part }: { readonly part: string | undefined },
): void => {
  suspect(engine, arbiter, part)
  confirmHotSoon(engine)
}

/** A message shows that an earlier one is missing: a gap that is over already. */
export const foundHole = (engine: Engine, arbiter: FartherTier, part: string | undefined): void => {
  detected(engine, arbiter, "hole", part)
  confirmHotSoon(engine)
}

const suspect = (
  engine: Engine,
  arbiter: FartherTier | undefined,
  part: string | undefined,
): void => {
  // A closing larder may open a link, or fail to, for its last changes. It serves nothing any more.
  if (engine.closed) return
  suspectAll(engine, part)
  if (arbiter === undefined) {
    // Without an arbiter, missed marks may cover any entry of a tier, also one that another node stored.
    if (engine.stack.farther.length > 0) markHere(engine, [undefined], true)
    return
  }
  // The arbiter of this machine alone missed what this node missed.
  if (arbiter.isLocal) return markOwn(engine, arbiter)
  if (part === undefined || part === arbiter.partOf(undefined)) {
    arbiter.marks.reading?.mayHaveMissed()
    engine.fibers.fork(Effect.asVoid(arbiter.marks.read("latest")))
  }
}

const markOwn = (engine: Engine, arbiter: FartherTier): void => {
  const set = arbiter.marks.set([undefined], true)
  const done = Effect.map(set, (number) => {
    if (number === undefined) markHere(engine, [undefined], true)
  })
  engine.fibers.forkAwaited(done)
}
