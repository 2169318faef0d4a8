/** Tier reads for callers that join a lookup which takes no answer from tiers. */
import * as Effect from "effect/Effect"
import type { Engine } from "../state/engine.ts"
import type { Flight, Waiter } from "../state/flight.ts"
import { Budget } from "../tier/budget.ts"
import { considerQueued } from "./adopt.ts"
import { readTiers, walkWith } from "./readTiers.ts"

/**
 * Reads the farther tiers for a caller that joined a lookup which takes no answer from them: one of
 * `refresh`, or of a caller with a stricter `maxAge`. The caller gets what it would get without
 * that lookup. The lookup continues.
 */
export const readBeside = (engine: Engine, flight: Flight, waiter: Waiter): void => {
  const takesNothing = flight.force || flight.notBefore > waiter.demand.notBefore
  const { farther, hasMemory } = engine.stack
  if (!takesNothing || farther.length === 0) return
  // With a memory tier, one read without a fresh entry is enough for one lookup.
  const isKnown = flight.beside === "nothingFresh" && hasMemory
  if (flight.beside === "running" || isKnown || !flight.waiters.has(waiter)) return
  flight.beside = "running"
  if (waiter.demand.confirmedAfter > -Infinity) {
    // A checked read is judged by marks as of its call, or later.
    engine.stack.arbiter?.marks.reading?.mayHaveMissed()
  }
  const walk = walkWith(new Budget(engine.settings.policy.tierBudget), undefined, true)
  const reading = Effect.andThen(considerQueued(engine, flight), readTiers(engine, [flight], walk))
  const done = Effect.sync(() => {
    // The entry that an earlier read found was removed meanwhile, perhaps by another node.
    const isGone = !walk.hasEntry && !walk.lacksAnswer && flight.stale?.tier !== engine.nearName
    if (isGone) flight.stale = undefined
    const isFresh = flight.stale?.freshness._tag === "Fresh"
    flight.beside = isFresh ? "fresh" : "nothingFresh"
  })
  engine.fibers.fork(Effect.ensuring(reading, done))
}
