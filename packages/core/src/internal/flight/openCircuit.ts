/** Completes flights without a lookup while a circuit breaker of upstream is open. */
import * as Cause from "effect/Cause"
import { failed } from "./lookupResult.ts"
import { type Circuit, circuitOf } from "../upstream/circuit.ts"
import * as Decision from "../../Decision.ts"
import type { Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import { allHaveStale } from "../state/lookupDemand.ts"
import { complete } from "./waiters.ts"

const circuitsOf = ({ settings }: Engine): ReadonlyArray<Circuit> =>
  settings.upstream.breakers.flatMap((breaker) => circuitOf(breaker) ?? [])

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
  complete(engine, flight, failed(engine, flight, Cause.fail(refusal), false).outcome)
  return true
}

const firstRefusal = (engine: Engine): unknown => {
  for (const circuit of circuitsOf(engine)) {
    const refusal = circuit.refusal()
    if (refusal !== undefined) return refusal
  }
  return undefined
}

/** Whether all circuits are closed, as far as this process knows. */
export const areCircuitsClosed = (engine: Engine): boolean =>
  circuitsOf(engine).every(({ isClosed }) => isClosed)

/**
 * Reserves the place of the probe for a lookup before it requests its lease, so that later
 * flights do not request leases. Returns a function that gives the place up.
 */
export const approachCircuits = (engine: Engine): (() => void) => {
  const leave = circuitsOf(engine).map((circuit) => circuit.approach())
  return () => {
    for (const each of leave) each()
  }
}
