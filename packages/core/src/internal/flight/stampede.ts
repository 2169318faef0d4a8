/** Tells of stampedes: see `Stampedes`. */
import type { Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"

/** The lookup of a flight has reached upstream. */
export const lookupReached = (engine: Engine, { k, key, waiters }: Flight): void => {
  const callers = waiters.size
  if (callers === 0) return
  const lookups = engine.stampedes.reached(k, engine.now(), engine.marks.last)
  if (lookups !== undefined) detected(engine, key, k, callers, lookups)
}

/** The lookup of a flight has answered so many callers. */
export const callersAnswered = (engine: Engine, { k, key }: Flight, callers: number): void => {
  const lookups = engine.stampedes.answered(k, callers)
  if (lookups !== undefined) detected(engine, key, k, callers, lookups)
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
