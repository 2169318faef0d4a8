/** Waiters of a flight: how they join, leave, and get an answer. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Latch from "effect/Latch"
import * as Decision from "../../Decision.ts"
import type { Entry } from "../../Entry.ts"
import * as Freshness from "../../Freshness.ts"
import { LookupTimeout } from "../../LarderError.ts"
import type { StaleReason } from "../../LarderEvent.ts"
import { bestCandidate } from "./lookupResult.ts"
import { callersAnswered } from "./stampede.ts"
import * as answers from "../observe/answers.ts"
import { decideNext } from "../state/decideNext.ts"
import type { Engine } from "../state/engine.ts"
import {
  type Candidate,
  type Demand,
  type Flight,
  isConfirmed,
  type Outcome,
  staleReasonOf,
  type Waiter,
} from "../state/flight.ts"
import type { Timer } from "../runtime/deadlines.ts"

/**
 * Adds a waiter to a flight; the returned effect removes it. From `softAt` on, a moment of monotonic
 * time, the waiter accepts a stale value.
 */
export const join = (
  engine: Engine,
  flight: Flight,
  waiter: Waiter,
  softAt = Infinity,
): Effect.Effect<void> => {
  const { outcome } = flight
  const { deadline } = waiter
  if (outcome !== undefined) {
    answer(engine, flight, waiter, asOfNow(engine, outcome))
    return Effect.void
  }
  flight.waiters.add(waiter)
  engine.callers.joined()
  flight.notBefore = Math.max(flight.notBefore, waiter.demand.notBefore)
  // Also without a stale value so far: a tier may have one, or a caller may set the key.
  if (softAt < Infinity && waiter.demand.allowStale) {
    setTimer(
      waiter,
      engine.timers.after(softAt, 0, () => softTimeout(engine, flight, waiter)),
    )
  }
  if (deadline !== undefined) {
    const now = engine.stopwatch()
    setTimer(
      waiter,
      engine.timers.deadline(now, deadline - now, () => giveUp(engine, flight, waiter)),
    )
  }
  // Offer the stale value that earlier waiters were offered to this one too.
  if (flight.stale !== undefined) {
    const { known, ...look } = lookFor(engine, flight, waiter)
    const graceDenied = isGraceDenied(engine, flight, waiter)
    carryOut(
      engine,
      flight,
      waiter,
      known,
      decideNext(engine, flight.k, { trigger: "joined", ...look, graceDenied }),
    )
  }
  if (flight.waiters.has(waiter)) flight.demand?.joined()
  return Effect.sync(() => interrupted(engine, flight, waiter))
}

/** The outcome with its freshness as of now: a result may turn stale while it settles. */
const asOfNow = (engine: Engine, outcome: Outcome): Outcome => {
  if (outcome._tag === "Failure") return outcome
  const { result } = outcome
  const freshness = Freshness.of(result.entry, engine.now())
  return freshness._tag === "Stale" ? { ...outcome, result: { ...result, freshness } } : outcome
}

/**
 * The best known value of a key, and how usable it is for one waiter. Judges the value that would be
 * returned: memory may have a newer one by now, which a mark covers.
 */
const lookFor = (engine: Engine, flight: Flight, waiter: Waiter) => {
  const known = bestCandidate(engine, flight)
  const usability = known === undefined ? "missing" : usabilityOf(known, waiter.demand)
  return { known, usability, onlyLookup: waiter.insists } as const
}

/** How usable a value is for a caller, apart from early refreshes. */
export const usabilityOf = (
  candidate: Candidate,
  demand: Demand,
  isDue = false,
): Decision.Usability => {
  const { entry, freshness } = candidate
  return Decision.usability(
    freshness,
    entry.storedAt,
    isDue,
    demand,
    isConfirmed(candidate, demand),
  )
}

/** Whether a known failure must be returned in place of a stale value, as `graceFor` denies grace. */
const isGraceDenied = (engine: Engine, flight: Flight, waiter: Waiter): boolean => {
  const failure = engine.failures.at(flight.k, engine.now())
  return failure?.graceDenied === true && (waiter.many || !failure.notReturned)
}

const setTimer = (waiter: Waiter, timer: Timer): void => {
  waiter.timers = [...(waiter.timers ?? []), timer]
}

/** The caller's fiber was interrupted. It may have got its answer before. */
const interrupted = (engine: Engine, flight: Flight, waiter: Waiter): void => {
  if (flight.waiters.has(waiter) && !waiter.many) {
    answers.left(engine.observer, flight.k, waited(engine, waiter))
  }
  leave(engine, flight, waiter)
}

const waited = (engine: Engine, { arrivedAt }: Waiter): number => engine.stopwatch() - arrivedAt

const leave = (engine: Engine, flight: Flight, waiter: Waiter): void => {
  release(engine, flight, waiter)
  if (flight.waiters.size > 0 || flight.background || flight.outcome !== undefined) return
  engine.flights.abandon(flight)
}

/** Answers one waiter whose deadline has passed: with a stale value if there is one, else with `LookupTimeout`. */
const giveUp = (engine: Engine, flight: Flight, waiter: Waiter): void => {
  const { name, policy } = engine.settings
  const timeout = new LookupTimeout({ larder: name, key: flight.k, millis: policy.hardTimeout })
  // Removed first: the woken caller may complete the flight at once.
  release(engine, flight, waiter)
  const failed = { exit: Exit.fail(timeout), reason: "timeout", graceDenied: false } as const
  failWith(engine, flight, waiter, failed, { isAnswer: true, tiersUnread: false })
  leave(engine, flight, waiter)
}

/** A waiter of a flight. */
export interface Joined {
  readonly flight: Flight
  readonly waiter: Waiter
}

/** Answers those that still wait at a moment of monotonic time, as their deadline. Returns what cancels it. */
export const giveUpAt = (
  engine: Engine,
  joined: ReadonlyArray<Joined>,
  moment: number,
): (() => void) => {
  const now = engine.stopwatch()
  const timer = engine.timers.deadline(now, moment - now, () => {
    for (const { flight, waiter } of joined) {
      if (flight.waiters.has(waiter)) giveUp(engine, flight, waiter)
    }
  })
  return () => engine.timers.cancel(timer)
}

const softTimeout = (engine: Engine, flight: Flight, waiter: Waiter): void => {
  waiter.softTimeoutPassed = true
  const { known, ...look } = lookFor(engine, flight, waiter)
  const action = decideNext(engine, flight.k, { trigger: "softTimeout", ...look })
  carryOut(engine, flight, waiter, known, action)
}

/** Carries out a decision for one waiter; says whether the waiter got a value. */
const carryOut = (
  engine: Engine,
  flight: Flight,
  waiter: Waiter,
  known: Candidate | undefined,
  action: Decision.Action,
  failure: StaleReason = "failed",
): boolean => {
  if (known === undefined) return false
  if (action._tag !== "Serve" && action._tag !== "ServeStale") return false
  const reason = action._tag === "Serve" ? "none" : action.reason
  // The caller gets a stale value; the lookup continues in the background.
  if (reason === "revalidating" || reason === "softTimeout")
    goesOnInBackground(engine, flight, reason)
  release(engine, flight, waiter)
  // Race: a caller sets the key while the lookup fails, and the value in memory is fresh.
  if (reason === "none" || usabilityOf(known, waiter.demand) === "fresh") {
    giveFresh(engine, flight, waiter, known)
  } else {
    giveStale(engine, flight, waiter, known, reason === "failed" ? failure : reason)
  }
  return true
}

const goesOnInBackground = (
  engine: Engine,
  flight: Flight,
  reason: "revalidating" | "softTimeout",
): void => {
  if (flight.background) return
  flight.background = true
  const trigger = reason === "revalidating" ? "revalidate" : reason
  engine.observer.counters.refreshes[trigger] += 1
}

const giveFresh = (engine: Engine, flight: Flight, waiter: Waiter, known: Candidate): void => {
  const age = ageAt(engine.now(), known.entry)
  answers.answered(engine.observer, flight.k, known.tier, age, waited(engine, waiter))
  waiter.give(known)
}

const giveStale = (
  engine: Engine,
  flight: Flight,
  waiter: Waiter,
  known: Candidate,
  reason: StaleReason,
): void => {
  const { entry, tier } = known
  const age = ageAt(engine.now(), entry)
  answers.staleServed(engine.observer, flight.k, reason, tier, age, waited(engine, waiter))
  waiter.give(known)
}

/** The time since upstream validated the entry, ms. */
export const ageAt = (now: number, { storedAt }: Entry<unknown>): number =>
  Math.max(0, now - storedAt)

const release = (engine: Engine, flight: Flight, waiter: Waiter): void => {
  cancelTimers(engine, waiter)
  if (!flight.waiters.has(waiter)) return
  flight.waiters.delete(waiter)
  engine.callers.left()
}

const cancelTimers = (engine: Engine, { timers }: Waiter): void => {
  if (timers !== undefined) for (const timer of timers) engine.timers.cancel(timer)
}

/** Offers a farther tier's entry to all waiters; a waiter that accepts it stops waiting. */
export const offerAll = (engine: Engine, flight: Flight, candidate: Candidate): void => {
  flight.stale = candidate
  for (const waiter of flight.waiters.all()) {
    // Race: a caller that is woken here interrupts another waiter.
    if (!flight.waiters.has(waiter)) continue
    const { known, ...look } = lookFor(engine, flight, waiter)
    const graceDenied = isGraceDenied(engine, flight, waiter)
    const { softTimeoutPassed } = waiter
    const action = decideNext(engine, flight.k, {
      trigger: "found",
      ...look,
      graceDenied,
      softTimeoutPassed,
    })
    carryOut(engine, flight, waiter, known, action)
  }
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
  const { outcome: before, reachedUpstream, waiters } = flight
  const callers = waiters.size
  if (reachedUpstream && before === undefined) {
    engine.observer.measures.lookupCallers.record(callers)
  }
  engine.flights.complete(flight, outcome, answerOne, settling)
  if (reachedUpstream && before === undefined) callersAnswered(engine, flight, callers)
}

const answer = (engine: Engine, flight: Flight, waiter: Waiter, outcome: Outcome): void => {
  if (outcome._tag === "Value") value(engine, flight, waiter, outcome)
  else failure(engine, flight, waiter, outcome)
}

type Value = Extract<Outcome, { readonly _tag: "Value" }>

const value = (engine: Engine, flight: Flight, waiter: Waiter, outcome: Value): void => {
  const { newerKnown, result } = outcome
  // Law 7: a mark that fell between the lookup's begin and this caller's arrival covers the result,
  // so the caller needs a newer one. Its `maxAge` needs no check: `join` has raised the flight's
  // `notBefore`, so the flight adopts nothing older.
  const { tags } = result.entry
  const action = decideNext(engine, flight.k, {
    trigger: "succeeded",
    newerKnown: newerKnown === undefined ? "none" : isFresh(newerKnown) ? "fresh" : "stale",
    allowStale: waiter.demand.allowStale,
    isRetry: waiter.isRetry,
    overtaken: engine.marks.fellBetween(tags, flight.asOf, waiter.arrivedMark),
    // Race: the flight asked the arbiter before a change, and this caller joined it after the change.
    unconfirmed: !isConfirmed(result, waiter.demand),
  })
  if (action._tag === "Retry") return waiter.rejoin()
  const isNewer = action._tag === "ServeNewer" && newerKnown !== undefined
  const given = isNewer ? newerKnown : result
  if (isFresh(given)) return giveFresh(engine, flight, waiter, given)
  // A result that has turned stale while it is on the way to the tiers is as good as one in memory.
  giveStale(engine, flight, waiter, given, isNewer ? "failed" : "revalidating")
}

const isFresh = ({ freshness }: Candidate): boolean => freshness._tag === "Fresh"

type Failure = Extract<Outcome, { readonly _tag: "Failure" }>

const failure = (engine: Engine, flight: Flight, waiter: Waiter, outcome: Failure): void => {
  // A flight of `refresh` reads no tier. A caller that joined it may still get a tier's stale entry.
  const tiersUnread =
    flight.force &&
    waiter.demand.allowStale &&
    engine.stack.farther.length > 0 &&
    flight.beside !== "nothingFresh"
  const isOwn = waiter.many || !outcome.notReturned
  // A flight that was held back: all its callers have a stale value. To ask again would find the same
  // failure at once, again and again until it is forgotten.
  const isHeldBack = outcome.isRemembered === true && bestCandidate(engine, flight) !== undefined
  const graceDenied = isOwn && outcome.graceDenied
  const situation = { isAnswer: isOwn || isHeldBack, tiersUnread }
  failWith(engine, flight, waiter, { ...outcome, graceDenied }, situation)
}

type Failed = Pick<Failure, "exit" | "graceDenied" | "isRemembered" | "reason">

/** Fails a waiter, unless a stale value or a retry is possible. */
const failWith = (
  engine: Engine,
  flight: Flight,
  waiter: Waiter,
  { exit, graceDenied, isRemembered, reason }: Failed,
  situation: Pick<Decision.Failed, "isAnswer" | "tiersUnread">,
): void => {
  const { known, ...look } = lookFor(engine, flight, waiter)
  const action = decideNext(engine, flight.k, {
    trigger: "failed",
    ...look,
    ...situation,
    graceDenied,
  })
  if (carryOut(engine, flight, waiter, known, action, staleReasonOf(reason))) return
  if (action._tag === "Retry") return waiter.rejoin()
  const why = isRemembered === true ? "remembered" : reason
  answers.failed(engine.observer, flight.k, why, waited(engine, waiter))
  waiter.fail(exit)
}
