/**
 * After a lookup: those who wait are answered first, then the arbiter is told,
 * then nearer tiers keep what it accepted.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Arrived } from "./lookupResult.ts"
import type { Progress } from "./adopt.ts"
import type { Engine, Keeping } from "../state/engine.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import type { Flight, Landing } from "../state/flight.ts"
import { keepInMemory, superseded } from "./storeLocally.ts"
import { releaseLease } from "./lease.ts"
import { dropLater, keepNearer } from "../recover/replay.ts"
import { land } from "./waiters.ts"

export const settle = (engine: Engine, progress: Progress, { kept, landing }: Arrived): void => {
  const { flight } = progress
  if (kept === undefined || engine.isDetached(flight) || leavesNoTrace(engine, progress, kept)) {
    engine.end(flight)
    if (kept !== undefined && engine.isDetached(flight)) superseded(engine, flight)
    // It brought nothing to keep.
    releaseLease(engine, progress, restOfOthers(engine, flight, landing))
    land(engine, flight, landing)
    return
  }
  const { arbiter } = engine.stack
  if (arbiter !== undefined && progress.token !== undefined) {
    const settled = Latch.makeUnsafe()
    flight.settling = settled
    // Race: a caller is answered with the new value, and a plain hit of the next one would
    // still give the older value that memory has until the arbiter has answered.
    engine.near.forgetStamp(flight.k)
    const committing = Effect.ensuring(commit(engine, arbiter, progress, kept), settled.open)
    // Still on the board: until the arbiter has answered, those who come now get the same.
    whenAnswered(engine, committing, () => land(engine, flight, landing))
    return
  }
  keepInMemory(engine, flight, kept)
  const settled = Latch.makeUnsafe()
  flight.settling = settled
  const put = Effect.suspend(() => {
    const isUnwanted = progress.foreign || engine.isDetached(flight)
    return isUnwanted ? Effect.void : putNearer(engine, flight.k, kept, arbiter === undefined)
  })
  // Still on the board until the tiers have it: a change by those who are answered is seen,
  // and those who come get the same.
  const putting = Effect.ensuring(
    Effect.andThen(
      put,
      Effect.sync(() => engine.end(flight)),
    ),
    settled.open,
  )
  whenAnswered(engine, putting, () => land(engine, flight, landing))
}

/**
 * For how long other nodes hold back after a lookup. Not after an error that grace must not
 * hide, since they would give something stale in its place; nor after a lookup that was
 * detached: a failure from before a clear says nothing about what comes after it.
 */
const restOfOthers = (engine: Engine, flight: Flight, landing: Landing): number =>
  landing._tag === "Failure" && !landing.graceDenied && !engine.isDetached(flight)
    ? engine.settings.policy.retryAfterFailure
    : 0

/**
 * Forks an effect that begins when `answer` has been called, and is known to the
 * larder before: the first thing that those who are answered do may be to change
 * the key, or to close the larder, which then waits.
 */
const whenAnswered = (engine: Engine, effect: Effect.Effect<void>, answer: () => void): void => {
  const answered = Latch.makeUnsafe()
  engine.fork(Effect.andThen(answered.await, effect), engine.settling)
  answer()
  answered.openUnsafe()
}

/** A value without a life where there was none before. Where there was one, that one has to go. */
const leavesNoTrace = (engine: Engine, { flight, known }: Progress, { entry }: Keeping): boolean =>
  entry.staleUntil <= engine.now() && known === 0 && engine.near.peek(flight.k) === undefined

const commit = (
  engine: Engine,
  arbiter: FartherTier,
  progress: Progress,
  kept: Keeping,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { flight } = progress
    const stored = yield* commitOne(engine, arbiter, flight, kept)
    engine.endLease(flight)
    // What marks of other nodes may cover is not kept as fresh.
    const isKept = stored === "Stored" || stored === undefined
    if (engine.isDetached(flight) || !isKept) {
      superseded(engine, flight)
      engine.end(flight)
      return
    }
    keepInMemory(engine, flight, kept)
    engine.end(flight)
    if (stored === undefined) missed(engine, progress, kept)
    yield* putNearer(engine, flight.k, kept, true)
  })

/**
 * The arbiter has not answered. An older value could still be there, and is dropped later.
 * Of many keys those stay as they are of which the arbiter had no value: it has this one now,
 * or none until the lease has passed. A batch that a busy node gives up would else take away
 * what it has stored, and, with more keys than are kept, everything.
 */
const missed = (engine: Engine, { flight, isFirst }: Progress, { entry }: Keeping): void => {
  if (flight.many && isFirst) return
  dropLater(engine, flight.k, { madeAt: -Infinity, atLeast: entry.version })
}

/** What a bulk lookup brought goes to the arbiter together. */
const commitOne = (
  engine: Engine,
  arbiter: FartherTier,
  { k, many }: Flight,
  { entry }: Keeping,
): ReturnType<FartherTier["commit"]> =>
  many && arbiter.commitsMany
    ? arbiter.commitAmong(k, entry)
    : engine.commits.withPermits(1)(arbiter.commit(k, entry))

/** The tiers that do not arbitrate. */
const putNearer = (
  engine: Engine,
  k: string,
  { entry }: Keeping,
  isOrdered: boolean,
): Effect.Effect<void> =>
  Effect.forEach(
    engine.stack.farther.filter((tier) => tier !== engine.stack.arbiter),
    (tier) => keepNearer(engine, tier, k, entry, isOrdered),
    { discard: true, concurrency: "unbounded" },
  )
