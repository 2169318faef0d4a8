/** Tells of stampedes: see `Stampedes`. */
import type { Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"

/** The lookup of a flight, which began at a moment of monotonic time, has reached upstream. */
export const lookupReached = (engine: Engine, flight: Flight, began: number): void => {
  const { k, key, waiters } = flight
  const callers = waiters.size
  if (callers === 0) return
  const { marks, near, stack, stampedes } = engine
  const isEvicted = () => stack.hasMemory && near.find(k) === 0
  const recent = stampedes.reached(k, began, marks.last, engine.nowOf, isEvicted)
  flight.recent = recent
  // Once, and not again for each further lookup.
  if (recent.lookups === 2) detected(engine, key, k, callers, recent.lookups)
}

/** The lookup of a flight has answered so many callers. */
export const callersAnswered = (engine: Engine, flight: Flight, callers: number): void => {
  if (!engine.stampedes.areMany(callers)) return
  const { k, key, recent } = flight
  detected(engine, key, k, callers, recent?.lookups ?? 1)
}

/** The value of the flight's lookup was stored. */
export const valueStored = ({ recent }: Flight, freshUntil: number): void => {
  if (recent !== undefined) recent.freshUntil = freshUntil
}

const detected = (
  engine: Engine,
  key: unknown,
  k: string,
  callers: number,
  lookups: number,
): void => {
  engine.observer.tell({ _tag: "StampedeDetected", key: k, callers, lookups })
  engine.stampedes.onDetected(key, k, { callers, lookups })
}
