/**
 * After a lookup: those who wait are answered first, then the arbiter is told,
 * then nearer tiers keep what it accepted.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Entry } from "../../Entry.ts"
import { arrive, type Arrived } from "./lookupResult.ts"
import type { Answer } from "./lookup.ts"
import type { Engine } from "../state/engine.ts"
import type { EntryWithPolicy } from "../state/localEntries.ts"
import type { ArbiterWrites } from "../tier/arbiterWrites.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { Flight, Lease, Outcome } from "../state/flight.ts"
import { keepInMemory, superseded } from "./storeLocally.ts"
import { endLease, giveBack, releaseLease } from "./lease.ts"
import { dropLater } from "../recover/replay.ts"
import { keepNearer } from "../recover/nearerTiers.ts"
import { complete } from "./waiters.ts"

/** Upstream has answered. */
export const arrived = (
  engine: Engine,
  flight: Flight,
  answer: Answer,
  previous: Entry<unknown> | undefined,
): void => {
  flight.lease?.stopRenewal()
  if (!flight.isWanted) return giveBack(engine, flight)
  const version = flight.lease?.token ?? versionWithoutLease(engine, flight, answer)
  settle(engine, flight, arrive(engine, flight, answer, previous, version))
}

/** A lookup takes its version when it begins, also where no arbiter gives it one. */
const versionWithoutLease = (engine: Engine, flight: Flight, { millis }: Answer): number => {
  const { arbiter, farther } = engine.stack
  if (farther.length === 0) return engine.versions.next()
  const highest = Math.max(flight.known, engine.versions.known(flight.k))
  return arbiter === undefined
    ? engine.versions.next(highest)
    : arbiter.placeAbove(highest, engine.stopwatch() - millis, "least")
}

const settle = (engine: Engine, flight: Flight, { kept, outcome }: Arrived): void => {
  const isDetached = engine.flights.isDetached(flight)
  if (kept === undefined || isDetached || leavesNoTrace(engine, flight, kept)) {
    if (kept !== undefined && isDetached) superseded(engine, flight)
    // It brought nothing to keep.
    releaseLease(engine, flight, restOfOthers(engine, flight, outcome))
    complete(engine, flight, outcome)
    return
  }
  const { arbiter, farther } = engine.stack
  if (arbiter !== undefined && flight.lease !== undefined) {
    // Race: a caller is answered with the new value, and a plain hit of the next one would
    // still give the older value that memory has until the arbiter has answered.
    engine.near.forgetStamp(flight.k)
    settleWhile(engine, flight, outcome, commit(engine, arbiter, flight, flight.lease, kept))
    return
  }
  keepInMemory(engine, flight, kept)
  if (farther.length === 0) return complete(engine, flight, outcome)
  const put = Effect.suspend(() => {
    const isUnwanted = flight.isForeign || engine.flights.isDetached(flight)
    return isUnwanted ? Effect.void : putNearer(engine, flight.k, kept, arbiter === undefined)
  })
  settleWhile(engine, flight, outcome, Effect.andThen(put, settled(engine, flight)))
}

const settled = (engine: Engine, flight: Flight): Effect.Effect<void> =>
  Effect.sync(() => engine.flights.settled(flight))

/**
 * Answers the callers while tiers are told. Until then callers that come join the flight,
 * and get the same; and a change by those who are answered finds it.
 *
 * The effect begins when the callers have been answered, and is known to the larder
 * before: the first thing that they do may be to change the key, or to close the larder,
 * which then waits.
 */
const settleWhile = (
  engine: Engine,
  flight: Flight,
  outcome: Outcome,
  telling: Effect.Effect<void>,
): void => {
  const told = Latch.makeUnsafe()
  const answered = Latch.makeUnsafe()
  const afterwards = Effect.andThen(answered.await, Effect.ensuring(telling, told.open))
  engine.fibers.forkAwaited(afterwards)
  complete(engine, flight, outcome, told)
  answered.openUnsafe()
}

/**
 * For how long other nodes hold back after a lookup. Not after an error that grace must not
 * hide, since they would give something stale in its place; nor after a lookup that was
 * detached: a failure from before a clear says nothing about what comes after it.
 */
const restOfOthers = (engine: Engine, flight: Flight, outcome: Outcome): number =>
  outcome._tag === "Failure" && !outcome.graceDenied && !engine.flights.isDetached(flight)
    ? engine.settings.policy.retryAfterFailure
    : 0

/** A value without a life where there was none before. Where there was one, that one has to go. */
const leavesNoTrace = (engine: Engine, { k, known }: Flight, { entry }: EntryWithPolicy): boolean =>
  entry.staleUntil <= engine.now() && known === 0 && engine.near.peek(k) === undefined

const commit = (
  engine: Engine,
  arbiter: FartherTier,
  flight: Flight,
  { isFirst }: Lease,
  kept: EntryWithPolicy,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const stored = yield* commitOne(engine, arbiter, flight, kept)
    endLease(engine, flight)
    // What marks of other nodes may cover is not kept as fresh.
    const isKept = stored === "Stored" || stored === undefined
    if (engine.flights.isDetached(flight) || !isKept) {
      superseded(engine, flight)
      engine.flights.settled(flight)
      return
    }
    keepInMemory(engine, flight, kept)
    engine.flights.settled(flight)
    // A batch that a busy node gives up would else take away what it has stored, and, with
    // more keys than are kept, everything: the arbiter has this value, or none until the lease has passed.
    if (stored === undefined && !(flight.many && isFirst)) {
      dropLater(engine, flight.k, { madeAt: -Infinity, atLeast: kept.entry.version })
    }
    yield* putNearer(engine, flight.k, kept, true)
  })

/** What a bulk lookup brought goes to the arbiter together. */
const commitOne = (
  engine: Engine,
  arbiter: FartherTier,
  { k, many }: Flight,
  { entry }: EntryWithPolicy,
): ReturnType<ArbiterWrites["commit"]> =>
  many && arbiter.writes.commitsMany
    ? arbiter.writes.commitAmong(k, entry)
    : engine.commits.withPermits(1)(arbiter.writes.commit(k, entry))

/** The tiers that do not arbitrate. */
const putNearer = (
  engine: Engine,
  k: string,
  { entry }: EntryWithPolicy,
  isOrdered: boolean,
): Effect.Effect<void> =>
  Effect.forEach(
    engine.stack.farther.filter((tier) => tier !== engine.stack.arbiter),
    (tier) => keepNearer(engine, tier, k, entry, isOrdered),
    { discard: true, concurrency: "unbounded" },
  )
