/** Completes flights without a lookup while a circuit breaker of upstream is open. */
import * as Cause from "effect/Cause"
import { failed } from "./lookupResult.ts"
import { firstRefusal } from "./circuits.ts"
import * as Decision from "../../Decision.ts"
import type { Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import { allHaveStale } from "../state/lookupDemand.ts"
import { refused } from "./refused.ts"
import { complete } from "./waiters.ts"

/** Completes the flight, and returns true, where a circuit is open and every caller can get a stale value. */
export const completeWithOpenCircuit = (engine: Engine, flight: Flight): boolean => {
  if (engine.settings.upstream.breakers.length === 0) return false
  const refusal = firstRefusal(engine)
  const answer = Decision.beforeLookup({
    force: flight.force,
    failureKnown: false,
    throttled: false,
    circuitOpen: refusal !== undefined,
    allHaveStale: allHaveStale(engine, flight),
  })
  if (answer === "ask") return false
  refused(engine, flight.k, "breakerOpen")
  complete(engine, flight, failed(engine, flight, Cause.fail(refusal), false).outcome)
  return true
}
