/** Carries out what `decide` chose for a caller on arrival: immediate answers, and new flights. */
import type * as Exit from "effect/Exit"
import { beginSoon } from "../flight/start.ts"
import type { Engine } from "../state/engine.ts"
import { Flight, type Candidate } from "../state/flight.ts"
import type { MemoryCandidate } from "../state/localEntries.ts"
import type { Decided } from "./decide.ts"
import type { Call } from "./question.ts"

/**
 * The answer that the caller gets without waiting: a value, or a remembered failure. Counts it
 * and tells listeners. Undefined where the caller has to wait.
 */
export const immediate = (
  engine: Engine,
  k: string,
  { action, failure, local }: Decided,
  refresh: (stale: MemoryCandidate, early: boolean) => void,
): MemoryCandidate | Exit.Exit<unknown, unknown> | undefined => {
  const { counters, listeners } = engine.observer
  if (action._tag === "Fail") {
    counters.failures += 1
    return failure?.exit
  }
  if (local === undefined) return undefined
  if (action._tag === "Serve") {
    engine.near.hit(local.slot)
    counters.hits += 1
    if (listeners !== 0) engine.observer.tell({ _tag: "Hit", key: k, tier: local.tier })
    if (action.refresh) {
      counters.earlyRefreshes += 1
      engine.observer.tell({ _tag: "EarlyRefresh", key: k })
      refresh(local, true)
    }
    return local
  }
  if (action._tag === "ServeStale") {
    engine.near.hit(local.slot)
    counters.staleServed += 1
    if (listeners !== 0) {
      const reason = action.reason === "failed" ? (failure?.reason ?? "failed") : action.reason
      engine.observer.tell({ _tag: "StaleServed", key: k, reason })
    }
    if (action.refresh) refresh(local, false)
    return local
  }
  return undefined
}

/** Counts a caller that has to wait: for the active flight, or for a new one. */
export const countWaiting = (engine: Engine, k: string, flight: Flight | undefined): void => {
  const { counters, listeners } = engine.observer
  counters.misses += 1
  if (flight !== undefined) counters.coalesced += 1
  if (listeners === 0) return
  engine.observer.tell({ _tag: flight === undefined ? "Miss" : "Coalesced", key: k })
}

/** Begins a background refresh, which continues without waiters. */
export const inBackground = (
  engine: Engine,
  { k, key, span }: Pick<Call, "k" | "key" | "span">,
  stale: Candidate,
  early: boolean,
): void => {
  const flight = newFlight(engine, key, k, {
    stale,
    early,
    background: true,
    force: false,
    many: false,
    notBefore: -Infinity,
  })
  beginSoon(engine, [flight], span)
}

export const newFlight = (
  engine: Engine,
  key: unknown,
  k: string,
  options: Pick<Flight, "stale" | "early" | "background" | "force" | "many" | "notBefore">,
  confirmedAfter = -Infinity,
): Flight => {
  const flight = new Flight(key, k, engine.versions.asOf(), options)
  flight.gapsBefore = engine.gaps.count
  if (confirmedAfter > -Infinity) {
    flight.confirmedAfter = confirmedAfter
    flight.earlier = engine.flights.at(k)?.settling
  }
  // Registered before the flight starts: its lookup may end at once, or get its own key.
  engine.flights.begin(flight)
  return flight
}
