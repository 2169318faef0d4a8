/** Stores looked-up values in memory. */
import type { Engine } from "../state/engine.ts"
import type { EntryWithPolicy } from "../state/localEntries.ts"
import type { Flight } from "../state/flight.ts"

export const keepInMemory = (engine: Engine, flight: Flight, kept: EntryWithPolicy): void => {
  engine.entries.keep(flight.k, flight.key, kept, engine.now())
  if (engine.observer.listeners !== 0) {
    engine.observer.tell({ _tag: "Committed", key: flight.k, version: kept.entry.version })
  }
}

/** Counts a value that was not stored because of a newer change. */
export const superseded = (engine: Engine, flight: Flight): void => {
  engine.observer.counters.superseded += 1
  engine.observer.tell({ _tag: "Superseded", key: flight.k })
}
