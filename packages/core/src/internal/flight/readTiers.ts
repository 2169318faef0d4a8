/** Asking the tiers behind memory for the keys of flights, nearest first. */
import * as Effect from "effect/Effect"
import { isBelieved } from "../recover/believed.ts"
import { recover } from "../recover/replay.ts"
import type { Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { TierRead } from "../tier/tierRead.ts"
import type { Budget } from "../tier/budget.ts"
import { consider } from "./adopt.ts"

/** One walk through the tiers. */
export interface Walk {
  readonly budget: Budget
  /** Whether flights that take no answer from tiers are asked for all the same. */
  readonly asksForAll: boolean
  /** A tier has an entry that can be used. */
  hasEntry: boolean
  /** A tier that was asked has not answered. */
  lacksAnswer: boolean
}

export const walkWith = (budget: Budget, asksForAll = false): Walk => ({
  budget,
  asksForAll,
  hasEntry: false,
  lacksAnswer: false,
})

/** What is known elsewhere may be newer by the source's own version than what a refresh brings. */
const skipsTiers = ({ settings }: Engine, { force }: Flight, { asksForAll }: Walk): boolean =>
  force && !asksForAll && settings.revision === undefined

/** From the tier at `place` on. Not a generator: what a tier has is answered here. */
export const readTiers = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  walk: Walk,
  place = 0,
): Effect.Effect<void> => {
  const tier = engine.stack.farther[place]
  if (tier === undefined) return Effect.void
  const read = readTier(engine, flights, tier, walk)
  const mayBeBehind = tier === engine.stack.arbiter && !engine.missed.isEmpty
  const believed = mayBeBehind ? Effect.andThen(recoverFor(engine, flights, walk), read) : read
  return Effect.flatMap(believed, () => readTiers(engine, flights, walk, place + 1))
}

/** What the arbiter missed has to reach it before anything that may be older can be believed. */
const recoverFor = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  { budget }: Walk,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const wanted = flights.filter(({ isWanted }) => isWanted)
    const keys = wanted.map(({ k }) => k)
    return recover(engine, budget, keys)
  })

/** Asks for those that still have no outcome. */
const readTier = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  tier: FartherTier,
  walk: Walk,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const arbitrates = tier === engine.stack.arbiter
    const asking: Array<Flight> = []
    for (const flight of flights) {
      if (skipsTiers(engine, flight, walk)) flight.arbiterAnswers = isBelieved(engine, flight.k)
      else if (!flight.isWanted) continue
      else if (arbitrates && !isBelieved(engine, flight.k)) walk.lacksAnswer = true
      else asking.push(flight)
    }
    if (asking.length === 0) return Effect.void
    const keys = asking.map(({ k }) => k)
    return Effect.flatMap(tier.read(keys, walk.budget), (found) =>
      engine.turns.each(asking, (flight, i) => {
        const there = found[i]
        if (there === undefined) walk.lacksAnswer = true
        else answered(engine, flight, tier, there, walk)
      }),
    )
  })

/** A tier has answered for a key. */
export const answered = (
  engine: Engine,
  flight: Flight,
  tier: FartherTier,
  found: TierRead,
  walk: Walk,
): void => {
  flight.arbiterAnswers ||= tier === engine.stack.arbiter
  const hasEntry = consider(engine, flight, tier, found)
  walk.hasEntry ||= hasEntry
}
