/** Callers that wait for a flight: how they join, leave, and get what it brings. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Latch from "effect/Latch"
import * as Decision from "../../Decision.ts"
import * as Freshness from "../../Freshness.ts"
import { LookupTimeout } from "../../LarderError.ts"
import type { StaleServed } from "../../LarderEvent.ts"
import { knownOf } from "./lookupResult.ts"
import type { Engine } from "../state/engine.ts"
import type { Flight, Given, Outcome, Waiter } from "../state/flight.ts"
import type { Timer } from "../runtime/deadlines.ts"

/** Adds a waiter to a flight; the effect given back takes it out again. From `softAt` on something stale will do. */
export const join = (
  engine: Engine,
  flight: Flight,
  waiter: Waiter,
  softAt = Infinity,
): Effect.Effect<void> => {
  const { outcome } = flight
  const { until } = waiter
  if (outcome !== undefined) {
    answer(engine, flight, waiter, asOfNow(engine, outcome))
    return Effect.void
  }
  flight.waiters.add(waiter)
  engine.callers.joined()
  flight.notBefore = Math.max(flight.notBefore, waiter.demand.notBefore)
  // Also where there is nothing yet: a tier may have something, or a caller may set the key.
  if (softAt < Infinity && waiter.demand.allowStale) {
    setTimer(
      waiter,
      engine.timers.schedule(softAt, () => softTimeout(engine, flight, waiter)),
    )
  }
  if (until !== undefined) {
    const now = engine.stopwatch()
    setTimer(
      waiter,
      engine.timers.deadline(now, until - now, () => giveUp(engine, flight, waiter)),
    )
  }
  // What a farther tier had was offered to those who waited then; it is good for this one too.
  if (flight.stale !== undefined) offerRevalidating(engine, flight, waiter)
  if (flight.waiters.has(waiter)) flight.demand?.joined()
  return Effect.sync(() => leave(engine, flight, waiter))
}

/** A result that settles slowly is not for ever what has just been looked up. */
const asOfNow = (engine: Engine, outcome: Outcome): Outcome => {
  if (outcome._tag === "Failure") return outcome
  const { given } = outcome
  const freshness = Freshness.of(given.entry, engine.now())
  return freshness._tag === "Stale" ? { ...outcome, given: { ...given, freshness } } : outcome
}

/** By what would be given: memory may have something newer by now, which a mark covers. */
const offerRevalidating = (engine: Engine, flight: Flight, waiter: Waiter): boolean => {
  const known = knownOf(engine, flight)
  if (known === undefined) return false
  const { entry, freshness } = known
  const standing = Decision.standing(freshness, entry.storedAt, false, waiter.demand)
  if (standing !== "revalidate" || isGraceDenied(engine, flight, waiter)) return false
  return offer(engine, flight, waiter, "softTimeout", "revalidating")
}

/** A failure that is known and may not be hidden is given instead, once the tiers have been read. */
const isGraceDenied = (engine: Engine, flight: Flight, waiter: Waiter): boolean => {
  const failure = engine.failures.at(flight.k, engine.now())
  return failure?.graceDenied === true && (waiter.many || !failure.notReturned)
}

const setTimer = (waiter: Waiter, timer: Timer): void => {
  waiter.timers = [...(waiter.timers ?? []), timer]
}

const leave = (engine: Engine, flight: Flight, waiter: Waiter): void => {
  release(engine, flight, waiter)
  if (flight.waiters.size > 0 || flight.background || flight.outcome !== undefined) return
  engine.flights.abandon(flight)
}

/** Ends the wait of one caller whose time is up, with something stale if there is any. */
const giveUp = (engine: Engine, flight: Flight, waiter: Waiter): void => {
  const { name, policy } = engine.settings
  const timeout = new LookupTimeout({ larder: name, key: flight.k, millis: policy.hardTimeout })
  // First taken out: what it does on hearing of it may complete the flight.
  release(engine, flight, waiter)
  const failed = { exit: Exit.fail(timeout), reason: "failed", graceDenied: false } as const
  refuse(engine, flight, waiter, failed)
  leave(engine, flight, waiter)
}

const softTimeout = (engine: Engine, flight: Flight, waiter: Waiter): void => {
  waiter.softDue = true
  offer(engine, flight, waiter, "softTimeout", "softTimeout")
}

/** Gives the best stale value to one waiter, if there is one and the decision is to give it. */
const offer = (
  engine: Engine,
  flight: Flight,
  waiter: Waiter,
  happening: Decision.Happening,
  reason: StaleServed["reason"],
  graceDenied = false,
): boolean => {
  const now = engine.now()
  const known = knownOf(engine, flight)
  const standing =
    known === undefined
      ? "missing"
      : Decision.standing(known.freshness, known.entry.storedAt, false, waiter.demand)
  if (waiter.insists) return false
  const action = Decision.next({
    happening,
    standing,
    inFlight: true,
    throttled: false,
    failureKnown: false,
    graceDenied,
  })
  if (action._tag !== "ServeStale" || known === undefined) return false
  // It was answered, it has not left: the lookup goes on for the larder.
  if (happening === "softTimeout") flight.background = true
  release(engine, flight, waiter)
  engine.observer.counters.staleServed += 1
  engine.observer.tell({ _tag: "StaleServed", key: flight.k, reason })
  waiter.give({ ...known, freshness: engine.entries.judge(known.entry, now) })
  return true
}

const release = (engine: Engine, flight: Flight, waiter: Waiter): void => {
  cancelTimers(engine, waiter)
  if (!flight.waiters.has(waiter)) return
  flight.waiters.delete(waiter)
  engine.callers.left()
}

const cancelTimers = (engine: Engine, { timers }: Waiter): void => {
  if (timers !== undefined) for (const timer of timers) engine.timers.cancel(timer)
}

/** A farther tier had something: callers it is good enough for need not wait any longer. */
export const offerAll = (engine: Engine, flight: Flight, given: Given): void => {
  flight.stale = given
  for (const waiter of flight.waiters.all()) {
    // One that is woken here may make another leave.
    if (!flight.waiters.has(waiter) || offerFresh(engine, flight, waiter, given)) continue
    if (!offerRevalidating(engine, flight, waiter) && waiter.softDue) {
      offer(engine, flight, waiter, "softTimeout", "softTimeout")
    }
  }
}

/**
 * A lookup that runs for a caller who wants something newer must not keep from others
 * what a tier has just said to be fresh.
 */
const offerFresh = (engine: Engine, flight: Flight, waiter: Waiter, given: Given): boolean => {
  const { entry, freshness } = given
  const standing = Decision.standing(freshness, entry.storedAt, false, waiter.demand)
  if (standing !== "fresh" || waiter.insists) return false
  release(engine, flight, waiter)
  waiter.give(given)
  return true
}

/** Ends a flight; see `FlightTable.complete`. */
export const complete = (
  engine: Engine,
  flight: Flight,
  outcome: Outcome,
  settling?: Latch.Latch,
): void => {
  const answerOne = (waiter: Waiter) => {
    engine.callers.left()
    cancelTimers(engine, waiter)
    answer(engine, flight, waiter, outcome)
  }
  engine.flights.complete(flight, outcome, answerOne, settling)
}

const answer = (engine: Engine, flight: Flight, waiter: Waiter, outcome: Outcome): void => {
  if (outcome._tag === "Value") value(engine, flight, waiter, outcome)
  else failure(engine, flight, waiter, outcome)
}

const value = (
  engine: Engine,
  flight: Flight,
  waiter: Waiter,
  outcome: Extract<Outcome, { readonly _tag: "Value" }>,
): void => {
  const { given, instead } = outcome
  if (instead !== undefined && (waiter.demand.allowStale || instead.freshness._tag === "Fresh")) {
    waiter.give(instead)
    return
  }
  // Law 7: a mark that fell between the lookup's begin and this caller's
  // arrival covers the result, so the caller asked for something newer.
  // Its maxAge needs no check: `join` has told the flight, which adopts nothing older.
  const { tags } = given.entry
  const overtaken = !waiter.again && engine.marks.fellBetween(tags, flight.asOf, waiter.arrivedMark)
  if (overtaken) waiter.rejoin()
  else waiter.give(given)
}

type FailedOutcome = Extract<Outcome, { readonly _tag: "Failure" }>

const failure = (engine: Engine, flight: Flight, waiter: Waiter, outcome: FailedOutcome): void => {
  if (outcome.notReturned && !waiter.many) {
    waiter.rejoin()
    return
  }
  // A refresh asks no tier, and takes nothing stale: a caller that joined may still be given what one has.
  const mayHave =
    flight.force &&
    waiter.demand.allowStale &&
    engine.stack.farther.length > 0 &&
    flight.beside !== "nothingFresh"
  if (!mayHave) refuse(engine, flight, waiter, outcome)
  else if (!offerAfter(engine, flight, waiter, outcome)) waiter.rejoin()
}

const offerAfter = (
  engine: Engine,
  flight: Flight,
  waiter: Waiter,
  { graceDenied, reason }: Pick<FailedOutcome, "graceDenied" | "reason">,
): boolean => offer(engine, flight, waiter, "failed", reason, graceDenied)

/** Gives a failure, unless memory has something that is better than that. */
const refuse = (
  engine: Engine,
  flight: Flight,
  waiter: Waiter,
  failed: Pick<FailedOutcome, "exit" | "graceDenied" | "reason">,
): void => {
  if (offerAfter(engine, flight, waiter, failed)) return
  engine.observer.counters.failures += 1
  waiter.fail(failed.exit)
}
