/** What a flight does between its begin and its end, where memory is all there is. */
import * as Arr from "effect/Array"
import type { Entry } from "../../Entry.ts"
import { arrive } from "./lookupResult.ts"
import { cancelTogether } from "./sharedCancel.ts"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import { keepInMemory, superseded } from "./storeLocally.ts"
import * as lookup from "./lookup.ts"
import { landOnOpenCircuit } from "./openCircuit.ts"
import { load } from "./tierLoading.ts"
export { readBeside } from "./tierLoading.ts"
import { land } from "./waiters.ts"

/** Starts flights that are on the board already. Those of one call share trips and a bulk lookup. */
export const begin = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
): void => {
  // Whoever waited for them has been told so.
  if (engine.closed) return
  if (engine.stack.farther.length > 0) load(engine, flights, span)
  else if (flights[0].many && engine.settings.upstream.lookupMany !== undefined)
    bulk(engine, flights, span)
  else {
    // The lookup of one may close the larder, which ends the others.
    for (const flight of flights) if (flight.landing === undefined) single(engine, flight, span)
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
  if (!engine.isDetached(flight)) return false
  engine.end(flight)
  engine.landed(flight)
  return true
}

/** What has happened to its key since does not concern a lookup that begins only now. */
const asItIsNow = (engine: Engine, flight: Flight): void => {
  flight.asOf = engine.asOf()
  const { stale } = flight
  if (stale === undefined) return
  const freshness = engine.judge(stale.entry, engine.now())
  flight.stale = freshness._tag === "Missing" ? undefined : { ...stale, freshness }
}

const single = (engine: Engine, flight: Flight, span: CallerSpan): void => {
  const previous = flight.stale?.entry
  const version = engine.nextVersion()
  const cancel = lookup.one(engine, flight, previous, span, (answer) =>
    settle(engine, flight, answer, previous, version),
  )
  flight.cancel = cancel
}

const bulk = (engine: Engine, all: Arr.NonEmptyReadonlyArray<Flight>, span: CallerSpan): void => {
  // One that has nothing stale waits for a circuit's next probe; the others must not wait with it.
  const flights = all.filter((flight) => !landOnOpenCircuit(engine, flight))
  if (!Arr.isArrayNonEmpty(flights)) return
  const versions = new Map(flights.map((flight) => [flight, engine.nextVersion()]))
  const cancel = lookup.many(engine, flights, span, (answerOf) => {
    for (const flight of flights) {
      settle(engine, flight, answerOf(flight), undefined, versions.get(flight)!)
    }
  })
  cancelTogether(flights, cancel)
}

const settle = (
  engine: Engine,
  flight: Flight,
  answer: lookup.Answer,
  previous: Entry<unknown> | undefined,
  version: number,
): void => {
  if (!flight.isWanted) return
  const { kept, landing } = arrive(engine, flight, answer, previous, version)
  engine.end(flight)
  const detached = engine.isDetached(flight)
  if (kept !== undefined && detached) superseded(engine, flight)
  else if (kept !== undefined) keepInMemory(engine, flight, kept)
  land(engine, flight, landing)
}
