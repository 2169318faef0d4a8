/** Starts flights: reads the tiers, if there are any, and looks up what they do not have. */
import * as Arr from "effect/Array"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import { Budget } from "../tier/budget.ts"
import { loadThroughTiers } from "./loadThroughTiers.ts"
import { lookUpMissing } from "./lookUpMissing.ts"

const noBudget = new Budget(0)

/** Starts the flights of one call, which share trips and a bulk lookup. */
export const begin = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
): void => {
  // Closing has completed these flights already.
  if (engine.closed) return
  if (engine.stack.farther.length > 0) {
    const askedAt = engine.moment()
    for (const flight of flights) {
      flight.askedAt = askedAt
      flight.span = span
    }
    loadThroughTiers(engine, flights, span)
  }
  // Without tiers, nothing is left but the lookups, and there is no lease to wait for.
  else lookUpMissing(engine, flights, noBudget, span)
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
  flight.gapsBefore = engine.gaps.count
  const { stale } = flight
  if (stale === undefined) return
  const freshness = engine.entries.judgeKnown(flight.k, stale.entry, stale.gapsBefore, engine.now())
  flight.stale = freshness._tag === "Missing" ? undefined : { ...stale, freshness }
}
