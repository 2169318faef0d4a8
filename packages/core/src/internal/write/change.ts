/**
 * A change of one key. Detaches the active flight, so that later callers do not join it. Then the
 * arbiter decides, nearer tiers and memory follow, and the caller gets an `Ack`.
 */
import * as Effect from "effect/Effect"
import { nextNumber } from "../../Arbitration.ts"
import * as Entry from "../../Entry.ts"
import { catchUp, dropLater } from "../recover/replay.ts"
import { dropNearer, expireNearer, keepNearer, type Known } from "../recover/nearerTiers.ts"
import type { Engine } from "../state/engine.ts"
import { begun } from "../state/generation.ts"
import type { Turn } from "../state/keyTurns.ts"
import type { EntryWithPolicy } from "../state/localEntries.ts"
import type { Change } from "../tier/arbiterWrites.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { type Ack, isAllHeard, refusal } from "./ack.ts"
import { type Applied, type IsNewer, applyUnlessNewer, newerIn } from "./revisedSet.ts"
import { seenThrough } from "./seenThrough.ts"

interface Planned {
  readonly key: unknown
  readonly change: Change
  /** Policy and weight of the value that is set. */
  readonly kept: Omit<EntryWithPolicy, "entry"> | undefined
  /** Refuses the value where an entry is newer; undefined where the value replaces any entry. */
  readonly isNewer: IsNewer | undefined
}

export const change = (engine: Engine, k: string, planned: Planned): Effect.Effect<Ack> =>
  Effect.suspend(() => {
    const { arbiter, farther } = engine.stack
    // A value that the arbiter may refuse detaches no lookup before the arbiter accepts it.
    const mayBeRefused = planned.isNewer !== undefined && arbiter !== undefined
    if (!mayBeRefused && !expiresSettling(engine, k, planned.change)) {
      begun(engine, k, planned.change._tag)
    }
    if (farther.length === 0) {
      const version = engine.versions.next()
      follow(engine, k, planned, { version, gapsBefore: engine.gaps.count })
      engine.outbox.changed(k, leavesNothing(planned.change))
      return Effect.succeed({ version, settled: true, pending: [] })
    }
    // `expire` waits until queued writes have reached the tiers; `set` and `remove` replace them.
    const isExpiring = planned.change._tag === "Expire"
    const queued = isExpiring ? engine.writes.settled(k) : Effect.void
    return Effect.andThen(queued, seenThrough(engine, changeTiers(engine, arbiter, k, planned)))
  })

/**
 * Whether `expire` waits for a value that is on the way from a lookup to the arbiter. Detaching
 * that flight instead would leave nothing to return when upstream fails.
 */
const expiresSettling = (engine: Engine, k: string, { _tag }: Change): boolean =>
  _tag === "Expire" && engine.flights.at(k)?.settling !== undefined

const changeTiers = (
  engine: Engine,
  arbiter: FartherTier | undefined,
  k: string,
  given: Planned,
): Effect.Effect<Ack> =>
  Effect.gen(function* () {
    const turn = engine.changes.take(k)
    const settling = engine.flights.at(k)?.settling
    if (settling !== undefined && given.change._tag === "Expire") {
      yield* settling.await
      begun(engine, k, given.change._tag)
    }
    // A value set before this node knows any mark would count as older than all marks.
    if (arbiter !== undefined) yield* arbiter.marks.ready
    const caughtUp = catchUp(engine)
    const gapsBefore = engine.gaps.count
    const known = engine.versions.known(k)
    const madeAt = engine.stopwatch()
    const own = arbiter?.placeAbove(known, madeAt, "most") ?? engine.versions.next(known)
    const missed = engine.missed.key(k)
    const queuedBefore = engine.writes.count
    const asked = { ...given, change: afterMarks(given.change, engine.versions.asOf()) }
    const answer =
      arbiter === undefined
        ? undefined
        : yield* apply(engine, arbiter, k, orRemoval(engine, k, asked), known)
    if (answer?.refused === true) {
      engine.changes.end(k, turn, answer.version)
      return refusal(answer.version)
    }
    engine.writes.withdraw(k)
    const applied = answer?.version
    if (applied !== undefined) engine.missed.heardKey(k, missed)
    else if (arbiter !== undefined) {
      dropLater(engine, k, { madeAt, atLeast: own })
    }
    const planned = { ...asked, change: afterMarks(asked.change, answer?.asOf) }
    const version = applied ?? own
    const isOrdered = arbiter === undefined || applied !== undefined
    const failed = yield* changeNearer(
      engine,
      k,
      afterMessages(planned.change, version, isOrdered, turn),
      { version, isOrdered, asOf: madeAt },
    )
    // A flight that began while the arbiter was asked may have read the value from before the change.
    begun(engine, k, planned.change._tag)
    const isProvisional = !isOrdered
    const placed = { version, gapsBefore, isProvisional, confirmedAt: madeAt }
    if (engine.changes.end(k, turn, version)) follow(engine, k, planned, placed)
    // Race: another change of the key began meanwhile, here or on another node, and memory cannot tell
    // which came last.
    else engine.near.delete(k)
    // Race: a shared read of the older value is under way. Callers of `read` from now on begin another.
    engine.reads.hear(k)
    engine.outbox.changed(k, leavesNothing(planned.change), applied)
    const isHeard = applied !== undefined && (yield* isAllHeard(engine, caughtUp, queuedBefore))
    const unheard = arbiter === undefined || isHeard ? [] : [arbiter.name]
    const pending = [...unheard, ...failed]
    return { version, settled: pending.length === 0, pending }
  })

/**
 * Turns `expire` into `remove` where the arbiter missed a value of the key, or the value is still
 * queued. Otherwise the arbiter would expire an older value, under a version above the missed one.
 */
const orRemoval = (engine: Engine, k: string, planned: Planned): Planned =>
  planned.change._tag === "Expire" &&
  (engine.missed.key(k) !== undefined || engine.writes.newest(k) !== undefined)
    ? { ...planned, change: { _tag: "Remove" } }
    : planned

/** Has a value that is set cover the marks up to `asOf`. */
const afterMarks = (change: Change, asOf: number | undefined): Change =>
  change._tag === "Set" && asOf !== undefined
    ? { ...change, entry: { ...change.entry, asOf } }
    : change

/**
 * Turns a `set` into a removal for nearer tiers where a message has told of a later change. Race: the
 * message came before the arbiter's answer, so those tiers have nothing that it could outdate yet.
 */
const afterMessages = (
  change: Change,
  version: number,
  isOrdered: boolean,
  { heard }: Turn,
): Change => (change._tag === "Set" && isOrdered && heard > version ? { _tag: "Remove" } : change)

/** A removal, or a value without a life. */
const leavesNothing = (change: Change): boolean =>
  change._tag === "Remove" ||
  (change._tag === "Set" && change.entry.staleUntil <= change.entry.storedAt)

/** Applies the change at the arbiter. A value without a life becomes a removal. */
const apply = (
  engine: Engine,
  arbiter: FartherTier,
  k: string,
  { change, isNewer }: Pick<Planned, "change" | "isNewer">,
  known: number,
): Effect.Effect<Applied | undefined> => {
  const hasNoLife = change._tag === "Set" && leavesNothing(change)
  const written: Effect.Effect<Applied | undefined> = Effect.map(
    arbiter.writes.write(k, hasNoLife ? { _tag: "Remove" } : change, known),
    (done) => (typeof done === "object" ? { ...done, refused: false } : undefined),
  )
  if (change._tag !== "Set" || isNewer === undefined) return written
  if (!hasNoLife) return applyUnlessNewer(engine, arbiter, k, change.entry, known, isNewer)
  return Effect.flatMap(
    newerIn(engine, arbiter, k, isNewer),
    (newer): Effect.Effect<Applied | undefined> =>
      newer === undefined ? written : Effect.succeed({ version: newer.version, refused: true }),
  )
}

interface KnownVersion extends Known {
  readonly version: number
}

/**
 * Applies the change in the tiers that do not arbitrate; returns the names of those that failed.
 * Without `isOrdered` the version may be below the tier's: the tier drops its entry first.
 */
const changeNearer = (
  engine: Engine,
  k: string,
  change: Change,
  known: KnownVersion,
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const failed: Array<string> = []
    for (const tier of engine.stack.farther) {
      if (tier === engine.stack.arbiter) continue
      const done = yield* changeIn(engine, tier, k, change, known)
      if (!done) failed.push(tier.name)
    }
    return failed
  })

const changeIn = (
  engine: Engine,
  tier: FartherTier,
  k: string,
  change: Change,
  known: KnownVersion,
): Effect.Effect<boolean> => {
  const { isOrdered, version } = known
  const upTo = isOrdered ? version : undefined
  switch (change._tag) {
    case "Set":
      return keepNearer(engine, tier, k, { ...change.entry, version }, known)
    case "Remove":
      return dropNearer(engine, tier, k, upTo)
    case "Expire":
      return expireNearer(engine, tier, k, upTo)
  }
}

/** A change's place in the order of changes. */
interface Placed extends Pick<EntryWithPolicy, "confirmedAt" | "gapsBefore" | "isProvisional"> {
  readonly version: number
}

/** Applies the change in memory. */
const follow = (engine: Engine, k: string, planned: Planned, placed: Placed): void => {
  const { change, kept, key } = planned
  const { version, ...known } = placed
  const now = engine.now()
  switch (change._tag) {
    case "Set":
      if (kept !== undefined)
        engine.entries.keep(k, key, { entry: { ...change.entry, version }, ...known, ...kept }, now)
      return
    case "Remove":
      engine.near.delete(k)
      return
    case "Expire": {
      const slot = engine.near.find(k)
      if (slot === 0) return
      const held = engine.near.at(slot)
      const expired = Entry.expireAt(held.entry, now)
      if (expired === undefined) {
        engine.near.delete(k)
        return
      }
      // The arbiter may have expired another value, so its version is not for this one. Take the next
      // above the value's own: an arbiter that loses the change would return the value as fresh again.
      const isArbitrated = engine.stack.arbiter !== undefined
      const above = isArbitrated ? nextNumber(0, expired.version) : version
      const entry = { ...expired, version: Math.max(above, expired.version) }
      const { policy } = held
      const weight = engine.near.weightOf(slot)
      engine.entries.keep(k, key, { ...known, entry, policy, weight, isProvisional: true }, now)
    }
  }
}
