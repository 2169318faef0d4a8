/** The plain hit: the entry in memory is fresh, covered by no mark, and not due for an early refresh. */
import type * as Exit from "effect/Exit"
import type { Engine } from "../state/engine.ts"

/** Returns and counts a plain hit; undefined where there is none. `slot`: of the key in memory, 0 for none. */
export const hit = (
  engine: Engine,
  k: string,
  slot: number,
  now: number,
): Exit.Exit<unknown> | undefined => {
  const { near, observer } = engine
  if (slot === 0 || !near.isPlain(slot, now, engine.marks.generation)) return undefined
  near.hit(slot)
  observer.counters.hits += 1
  if (observer.listeners !== 0) observer.tellHit(k, engine.nearName)
  return near.exit(slot)
}
