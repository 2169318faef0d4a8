/** The circuit breakers of a larder's upstream, as this process sees them. */
import * as Effect from "effect/Effect"
import type { UpstreamBreaker } from "../../Upstream.ts"
import type { CircuitTimes } from "../observe/circuits.ts"
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

/**
 * Follows the state of a circuit whose store other processes change as well: it may be open before this
 * process has called upstream once, and no transition tells of that. The store is asked once, in the
 * background; later each lookup tells what it met.
 */
export const watchSharedState = (
  { fibers }: Engine,
  breaker: UpstreamBreaker,
  times: CircuitTimes,
): void => {
  const circuit = circuitOf(breaker)
  if (circuit?.isOwn === true) return
  if (circuit !== undefined) circuit.onSeen = (state) => times.moved(state)
  fibers.fork(Effect.map(breaker.state, ({ _tag }) => times.begins(_tag)))
}
