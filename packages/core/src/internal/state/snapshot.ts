/** Snapshots of memory, for callers that inspect it. A snapshot counts as no access. */
import type * as Entry from "../../Entry.ts"
import type { Freshness } from "../../Freshness.ts"
import type { Engine } from "./engine.ts"
import { capped } from "./localEntries.ts"
import { shown } from "./shownEntry.ts"

/**
 * An entry in memory that `get` may still return.
 *
 * @category models
 * @since 0.1.0
 */
export interface InMemory<out K, out A> {
  readonly key: K
  readonly entry: Entry.Entry<A>
  /** The freshness by the times of the entry and by the invalidations that this node knows. */
  readonly freshness: Freshness
}

export const has = (engine: Engine, k: string): boolean =>
  engine.entries.candidate(k, engine.now()) !== undefined

/** Skips entries that have expired or that an invalidation has dropped. Keyed by the string form. */
export const snapshotByKey = (engine: Engine): ReadonlyMap<string, InMemory<unknown, unknown>> => {
  const now = engine.now()
  const all = new Map<string, InMemory<unknown, unknown>>()
  for (const { asked, entry: kept, freshCap, gapsBefore, key } of engine.near.entries()) {
    const entry = capped(kept, freshCap)
    const freshness = engine.entries.judgeKnown(key, entry, gapsBefore, now)
    if (freshness._tag === "Missing") continue
    all.set(key, { key: asked, entry: shown(engine, entry, freshness), freshness })
  }
  return all
}

export const snapshot = (engine: Engine): ReadonlyArray<InMemory<unknown, unknown>> => [
  ...snapshotByKey(engine).values(),
]
