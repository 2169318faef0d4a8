/**
 * A change of one key. Callers that come later are kept from joining what is running; then
 * the arbiter decides, nearer tiers and memory follow, and the change is acknowledged.
 */
import * as Effect from "effect/Effect"
import { nextNumber } from "../../Arbitration.ts"
import * as Entry from "../../Entry.ts"
import { catchUp, dropLater } from "../recover/replay.ts"
import { dropNearer, expireNearer, keepNearer } from "../recover/nearerTiers.ts"
import type { Engine } from "../state/engine.ts"
import { begun } from "../state/generation.ts"
import type { EntryWithPolicy } from "../state/localEntries.ts"
import type { Change } from "../tier/arbiterWrites.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { type Ack, isAllHeard, refusal } from "./ack.ts"
import { type Applied, type IsNewer, applyUnlessNewer, newerIn } from "./revisedSet.ts"
import { seenThrough } from "./seenThrough.ts"

interface Planned {
  readonly key: unknown
  readonly change: Change
  /** Of the value that is set. */
  readonly kept: Omit<EntryWithPolicy, "entry"> | undefined
  /** The value is refused where an entry is newer; undefined where it replaces whatever is there. */
  readonly isNewer: IsNewer | undefined
}

export const change = (engine: Engine, k: string, planned: Planned): Effect.Effect<Ack> =>
  Effect.suspend(() => {
    const { arbiter, farther } = engine.stack
    // A value that the arbiter may refuse disturbs no lookup before it is accepted.
    const mayBeRefused = planned.isNewer !== undefined && arbiter !== undefined
    if (!mayBeRefused && !expiresSettling(engine, k, planned.change)) {
      begun(engine, k, planned.change._tag)
    }
    if (farther.length === 0) {
      const version = engine.versions.next()
      follow(engine, k, planned, version)
      return Effect.succeed({ version, settled: true, pending: [] })
    }
    // What is expired has to be there; what is replaced need not be written any more.
    const isExpiring = planned.change._tag === "Expire"
    const queued = isExpiring ? engine.writes.settled(k) : Effect.void
    return Effect.andThen(queued, seenThrough(engine, changeTiers(engine, arbiter, k, planned)))
  })

/**
 * What has been looked up and is on its way to the arbiter is expired once it is
 * there: to be kept from it would leave nothing for when upstream fails.
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
    // A value set before any mark was known would be older than all of them.
    if (arbiter !== undefined) yield* arbiter.marks.ready
    const caughtUp = catchUp(engine)
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
      engine.changes.end(k, turn)
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
    const failed = yield* changeNearer(engine, k, planned.change, version, isOrdered)
    // What began while the arbiter was being asked may have missed its answer.
    begun(engine, k, planned.change._tag)
    if (engine.changes.end(k, turn)) follow(engine, k, planned, version)
    // Another change of the key began meanwhile: which of them came last, memory cannot tell.
    else engine.near.delete(k)
    const isHeard = applied !== undefined && (yield* isAllHeard(engine, caughtUp, queuedBefore))
    const unheard = arbiter === undefined || isHeard ? [] : [arbiter.name]
    const pending = [...unheard, ...failed]
    return { version, settled: pending.length === 0, pending }
  })

/**
 * The arbiter has missed a value of the key, or it is still queued: the arbiter would expire an older
 * one, which would then be newer than what it is told later. So that one goes.
 */
const orRemoval = (engine: Engine, k: string, planned: Planned): Planned =>
  planned.change._tag === "Expire" &&
  (engine.missed.key(k) !== undefined || engine.writes.newest(k) !== undefined)
    ? { ...planned, change: { _tag: "Remove" } }
    : planned

/** The value covers the marks up to there. */
const afterMarks = (change: Change, asOf: number | undefined): Change =>
  change._tag === "Set" && asOf !== undefined
    ? { ...change, entry: { ...change.entry, asOf } }
    : change

/** A value that is over before it begins is not kept: what was there goes. */
const apply = (
  engine: Engine,
  arbiter: FartherTier,
  k: string,
  { change, isNewer }: Pick<Planned, "change" | "isNewer">,
  known: number,
): Effect.Effect<Applied | undefined> => {
  const hasNoLife = change._tag === "Set" && change.entry.staleUntil <= change.entry.storedAt
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

/**
 * The tiers that do not arbitrate; gives the names of those that did not follow.
 * A version that no arbiter gave may be below what a tier has: then that goes first.
 */
const changeNearer = (
  engine: Engine,
  k: string,
  change: Change,
  version: number,
  isOrdered: boolean,
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const failed: Array<string> = []
    for (const tier of engine.stack.farther) {
      if (tier === engine.stack.arbiter) continue
      const done = yield* changeIn(engine, tier, k, change, version, isOrdered)
      if (!done) failed.push(tier.name)
    }
    return failed
  })

const changeIn = (
  engine: Engine,
  tier: FartherTier,
  k: string,
  change: Change,
  version: number,
  isOrdered: boolean,
): Effect.Effect<boolean> => {
  const upTo = isOrdered ? version : undefined
  switch (change._tag) {
    case "Set":
      return keepNearer(engine, tier, k, { ...change.entry, version }, isOrdered)
    case "Remove":
      return dropNearer(engine, tier, k, upTo)
    case "Expire":
      return expireNearer(engine, tier, k, upTo)
  }
}

/** Memory does what was decided. */
const follow = (engine: Engine, k: string, planned: Planned, version: number): void => {
  const { change, kept, key } = planned
  const now = engine.now()
  switch (change._tag) {
    case "Set":
      if (kept !== undefined)
        engine.entries.keep(k, key, { entry: { ...change.entry, version }, ...kept }, now)
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
      // Where there is an arbiter its value may be another one: its version is not for this
      // value. But one above that of the value, since an arbiter that loses the change has the
      // value as it was, and would else give it as fresh again.
      const isArbitrated = engine.stack.arbiter !== undefined
      const above = isArbitrated ? nextNumber(0, expired.version) : version
      const entry = { ...expired, version: Math.max(above, expired.version) }
      const { policy } = held
      engine.entries.keep(k, key, { entry, policy, weight: engine.near.weightOf(slot) }, now)
    }
  }
}
