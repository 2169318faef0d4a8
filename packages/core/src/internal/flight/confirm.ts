/**
 * Confirms entries in memory by the arbiter's versions, where a gap has made them suspect: instead of
 * reading the values again.
 */
import * as Effect from "effect/Effect"
import { decided } from "../backplane/confirm.ts"
import { isBelieved } from "../recover/believed.ts"
import type { Engine } from "../state/engine.ts"
import { type Flight, isConfirmed } from "../state/flight.ts"
import type { HeaderRead } from "../state/headerReads.ts"
import type { MemoryCandidate } from "../state/localEntries.ts"
import type { Budget } from "../tier/budget.ts"
import { forgetOlder } from "./adopt.ts"
import { complete, offerAll } from "./waiters.ts"

/** Whether a flight waits for anything before it reads the tiers. */
export const waitsFirst = (engine: Engine, flight: Flight): boolean =>
  flight.earlier !== undefined || isConfirmable(engine, flight)

/** Whether the arbiter's version can spare the flight the read of its value. */
const isConfirmable = (engine: Engine, flight: Flight): boolean => {
  const { confirmedAfter, early, force, k, notBefore, stale } = flight
  // Each flight of a key in memory has its entry as the stale value.
  if (engine.headers === undefined || stale?.tier !== engine.nearName) return false
  if (force || early || stale.entry.storedAt < notBefore) return false
  return engine.entries.isConfirmable(k, engine.now(), confirmedAfter) && isBelieved(engine, k)
}

/** Confirms the entries of flights; ends when each has an outcome, or must be read from the tiers. */
export const confirmAll = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  budget: Budget,
): Effect.Effect<void> =>
  waitingForTurns(engine, flights, budget, (flight) => confirmOne(engine, flight))

/** Counts the trip to the arbiter for the budget, and the wait for the flights' turn for that of a lease. */
export const waitingForTurns = (
  engine: Engine,
  flights: ReadonlyArray<Flight>,
  budget: Budget,
  confirmed: (flight: Flight) => Effect.Effect<void>,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { tierTimeout } = engine.settings.policy
    const began = engine.stopwatch()
    const all = Effect.forEach(flights, confirmed, { discard: true, concurrency: "unbounded" })
    return Effect.map(all, () => {
      const took = engine.stopwatch() - began
      const trip = Math.min(took, tierTimeout)
      budget.left -= trip
      for (const flight of flights) {
        flight.waited += took - trip
        // What the flight does from here on comes after a gap that began meanwhile.
        flight.gapsBefore = engine.gaps.count
      }
    })
  })

/** The arbiter's version of a flight's key; undefined where it cannot be had in time. */
export const versionOf = (
  engine: Engine,
  { confirmedAfter, k }: Flight,
): Effect.Effect<HeaderRead | undefined> => {
  const { headers, settings, stack } = engine
  const longestWait = Math.min(stack.leaseWaitMillis, settings.policy.hardTimeout)
  const reason = confirmedAfter === -Infinity ? "suspect" : "checked"
  return headers === undefined ? Effect.undefined : headers.read(k, longestWait, reason)
}

const confirmOne = (engine: Engine, flight: Flight): Effect.Effect<void> => {
  const { earlier } = flight
  const asked = Effect.suspend(() => {
    if (!flight.isWanted || !isConfirmable(engine, flight)) return Effect.void
    return Effect.map(versionOf(engine, flight), (found) => answered(engine, flight, found))
  })
  return earlier === undefined
    ? asked
    : Effect.andThen(earlier.await, afterEarlier(engine, flight, asked))
}

/** Race: the value of an earlier flight was on its way to the arbiter. Its commit has confirmed it. */
const afterEarlier = (
  engine: Engine,
  flight: Flight,
  asked: Effect.Effect<void>,
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const local = engine.entries.candidate(flight.k, engine.now())
    const isAnswer =
      flight.isWanted &&
      local?.freshness._tag === "Fresh" &&
      local.entry.storedAt >= flight.notBefore &&
      isConfirmed(local, flight)
    if (!isAnswer) return asked
    confirmed(engine, flight, local)
    return Effect.void
  })

const answered = (engine: Engine, flight: Flight, read: HeaderRead | undefined): void => {
  const { k } = flight
  if (read === undefined || !flight.isWanted || !isConfirmable(engine, flight)) return
  switch (decided(engine, k, read)) {
    case "confirm":
      return confirmed(engine, flight, engine.entries.confirm(k, read, engine.now()))
    case "drop":
      return forgetOlder(engine, flight, read.stored.version)
    case "read":
  }
}

/** Gives the confirmed entry to the callers: as fresh, or in revalidate grace while the flight continues. */
const confirmed = (engine: Engine, flight: Flight, local: MemoryCandidate | undefined): void => {
  if (local?.freshness._tag === "Fresh") {
    engine.failures.forget(flight.k)
    complete(engine, flight, { _tag: "Value", result: local, newerKnown: undefined })
  } else if (local?.freshness._tag === "Stale") offerAll(engine, flight, local)
}
