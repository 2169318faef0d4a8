/** The plain hit: the entry in memory is fresh, covered by no mark, and not due for an early refresh. */
import type { Engine } from "../state/engine.ts"

/** Whether a key is a plain hit. `slot`: of the key in memory, 0 for none. */
export const isHit = ({ marks, near }: Engine, slot: number, now: number): boolean =>
  slot !== 0 && near.isPlain(slot, now, marks.generation)

/** Counts a plain hit. Of few hits the age is recorded: see `AnswerAges`. */
export const hit = (
  { near, nearName, observer }: Engine,
  k: string,
  slot: number,
  now: number,
): void => {
  near.hit(slot)
  observer.counters.hits += 1
  const { ages } = observer
  ages.left -= 1
  if (ages.left === 0) ages.sample(now - near.at(slot).entry.storedAt)
  if (observer.hitListeners !== 0) observer.tellHit(k, nearName)
}
