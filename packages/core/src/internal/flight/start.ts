/** Starts flights: over memory alone here, otherwise through the tiers. */
import * as Arr from "effect/Array"
import { arrived } from "./commit.ts"
import { cancelTogether } from "./sharedCancel.ts"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import * as lookup from "./lookup.ts"
import { completeWithOpenCircuit } from "./openCircuit.ts"
import { loadThroughTiers } from "./loadThroughTiers.ts"

/** Starts the flights of one call, which share trips and a bulk lookup. */
export const begin = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
): void => {
  // Closing has completed these flights already.
  if (engine.closed) return
  if (engine.stack.farther.length > 0) loadThroughTiers(engine, flights, span)
  else if (flights[0].many && engine.settings.upstream.lookupMany !== undefined)
    bulk(engine, flights, span)
  else {
    // The lookup of one may close the larder, which ends the others.
    for (const flight of flights) if (flight.outcome === undefined) single(engine, flight, span)
  }
}

/**
 * Starts background refreshes after the current turn of the event loop, or when a caller gets the
 * key again. So a stale hit costs its caller little more than a fresh one.
 */
export const beginSoon = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
): void => {
  let started = false
  const start = () => {
    if (started) return
    started = true
    for (const flight of flights) flight.start = undefined
    const wanted = flights.filter((flight) => !isOver(engine, flight))
    for (const flight of wanted) asItIsNow(engine, flight)
    if (Arr.isReadonlyArrayNonEmpty(wanted)) begin(engine, wanted, span)
  }
  for (const flight of flights) flight.start = start
  engine.soon(start)
}

/** Abandons a deferred refresh whose key has changed. It has no waiters: a caller starts it before joining. */
const isOver = (engine: Engine, flight: Flight): boolean => {
  if (!engine.flights.isDetached(flight)) return false
  engine.flights.abandon(flight)
  return true
}

/** Brings a deferred flight up to date: its lookup begins only now, after the marks set meanwhile. */
const asItIsNow = (engine: Engine, flight: Flight): void => {
  flight.asOf = engine.versions.asOf()
  const { stale } = flight
  if (stale === undefined) return
  const freshness = engine.entries.judge(stale.entry, engine.now())
  flight.stale = freshness._tag === "Missing" ? undefined : { ...stale, freshness }
}

const single = (engine: Engine, flight: Flight, span: CallerSpan): void => {
  const previous = flight.stale?.entry
  flight.cancel = lookup.one(engine, flight, previous, span, (answer) =>
    arrived(engine, flight, answer, previous),
  )
}

const bulk = (engine: Engine, all: Arr.NonEmptyReadonlyArray<Flight>, span: CallerSpan): void => {
  // A key without a stale value waits for a circuit's next probe. The others must not wait with it.
  const flights = all.filter((flight) => !completeWithOpenCircuit(engine, flight))
  if (!Arr.isArrayNonEmpty(flights)) return
  const cancel = lookup.many(engine, flights, span, (answerOf) => {
    for (const flight of flights) arrived(engine, flight, answerOf(flight), undefined)
  })
  cancelTogether(flights, cancel)
}
