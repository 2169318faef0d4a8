/** Flights that end before anything is asked of anyone, because a circuit of upstream is open. */
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

/** Whether upstream is not asked for the flight: every caller gets something stale, at once. */
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

/** Whether no lookup is refused or has to be a probe, as far as this process knows. */
export const areCircuitsClosed = (engine: Engine): boolean =>
  circuitsOf(engine).every(({ isClosed }) => isClosed)

/**
 * For a lookup that may be the probe: takes that place before its lease is asked for,
 * so that the flights which come after it need not ask for theirs.
 */
export const approachCircuits = (engine: Engine): (() => void) => {
  const leave = circuitsOf(engine).map((circuit) => circuit.approach())
  return () => {
    for (const each of leave) each()
  }
}
