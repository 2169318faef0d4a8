/** What becomes of flights while a circuit breaker of upstream is open, before they request leases. */
import * as Cause from "effect/Cause"
import { failed } from "./lookupResult.ts"
import * as Effect from "effect/Effect"
import { approachCircuits, circuitsOf, firstRefusal } from "./circuits.ts"
import { timeout } from "./lookup.ts"
import type { Circuit } from "../upstream/circuit.ts"
import type { LiveDemand } from "../upstream/liveDemand.ts"
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
  refuse(engine, flight, refusal)
  return true
}

const refuse = (engine: Engine, flight: Flight, error: unknown): void => {
  refused(engine, flight.k, "breakerOpen")
  complete(engine, flight, failed(engine, flight, Cause.fail(error), false).outcome)
}

/**
 * Runs `leased`, which requests leases and begins the lookup, once the circuits of upstream would let
 * the lookup through. While they refuse, flights whose callers have no stale value wait for the next
 * probe without a lease; other nodes may get it. `leave` gives up the place of the probe.
 */
export const onceAdmitted = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  leased: (leave: () => void) => Effect.Effect<void>,
): Effect.Effect<void> => {
  const approached = Effect.suspend(() => leased(approachCircuits(engine)))
  if (firstRefusal(engine) === undefined) return approached
  return Effect.flatMap(waitForProbes(engine, flights), (answer) =>
    answer._tag === "Admitted"
      ? approached
      : engine.turns.each(flights, (flight) => {
          const error = answer._tag === "Late" ? timeout(engine, flight.k) : answer.error
          if (flight.isWanted) refuse(engine, flight, error)
        }),
  )
}

type Answer =
  | { readonly _tag: "Admitted" }
  | { readonly _tag: "Late" }
  | { readonly _tag: "Refused"; readonly error: unknown }

/** Waits for the next probe of each circuit that refuses now, the outermost first; at most `hardTimeout`. */
const waitForProbes = (engine: Engine, flights: ReadonlyArray<Flight>): Effect.Effect<Answer> =>
  Effect.suspend(() => {
    const began = engine.stopwatch()
    const { hardTimeout } = engine.settings.policy
    const demand = engine.demands.take(flights, began + hardTimeout, () => {})
    const waited = Effect.forEach(
      circuitsOf(engine).toReversed(),
      (circuit) => waitFor(circuit, demand),
      { discard: true },
    )
    const answered = Effect.match(waited, {
      onSuccess: (): Answer => ({ _tag: "Admitted" }),
      onFailure: (error): Answer => ({ _tag: "Refused", error }),
    })
    const late = Effect.as(engine.sleep(hardTimeout), { _tag: "Late" } as const)
    return Effect.ensuring(
      Effect.raceFirst(answered, late),
      Effect.sync(() => {
        engine.demands.giveBack(demand)
        const took = engine.stopwatch() - began
        for (const flight of flights) flight.waitedForProbe = took
      }),
    )
  })

/** A retry around a circuit decides itself what to do about refusals. */
const waitFor = (circuit: Circuit, demand: LiveDemand) =>
  Effect.suspend(() => {
    const refusal = circuit.isRetried ? undefined : circuit.refusal()
    return refusal === undefined ? Effect.void : circuit.wait(demand, refusal)
  })
