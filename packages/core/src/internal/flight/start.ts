/** What a flight does between its begin and its end, where memory is all there is. */
import * as Arr from "effect/Array"
import { arrived } from "./commit.ts"
import { cancelTogether } from "./sharedCancel.ts"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import * as lookup from "./lookup.ts"
import { completeWithOpenCircuit } from "./openCircuit.ts"
import { loadThroughTiers } from "./loadThroughTiers.ts"

/** Starts flights that have begun. Those of one call share trips and a bulk lookup. */
export const begin = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
): void => {
  // Whoever waited for them has been told so.
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
 * Starts refreshes that nobody waits for after the turn of who caused them, or
 * when somebody asks for their key again: a stale hit costs its caller little
 * more than a fresh one.
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

/** The key has changed. Nobody waits: a caller that may join a flight starts it first. */
const isOver = (engine: Engine, flight: Flight): boolean => {
  if (!engine.flights.isDetached(flight)) return false
  engine.flights.abandon(flight)
  return true
}

/** What has happened to its key since does not concern a lookup that begins only now. */
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
  // One that has nothing stale waits for a circuit's next probe; the others must not wait with it.
  const flights = all.filter((flight) => !completeWithOpenCircuit(engine, flight))
  if (!Arr.isArrayNonEmpty(flights)) return
  const cancel = lookup.many(engine, flights, span, (answerOf) => {
    for (const flight of flights) arrived(engine, flight, answerOf(flight), undefined)
  })
  cancelTogether(flights, cancel)
}
