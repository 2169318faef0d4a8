/** A change of a key begins a new generation: lookups that began before are for their callers alone. */
import type { Engine } from "./engine.ts"
import type { Change } from "../tier/arbiterWrites.ts"

/** Callers that come from now on begin anew, and a failure of the past says nothing any more. */
export const begun = (engine: Engine, k: string, _tag: Change["_tag"]): void => {
  if (_tag === "Remove") forgetStale(engine, k)
  engine.flights.detach(k)
  engine.failures.forget(k)
}

/** A removed value is not given to anybody, not even to those whose lookup fails. */
const forgetStale = (engine: Engine, k: string): void => {
  for (const flight of engine.flights.active()) if (flight.k === k) flight.stale = undefined
}
