/** Callers that join a lookup which takes no answer from tiers, and may have one. */
import * as Effect from "effect/Effect"
import type { Engine } from "../state/engine.ts"
import type { Flight, Waiter } from "../state/flight.ts"
import { Budget } from "../tier/budget.ts"
import { considerQueued } from "./adopt.ts"
import { readTiers, walkWith } from "./readTiers.ts"

/**
 * Asks the farther tiers on behalf of a caller that joined a lookup which takes no
 * answer from them: that of `refresh`, or of a caller with a `maxAge`. The caller gets
 * what it would have had if that lookup did not run; the lookup goes on.
 */
export const readBeside = (engine: Engine, flight: Flight, waiter: Waiter): void => {
  const takesNothing = flight.force || flight.notBefore > waiter.demand.notBefore
  const { farther, hasMemory } = engine.stack
  if (!takesNothing || farther.length === 0) return
  // Where memory keeps what tiers have, one answer without anything fresh is enough for a lookup.
  const isKnown = flight.beside === "nothingFresh" && hasMemory
  if (flight.beside === "running" || isKnown || !flight.waiters.has(waiter)) return
  flight.beside = "running"
  const walk = walkWith(new Budget(engine.settings.policy.tierBudget), true)
  const reading = Effect.andThen(considerQueued(engine, flight), readTiers(engine, [flight], walk))
  const done = Effect.sync(() => {
    // What an earlier read found has been removed since, perhaps by another node.
    const isGone = !walk.hasEntry && !walk.lacksAnswer && flight.stale?.tier !== engine.nearName
    if (isGone) flight.stale = undefined
    const isFresh = flight.stale?.freshness._tag === "Fresh"
    flight.beside = isFresh ? "fresh" : "nothingFresh"
  })
  engine.fibers.fork(Effect.ensuring(reading, done))
}
