/**
 * Confirms entries of tiers in front of the arbiter by its versions, where a gap has made them suspect:
 * the arbiter's value is read only where its version differs.
 */
import * as Effect from "effect/Effect"
import type { Engine } from "../state/engine.ts"
import type { Flight } from "../state/flight.ts"
import type { HeaderRead } from "../state/headerReads.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { Budget } from "../tier/budget.ts"
import { consider, considerConfirmed } from "./adopt.ts"
import { versionOf, waitingForTurns } from "./confirm.ts"

/** Whether the arbiter's version can spare the flight the read of its value. */
export const isCopyConfirmable = (engine: Engine, { notBefore, unconfirmed }: Flight): boolean => {
  if (unconfirmed === undefined) return false
  const { revalidateUntil, storedAt } = unconfirmed.entry
  // Fresh, or in revalidation grace.
  return engine.now() < revalidateUntil && storedAt >= notBefore
}

/** Returns the flights that must read the arbiter's value. */
export const confirmCopies = (
  engine: Engine,
  arbiter: FartherTier,
  flights: ReadonlyArray<Flight>,
  budget: Budget,
): Effect.Effect<ReadonlyArray<Flight>> => {
  const left: Array<Flight> = []
  const confirmed = waitingForTurns(engine, flights, budget, (flight) =>
    Effect.map(versionOf(engine, flight), (read) => {
      // Race: the last caller left while the version was on its way.
      if (!flight.isWanted) return
      if (read === undefined || !isAnswer(engine, arbiter, flight, read)) left.push(flight)
    }),
  )
  return Effect.as(confirmed, left)
}

/** Says whether the version answers the flight: otherwise only the arbiter's value can. */
const isAnswer = (
  engine: Engine,
  arbiter: FartherTier,
  flight: Flight,
  read: HeaderRead,
): boolean => {
  const { unconfirmed } = flight
  const { isValue, version } = read.stored
  if (isValue) {
    if (unconfirmed?.entry.version !== version) return false
    considerConfirmed(engine, flight, unconfirmed, read)
  } else {
    consider(engine, flight, arbiter, { _tag: "Nothing", version, isRemoved: version > 0 })
  }
  flight.arbiterAnswers = true
  return true
}
