/**
 * What flights do between their begin and their end where there are tiers behind
 * memory: read them, nearest first; ask upstream for what no tier has; and, when the
 * callers have been answered, settle.
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import { Budget } from "../tier/budget.ts"
import { considerQueued } from "./adopt.ts"
import { failed } from "./lookupResult.ts"
import { lookUpMissing } from "./lookUpMissing.ts"
import { answered, readTiers, walkWith } from "./readTiers.ts"
import { cancelTogether } from "./sharedCancel.ts"
import { complete } from "./waiters.ts"

/** Starts flights that have begun. */
export const loadThroughTiers = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  span: CallerSpan,
): void => {
  if (flights.length === 1 && isPlain(engine, flights[0])) loadOne(engine, flights[0], span)
  else goOn(engine, flights, loadAll(engine, flights, span))
}

/** The rest of what flights do, in a fiber of theirs. */
const goOn = (
  engine: Engine,
  flights: Arr.NonEmptyReadonlyArray<Flight>,
  loading: Effect.Effect<void>,
): void => {
  let cancel = () => {}
  // Before it starts: it may part the flights at once, and each then cancels itself as well.
  cancelTogether(flights, () => cancel())
  const guarded = Effect.catchCause(loading, (cause) =>
    Effect.sync(() => brokenBy(engine, flights, cause)),
  )
  const fiber = engine.fibers.fork(guarded)
  cancel = () => fiber.interruptUnsafe()
}

/** Nobody may wait for ever because of a defect in here or in a tier. */
const brokenBy = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  cause: Cause.Cause<never>,
): void => {
  for (const flight of flights) {
    complete(engine, flight, failed(engine, flight, cause, false).outcome)
  }
}

/** Whether the nearest tier can be asked before anything else is done. */
const isPlain = (engine: Engine, flight: Flight): boolean =>
  !flight.force && engine.writes.size === 0 && engine.missed.isEmpty

/** One key: where the nearest tier has it, no fiber is needed but the tier's own. */
const loadOne = (engine: Engine, flight: Flight, span: CallerSpan): void => {
  const walk = walkWith(new Budget(engine.settings.policy.tierBudget))
  const tier = engine.stack.farther[0]!
  const rest = () =>
    Effect.flatMap(readTiers(engine, [flight], walk, 1), () =>
      lookUpMissing(engine, [flight], walk.budget, span),
    )
  let isGivenUp = false
  const step = tier.readOne(flight.k, walk.budget, (found) => {
    // Whoever gave the flight up, or closed the larder, has ended it.
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
  const fromTiers = Effect.flatMap(readTiers(engine, flights, walk), () =>
    lookUpMissing(engine, flights, walk.budget, span),
  )
  if (engine.writes.size === 0) return fromTiers
  const queued = flights.map((flight) => considerQueued(engine, flight))
  const fromQueue = Effect.all(queued, { discard: true, concurrency: "unbounded" })
  return Effect.andThen(fromQueue, fromTiers)
}
