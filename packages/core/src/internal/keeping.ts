/** What becomes of a looked-up value in memory. */
import * as Cause from "effect/Cause"
import { failed } from "./arrival.ts"
import type { Engine, Keeping } from "./engine.ts"
import type { Flight, Landing } from "./flight.ts"

/**
 * Keeps an entry in memory. A user's `weigh` that throws is a defect of this
 * lookup, given back as its landing; nothing is kept at the key then.
 */
export const keepInMemory = (
  engine: Engine,
  flight: Flight,
  kept: Keeping,
): Landing | undefined => {
  try {
    engine.failures.forget(flight.k)
    engine.keep(flight.k, flight.key, kept, engine.now())
    if (engine.observer.listeners !== 0) {
      engine.observer.tell({ _tag: "Committed", key: flight.k, version: kept.entry.version })
    }
    return undefined
  } catch (defect) {
    engine.near.delete(flight.k)
    return failed(engine, flight, Cause.die(defect), false).landing
  }
}

/** Counts a value that was not kept because something newer came in between. */
export const superseded = (engine: Engine, flight: Flight): void => {
  engine.observer.counters.superseded += 1
  engine.observer.tell({ _tag: "Superseded", key: flight.k })
}
