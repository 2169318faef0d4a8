/** What a flight does between its begin and its end, where memory is all there is. */
import type * as Arr from "effect/Array"
import type { Entry } from "../Entry.ts"
import { arrive } from "./arrival.ts"
import { cancelTogether } from "./cancelling.ts"
import type { CallerSpan, Engine } from "./engine.ts"
import type { Flight } from "./flight.ts"
import { keepInMemory, superseded } from "./keeping.ts"
import * as lookup from "./lookup.ts"
import { load } from "./tierLoading.ts"
import { land } from "./waiting.ts"

/** Starts flights that are on the board already. Those of one call share trips and a bulk lookup. */
export const begin = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
): void => {
  if (engine.stack.farther.length > 0) load(engine, flights, span)
  else if (flights[0].many && engine.settings.upstream.lookupMany !== undefined)
    bulk(engine, flights, span)
  else for (const flight of flights) single(engine, flight, span)
}

const single = (engine: Engine, flight: Flight, span: CallerSpan): void => {
  const previous = flight.stale?.entry
  const version = engine.nextVersion()
  const cancel = lookup.one(engine, flight, previous, span, (answer) =>
    settle(engine, flight, answer, previous, version),
  )
  flight.cancel = cancel
}

const bulk = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
): void => {
  const versions = new Map(flights.map((flight) => [flight, engine.nextVersion()]))
  const cancel = lookup.many(engine, flights, span, (flight, answer) =>
    settle(engine, flight, answer, undefined, versions.get(flight) ?? 0),
  )
  cancelTogether(flights, cancel)
}

const settle = (
  engine: Engine,
  flight: Flight,
  answer: lookup.Answer,
  previous: Entry<unknown> | undefined,
  version: number,
): void => {
  if (flight.landing !== undefined) return
  const { kept, landing } = arrive(engine, flight, answer, previous, version)
  engine.end(flight)
  const detached = engine.isDetached(flight)
  if (kept !== undefined && detached) superseded(engine, flight)
  const problem = kept === undefined || detached ? undefined : keepInMemory(engine, flight, kept)
  land(engine, flight, problem ?? landing)
}
