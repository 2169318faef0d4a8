/** Entries as callers see them. */
import * as Entry from "../../Entry.ts"
import * as Freshness from "../../Freshness.ts"
import type { Engine } from "./engine.ts"

/**
 * The entry as a caller sees it. An entry that a mark made stale gets the times that `expire` would
 * give it, so that its times agree with its freshness. Times are of the clock as it is now.
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
