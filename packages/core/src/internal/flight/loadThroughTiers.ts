/**
 * Loads flights where there are tiers behind memory: reads the tiers, nearest first, asks upstream
 * for keys that no tier has, answers the callers, and settles.
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import { Budget } from "../tier/budget.ts"
import { considerQueued } from "./adopt.ts"
import { brokenBy, guarded } from "./guarded.ts"
import { lookUpMissing } from "./lookUpMissing.ts"
import { answered, readTiers, walkWith } from "./readTiers.ts"
import { cancelTogether } from "./sharedCancel.ts"

/** Starts flights that have begun. */
export const loadThroughTiers = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
): void => {
  if (flights.length === 1 && isPlain(engine, flights[0])) loadOne(engine, flights[0], span)
  else goOn(engine, flights, loadAll(engine, flights, span))
}

/** Runs the rest of the loading in a fiber of its own. */
const goOn = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  loading: Effect.Effect<void>,
): void => {
  let cancel = () => {}
  // Set before the fiber starts: the fiber may give single flights a `cancel` of their own at once.
  cancelTogether(flights, () => cancel())
  const fiber = engine.fibers.fork(guarded(engine, flights, loading))
  cancel = () => fiber.interruptUnsafe()
}

/** Whether the nearest tier can be asked before anything else is done. */
const isPlain = (engine: Engine, flight: Flight): boolean =>
  !flight.force && engine.writes.size === 0 && engine.missed.isEmpty

/** Loads one key. A hit in the nearest tier needs no fiber but the tier's own. */
const loadOne = (engine: Engine, flight: Flight, span: CallerSpan): void => {
  const walk = walkWith(new Budget(engine.settings.policy.tierBudget))
  const tier = engine.stack.farther[0]!
  const rest = () =>
    Effect.flatMap(
      readTiers(engine, [flight], walk, 1),
      () => lookUpMissing(engine, [flight], walk.budget, span) ?? Effect.void,
    )
  let isGivenUp = false
  const step = tier.readOne(flight.k, walk.budget, (found) => {
    // The flight was abandoned, or the larder closed: it has ended already.
    if (isGivenUp || flight.outcome !== undefined) return
    try {
      if (found !== undefined) answered(engine, flight, tier, found, walk)
      if (flight.outcome === undefined) goOn(engine, [flight], rest())
    } catch (defect) {
      brokenBy(engine, [flight], Cause.die(defect))
    }
  })
  if (step === undefined || step.fiber.pollUnsafe() !== undefined) return
  engine.fibers.own(step.fiber)
  flight.cancel = () => {
    isGivenUp = true
    step.cancel()
  }
}

const loadAll = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
): Effect.Effect<void> => {
  const walk = walkWith(new Budget(engine.settings.policy.tierBudget))
  const fromTiers = Effect.flatMap(
    readTiers(engine, flights, walk),
    () => lookUpMissing(engine, flights, walk.budget, span) ?? Effect.void,
  )
  if (engine.writes.size === 0) return fromTiers
  const queued = flights.map((flight) => considerQueued(engine, flight))
  const fromQueue = Effect.all(queued, { discard: true, concurrency: "unbounded" })
  return Effect.andThen(fromQueue, fromTiers)
}
