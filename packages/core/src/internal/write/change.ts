/**
 * A change of one key. Detaches the active flight, so that later callers do not join it. Then the
 * arbiter decides, nearer tiers and memory follow, and the caller gets an `Ack`.
 */
import * as Effect from "effect/Effect"
import { catchUp, dropLater } from "../recover/replay.ts"
import type { Engine } from "../state/engine.ts"
import { begun } from "../state/generation.ts"
import type { Change } from "../tier/arbiterWrites.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { type Ack, isAllHeard, refusal } from "./ack.ts"
import { type Applying, changeMemory, followed, leavesNothing } from "./follow.ts"
import { type Applied, type IsNewer, applyUnlessNewer, newerIn } from "./revisedSet.ts"
import { seenThrough } from "./seenThrough.ts"

interface Planned extends Applying {
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
      changeMemory(engine, k, planned, { version, gapsBefore: engine.gaps.count })
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
    const placed = { version, isOrdered, gapsBefore, madeAt, turn }
    const failed = yield* followed(engine, k, planned, placed, applied)
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
