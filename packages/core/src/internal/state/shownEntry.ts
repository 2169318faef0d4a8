/** Entries as callers see them. */
import * as Entry from "../../Entry.ts"
import * as Freshness from "../../Freshness.ts"
import type { Engine } from "./engine.ts"

/**
 * The entry as a caller sees it: a mark leaves of an entry what `expire` leaves, so
 * that its times say the same as its freshness. They are of the time of day as it is now.
 */
export const shown = (
  engine: Engine,
  entry: Entry.Entry<unknown>,
  freshness: Freshness.Freshness,
): Entry.Entry<unknown> => {
  const now = engine.now()
  const isMarked = freshness._tag === "Stale" && freshness !== Freshness.of(entry, now)
  return engine.inTimeOfDay(isMarked ? (Entry.expireAt(entry, now) ?? entry) : entry)
}
