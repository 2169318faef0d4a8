/** Marks that this node numbers itself: without an arbiter, and while the arbiter does not answer. */
import type { Engine } from "./engine.ts"

/** Sets marks in this node; returns their number. */
export const markHere = (
  engine: Engine,
  tags: ReadonlyArray<string | undefined>,
  keepStale: boolean,
): number => {
  const number = engine.marks.add(tags, keepStale, engine.now(), engine.versions.asOf())
  afterMark(engine, tags, keepStale)
  return number
}

/** A mark of everything ends remembered failures, and empties memory unless it keeps stale values. */
export const afterMark = (
  engine: Engine,
  tags: ReadonlyArray<string | undefined>,
  keepStale: boolean,
): void => {
  if (!tags.includes(undefined)) return
  engine.failures.clear()
  if (!keepStale) engine.near.clear()
}
