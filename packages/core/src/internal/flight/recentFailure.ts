/** Completes flights without a lookup because of a recent failure. */
import * as Exit from "effect/Exit"
import * as Decision from "../../Decision.ts"
import type { Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import { allHaveStale } from "../state/lookupDemand.ts"
import { complete } from "./waiters.ts"

/**
 * Completes the flight with a recent failure of this node, and returns true. Callers get the stale
 * value of a farther tier in place of the failure, or, without one, the remembered failure.
 */
export const completeWithOwnFailure = (engine: Engine, flight: Flight): boolean => {
  const now = engine.now()
  const failure = engine.failures.at(flight.k, now)
  if (failure === undefined) return false
  const { graceDenied, notReturned, reason } = failure
  const answer = Decision.beforeLookup({
    force: flight.force,
    failureKnown: now < failure.rememberUntil && (!notReturned || flight.many),
    throttled: now < Math.max(failure.retryAt, failure.rememberUntil),
    circuitOpen: false,
    allHaveStale: allHaveStale(engine, flight),
  })
  if (answer === "ask") return false
  const exit: Exit.Exit<never, unknown> = Exit.isFailure(failure.exit)
    ? Exit.failCause(failure.exit.cause)
    : Exit.die(new Error("held back"))
  const remembered = { exit, reason, isRemembered: true, graceDenied, notReturned } as const
  complete(engine, flight, { _tag: "Failure", ...remembered })
  return true
}

const failedElsewhere = { reason: "failed", graceDenied: false, notReturned: false } as const

/** Another node's lookup has just failed: completes the flight where every caller can get a stale value. */
export const completeWithOthersFailure = (
  engine: Engine,
  flight: Flight,
  leftMillis: number,
): boolean => {
  const answer = Decision.beforeLookup({
    force: flight.force,
    failureKnown: false,
    throttled: true,
    circuitOpen: false,
    allHaveStale: allHaveStale(engine, flight),
  })
  if (answer === "ask") return false
  const exit = Exit.die(new Error("another node's lookup failed"))
  if (!engine.flights.isDetached(flight)) {
    const retryAt = engine.now() + leftMillis
    const times = { retryAt, rememberUntil: 0, deniedUntil: 0 }
    engine.failures.set(flight.k, { ...failedElsewhere, ...times, exit, quiet: undefined })
  }
  complete(engine, flight, { _tag: "Failure", exit, ...failedElsewhere })
  return true
}
