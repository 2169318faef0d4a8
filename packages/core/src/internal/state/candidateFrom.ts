/** Entries as candidates for callers. */
import * as Exit from "effect/Exit"
import type { Entry } from "../../Entry.ts"
import type { Engine } from "./engine.ts"
import type { Candidate } from "./flight.ts"

/**
 * An entry that a tier has, with its freshness now. `gapsBefore`: the number of gaps before the tier
 * was asked.
 */
export const candidateFrom = (
  engine: Engine,
  tier: string,
  entry: Entry<unknown>,
  now: number,
  gapsBefore: number,
): Candidate => ({
  entry,
  exit: Exit.succeed(entry.value),
  freshness: engine.entries.judge(entry, now),
  tier,
  gapsBefore,
})
