/** Stores looked-up values in memory. */
import type { Engine } from "../state/engine.ts"
import type { EntryWithPolicy } from "../state/localEntries.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { Flight } from "../state/flight.ts"
import { valueStored } from "./stampede.ts"

/** `committedTo`: the arbiter, where it has stored the value. */
export const keepInMemory = (
  engine: Engine,
  flight: Flight,
  kept: EntryWithPolicy,
  committedTo?: FartherTier,
): void => {
  engine.entries.keep(flight.k, flight.key, kept, engine.now())
  valueStored(flight, kept.entry.freshUntil)
  if (engine.observer.listeners !== 0) tellCommitted(engine, flight, kept, committedTo)
}

const tellCommitted = (
  engine: Engine,
  { k }: Flight,
  { entry }: EntryWithPolicy,
  committedTo: FartherTier | undefined,
): void => {
  const { asOf, freshUntil, loadMillis, revalidateUntil, staleUntil, storedAt, tags, version } =
    engine.inTimeOfDay(entry)
  // Memory refuses a value that is too heavy, or older than its own.
  const isInMemory = engine.near.peek(k)?.entry === entry
  engine.observer.tell({
    _tag: "Committed",
    key: k,
    version,
    times: { storedAt, freshUntil, revalidateUntil, staleUntil, loadMillis, asOf },
    tags,
    tiers: [
      ...(isInMemory ? [engine.nearName] : []),
      ...(committedTo === undefined ? [] : [committedTo.name]),
    ],
  })
}

/** Counts a value that was not stored because of a newer change. */
export const superseded = (engine: Engine, flight: Flight): void => {
  engine.observer.counters.superseded += 1
  engine.observer.tell({ _tag: "Superseded", key: flight.k })
}
