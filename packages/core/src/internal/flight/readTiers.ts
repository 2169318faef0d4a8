/** Reads the tiers behind memory for the keys of flights, nearest first. */
import * as Effect from "effect/Effect"
import { isBelieved } from "../recover/believed.ts"
import { recover } from "../recover/replay.ts"
import { countsOfTier } from "../observe/counters.ts"
import type { TierReadResult } from "../observe/labels.ts"
import type { CallerSpan, Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { TierRead } from "../tier/tierRead.ts"
import { Budget } from "../tier/budget.ts"
import { consider } from "./adopt.ts"
import { confirmCopies, isCopyConfirmable } from "./confirmCopies.ts"
import { tellSlowStep } from "../state/spanEvents.ts"

/** One walk through the tiers. */
export interface Walk {
  readonly budget: Budget
  /** The span of the caller. */
  readonly span: CallerSpan
  /** Also reads for flights that take no answer from tiers. */
  readonly asksForAll: boolean
  /** A tier has a usable entry. */
  hasEntry: boolean
  /** A tier that was asked has not answered. */
  lacksAnswer: boolean
}

export const walkWith = (budget: Budget, span: CallerSpan, asksForAll = false): Walk => ({
  budget,
  span,
  asksForAll,
  hasEntry: false,
  lacksAnswer: false,
})

/** Whether a flight of `refresh` skips the tiers. Not with `revision`: tiers may have a newer value than upstream. */
const skipsTiers = ({ settings }: Engine, { force }: Flight, { asksForAll }: Walk): boolean =>
  force && !asksForAll && settings.revision === undefined

/** Reads from the tier at `place` on. Not a generator, since this is the path of every tier hit. */
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

/** Replays missed changes to the arbiter, since its entries may be older than these changes. */
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

/** Reads one tier for the flights that still have no outcome. */
const readTier = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  tier: FartherTier,
  walk: Walk,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const arbitrates = tier === engine.stack.arbiter
    const asking: Array<Flight> = []
    const confirming: Array<Flight> = []
    for (const flight of flights) {
      if (skipsTiers(engine, flight, walk)) flight.arbiterAnswers = isBelieved(engine, flight.k)
      else if (!flight.isWanted) continue
      else if (arbitrates && !isBelieved(engine, flight.k)) walk.lacksAnswer = true
      else if (arbitrates && isCopyConfirmable(engine, flight)) confirming.push(flight)
      else asking.push(flight)
    }
    const read = readFor(engine, asking, tier, walk)
    if (confirming.length === 0) return read
    // Both at once, so each needs a budget of its own.
    const budget = new Budget(walk.budget.whole, walk.budget.left)
    const confirmed = confirmOrRead(engine, confirming, tier, walk, budget)
    const both = Effect.all([read, confirmed], { discard: true, concurrency: "unbounded" })
    return Effect.map(both, () => {
      walk.budget.left = Math.min(walk.budget.left, budget.left)
    })
  })

const readFor = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  tier: FartherTier,
  walk: Walk,
  budget = walk.budget,
): Effect.Effect<void> => {
  if (flights.length === 0) return Effect.void
  const keys = flights.map(({ k }) => k)
  const began = walk.span === undefined ? 0 : engine.stopwatch()
  return Effect.flatMap(tier.read(keys, budget), (found) => {
    if (walk.span !== undefined) {
      tellSlowStep(engine, walk.span, tier, "read", engine.stopwatch() - began)
    }
    return engine.turns.each(flights, (flight, i) => {
      answered(engine, flight, tier, found[i], walk)
    })
  })
}

const resultOf = (engine: Engine, found: TierRead | undefined): TierReadResult => {
  if (found === undefined) return "noAnswer"
  if (found._tag === "Foreign") return "foreign"
  if (found._tag === "Nothing") return found.isUndecodable === true ? "undecodable" : "nothing"
  switch (engine.entries.judge(found.entry, engine.now())._tag) {
    case "Fresh":
      return "fresh"
    case "Stale":
      return "stale"
    case "Missing":
      return "nothing"
  }
}

/** Reads the arbiter's values only where its versions do not confirm the entries of nearer tiers. */
const confirmOrRead = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  arbiter: FartherTier,
  walk: Walk,
  budget: Budget,
): Effect.Effect<void> =>
  Effect.flatMap(confirmCopies(engine, arbiter, flights, budget), (left) =>
    readFor(engine, left, arbiter, walk, budget),
  )

/** Handles, and counts, a tier's answer for one key; undefined where the tier has not answered. */
export const answered = (
  engine: Engine,
  flight: Flight,
  tier: FartherTier,
  found: TierRead | undefined,
  walk: Walk,
): void => {
  countsOfTier(engine.observer.counters, tier.name).reads[resultOf(engine, found)] += 1
  if (found === undefined) {
    walk.lacksAnswer = true
    return
  }
  flight.arbiterAnswers ||= tier === engine.stack.arbiter
  const hasEntry = consider(engine, flight, tier, found)
  walk.hasEntry ||= hasEntry
}
