/**
 * After a lookup: answers the waiters first, then commits at the arbiter, then stores the accepted
 * value in nearer tiers.
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
import { forCaller, step } from "../state/spanEvents.ts"
import { keepInMemory, superseded } from "./storeLocally.ts"
import { endLease, giveBack, releaseLease } from "./lease.ts"
import { suspectOnceAnswered } from "../recover/lookedUpAlone.ts"
import { dropLater } from "../recover/replay.ts"
import { keepNearer, type Known } from "../recover/nearerTiers.ts"
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

/** The version of a lookup without a lease: its place in the order of changes when it began. */
const versionWithoutLease = (engine: Engine, flight: Flight, { millis }: Answer): number => {
  const { arbiter, farther } = engine.stack
  if (farther.length === 0) return engine.versions.next()
  const highest = Math.max(flight.known, engine.versions.known(flight.k))
  return arbiter === undefined
    ? engine.versions.next(highest)
    : arbiter.placeAbove(highest, engine.stopwatch() - millis, "least")
}

const settle = (engine: Engine, flight: Flight, { kept, outcome }: Arrived): void => {
  const { arbiter, farther } = engine.stack
  const isDetached = engine.flights.isDetached(flight)
  // A success ends a remembered failure, also where the value itself is not stored.
  if (kept !== undefined && !isDetached) engine.failures.forget(flight.k)
  if (kept === undefined || isDetached || leavesNoTrace(engine, flight, kept)) {
    if (kept !== undefined && isDetached) superseded(engine, flight)
    // There is nothing to store.
    releaseLease(engine, flight, restOfOthers(engine, flight, outcome))
    complete(engine, flight, outcome)
    return
  }
  if (arbiter !== undefined && flight.lease !== undefined) {
    // Race: a caller gets the new value, and the next caller's plain hit still returns the older one in
    // memory, until the arbiter has answered.
    engine.near.forgetStamp(flight.k)
    const stored = commit(engine, arbiter, flight, flight.lease, kept)
    settleWhile(engine, flight, outcome, stored)
    return
  }
  const isProvisional = arbiter !== undefined
  keepInMemory(engine, flight, { ...kept, gapsBefore: flight.gapsBefore, isProvisional })
  if (arbiter !== undefined && !flight.arbiterAnswers) suspectOnceAnswered(engine, arbiter, flight)
  if (farther.length === 0) return complete(engine, flight, outcome)
  const put = Effect.suspend(() => {
    const isUnwanted = flight.isForeign || engine.flights.isDetached(flight)
    const known = { asOf: flight.lookedUpAt, isOrdered: arbiter === undefined }
    return isUnwanted ? Effect.void : putNearer(engine, flight.k, kept, known)
  })
  settleWhile(engine, flight, outcome, put)
}

/**
 * Answers the callers, then runs `telling`, which writes to the tiers. Until `telling` ends, later
 * callers join the flight and get the same outcome, and a change of the key finds the flight.
 *
 * Race: an answered caller closes the larder or changes the key at once. So `telling` is forked
 * before the callers get their answer, for the larder to wait for, and runs after it.
 */
const settleWhile = (
  engine: Engine,
  flight: Flight,
  outcome: Outcome,
  telling: Effect.Effect<void>,
): void => {
  const allTold = Latch.makeUnsafe()
  const answered = Latch.makeUnsafe()
  const settled = Effect.sync(() => {
    engine.flights.settled(flight)
    allTold.openUnsafe()
  })
  const told = forCaller(flight.span, telling)
  const afterwards = Effect.andThen(answered.await, Effect.ensuring(told, settled))
  engine.fibers.forkAwaited(afterwards)
  complete(engine, flight, outcome, allTold)
  answered.openUnsafe()
}

/**
 * For how long other nodes do not retry after a failed lookup, ms. 0 where `graceFor` denies grace:
 * other nodes would return a stale value in place of the error. 0 for a detached lookup: its failure
 * is from before a change or a clear. 0 for a refused lookup: another node may still reach upstream.
 */
const restOfOthers = (engine: Engine, flight: Flight, outcome: Outcome): number =>
  outcome._tag === "Failure" &&
  outcome.reason !== "breakerOpen" &&
  outcome.reason !== "shed" &&
  !outcome.graceDenied &&
  !engine.flights.isDetached(flight)
    ? engine.settings.policy.retryAfterFailure
    : 0

/** Whether a value without a life would change no tier: none has a value of the key, which it would replace. */
const leavesNoTrace = (engine: Engine, { k, known }: Flight, { entry }: EntryWithPolicy): boolean =>
  engine.stack.farther.length > 0 &&
  entry.staleUntil <= engine.now() &&
  known === 0 &&
  engine.near.peek(k) === undefined

const commit = (
  engine: Engine,
  arbiter: FartherTier,
  flight: Flight,
  { isFirst }: Lease,
  kept: EntryWithPolicy,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const gapsBefore = engine.gaps.count
    const confirmedAt = engine.moment()
    const stored = yield* commitOne(engine, arbiter, flight, kept)
    endLease(engine, flight)
    // "Unjudged": a mark of another node may cover the value, so memory does not keep it.
    const isKept = stored === "Stored" || stored === undefined
    if (engine.flights.isDetached(flight) || !isKept) {
      superseded(engine, flight)
      engine.flights.settled(flight)
      return
    }
    // Without an answer, the value is only as good as its lookup.
    const isProvisional = stored === undefined
    const known = isProvisional ? flight.gapsBefore : gapsBefore
    const own = { ...kept, gapsBefore: known, confirmedAt, isProvisional }
    keepInMemory(engine, flight, own, isProvisional ? undefined : arbiter)
    engine.flights.settled(flight)
    // Not for a first value of a bulk lookup: the arbiter has this value, or none while the lease lasts.
    // A busy node that gives up a batch would drop what it has stored, and with more than `maxKeys`
    // missed keys, mark everything.
    if (stored === undefined && !(flight.many && isFirst)) {
      dropLater(engine, flight.k, { madeAt: -Infinity, atLeast: kept.entry.version })
    }
    const asOf = isProvisional ? flight.lookedUpAt : confirmedAt
    yield* putNearer(engine, flight.k, kept, { asOf, isOrdered: true })
  })

/** Batches the commits of a bulk lookup. */
const commitOne = (
  engine: Engine,
  arbiter: FartherTier,
  { k, many }: Flight,
  { entry }: EntryWithPolicy,
): ReturnType<ArbiterWrites["commit"]> =>
  many && arbiter.writes.commitsMany
    ? step(engine, arbiter, "write", arbiter.writes.commitAmong(k, entry))
    : engine.commits.withPermits(1)(step(engine, arbiter, "write", arbiter.writes.commit(k, entry)))

/** Stores a value in the tiers that do not arbitrate. */
const putNearer = (
  engine: Engine,
  k: string,
  { entry }: EntryWithPolicy,
  known: Known,
): Effect.Effect<void> =>
  Effect.forEach(
    engine.stack.farther.filter((tier) => tier !== engine.stack.arbiter),
    (tier) => step(engine, tier, "write", keepNearer(engine, tier, k, entry, known)),
    { discard: true, concurrency: "unbounded" },
  )
