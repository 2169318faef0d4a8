/** The circuit breakers of a larder's upstream, as this process sees them. */
import { type Circuit, circuitOf } from "../upstream/circuit.ts"
import type { Engine } from "../state/engine.ts"

export const circuitsOf = ({ settings }: Engine): ReadonlyArray<Circuit> =>
  settings.upstream.breakers.flatMap((breaker) => circuitOf(breaker) ?? [])

/** The error with which an open circuit would refuse a lookup now. */
export const firstRefusal = (engine: Engine): unknown => {
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
