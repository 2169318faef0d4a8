/** The plain hit: the entry in memory is fresh, covered by no mark, and not due for an early refresh. */
import type { Engine } from "../state/engine.ts"

/** Whether a key is a plain hit. `slot`: of the key in memory, 0 for none. */
export const isHit = ({ marks, near }: Engine, slot: number, now: number): boolean =>
  slot !== 0 && near.isPlain(slot, now, marks.generation)

/** Counts a plain hit. */
export const hit = ({ near, nearName, observer }: Engine, k: string, slot: number): void => {
  near.hit(slot)
  observer.counters.hits += 1
  if (observer.hitListeners !== 0) observer.tellHit(k, nearName)
}
