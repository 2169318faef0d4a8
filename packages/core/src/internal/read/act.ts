/** Carries out what `decide` chose for a caller on arrival: immediate answers, and new flights. */
import type * as Exit from "effect/Exit"
import { beginSoon } from "../flight/start.ts"
import { ageAt } from "../flight/waiters.ts"
import type { StaleReason } from "../../LarderEvent.ts"
import * as answers from "../observe/answers.ts"
import type { Engine } from "../state/engine.ts"
import type { Failure } from "../state/failureMemory.ts"
import { Flight, type Candidate, staleReasonOf } from "../state/flight.ts"
import type { MemoryCandidate } from "../state/localEntries.ts"
import type { Decided } from "./decide.ts"
import type { Call } from "./question.ts"

/**
 * The answer that the caller gets without waiting: a value, or a remembered failure. Counts it
 * and tells listeners. Undefined where the caller has to wait. `now`: of the decision.
 */
export const immediate = (
  engine: Engine,
  k: string,
  { action, failure, local }: Decided,
  now: number,
  refresh: (stale: MemoryCandidate, early: boolean) => void,
): MemoryCandidate | Exit.Exit<unknown, unknown> | undefined => {
  const { observer } = engine
  if (action._tag === "Fail") {
    answers.failed(observer, k, "remembered", undefined)
    return failure?.exit
  }
  if (local === undefined) return undefined
  if (action._tag === "Serve") {
    engine.near.hit(local.slot)
    answers.hit(observer, k, local.tier, ageAt(now, local.entry))
    if (action.refresh) {
      observer.counters.refreshes.early += 1
      observer.tell({ _tag: "EarlyRefresh", key: k })
      refresh(local, true)
    }
    return local
  }
  if (action._tag === "ServeStale") {
    engine.near.hit(local.slot)
    const reason = action.reason === "failed" ? reasonOf(failure) : action.reason
    answers.staleServed(observer, k, reason, local.tier, ageAt(now, local.entry), undefined)
    if (action.refresh) {
      observer.counters.refreshes.revalidate += 1
      refresh(local, false)
    }
    return local
  }
  return undefined
}

const reasonOf = (failure: Failure | undefined): StaleReason =>
  failure === undefined ? "failed" : staleReasonOf(failure.reason)

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

/** Begins a background lookup whatever memory and the tiers have. */
export const refreshSoon = (engine: Engine, key: unknown, k: string): void => {
  const flight = newFlight(engine, key, k, {
    stale: engine.entries.candidate(k, engine.now()),
    early: false,
    background: true,
    force: true,
    many: false,
    notBefore: -Infinity,
  })
  beginSoon(engine, [flight], undefined)
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
