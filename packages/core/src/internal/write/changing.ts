/**
 * What callers do to keys: set, expire, remove; and to many at once: tags,
 * clear. First those who come later are kept from joining what is running, then
 * the arbiter decides, then nearer tiers follow, then it is acknowledged.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { nextNumber } from "../../Arbitration.ts"
import * as Entry from "../../Entry.ts"
import type { Policy } from "../../Policy.ts"
import { entryTimes } from "../flight/lookupResult.ts"
import { checkedPolicy } from "../policy/checkedPolicy.ts"
import type { Engine } from "../state/engine.ts"
import type { Keeping } from "../state/localEntries.ts"
import type { MemoryEntry } from "../../Tier.ts"
import type { Change, FartherTier } from "../tier/backingTier.ts"
import { LarderClosed } from "../../LarderError.ts"
import { setInBackground } from "./background.ts"
import { begun } from "../state/generation.ts"
import {
  type Applied,
  applyUnlessNewer,
  type IsNewer,
  newerIn,
  newerInMemory,
  newerNearby,
  newerThan,
} from "./revisedSet.ts"
import {
  dropLater,
  dropNearer,
  expireNearer,
  keepNearer,
  markLater,
  catchUp,
} from "../recover/replay.ts"
import { withoutInterrupts } from "../runtime/withoutInterrupts.ts"

/** What a change has come to. */
export interface Ack {
  /** Its place in the order of changes of the key; of marks, the mark's number. */
  readonly version: number
  /** The arbiter applied it, and all changes that this node made before; nearer tiers hold it. */
  readonly settled: boolean
  /** The tiers that have not heard yet of it, or of a change before it. */
  readonly pending: ReadonlyArray<string>
  /** Nothing has changed: a value of a higher `revision` is known, whose version `version` is. */
  readonly refused?: true | undefined
}

/** How a value is set. */
export interface SetOptions {
  /** The times of this value; default the larder's policy. */
  readonly policy?: Policy | undefined
  /** Sets the value even though one of a higher `revision` is known. Default false. */
  readonly force?: boolean | undefined
}

interface Planned {
  readonly key: unknown
  readonly change: Change
  /** Of the value that is set. */
  readonly kept: Omit<Keeping, "entry"> | undefined
  /** The value is refused where an entry is newer; undefined where it replaces whatever is there. */
  readonly isNewer: IsNewer | undefined
}

export const set = (
  engine: Engine,
  key: unknown,
  k: string,
  value: unknown,
  options: SetOptions = {},
): Effect.Effect<Ack> =>
  Effect.suspend(() => {
    const isNewer = options.force === true ? undefined : newerThan(engine, k, value)
    const policy =
      options.policy === undefined
        ? engine.settings.policyOf(value, key)
        : checkedPolicy(options.policy, "the policy given to set")
    const entry: Entry.Entry<unknown> = {
      value,
      ...entryTimes(engine, policy),
      loadMillis: writtenAnew(engine, k)?.entry.loadMillis ?? 0,
      version: 0,
      asOf: engine.versions.asOf(),
      tags: engine.settings.tags?.(value, key) ?? [],
      ...etagOf(engine, value, key),
    }
    const kept = { policy, weight: engine.weigh(value, k) }
    const applied = isBackground(engine, policy, entry)
      ? setInBackground(engine, k, { key, entry, ...kept })
      : change(engine, k, { key, change: { _tag: "Set", entry }, kept, isNewer })
    return isNewer === undefined ? applied : unlessNewer(engine, k, isNewer, applied)
  })

/** Changes nothing where memory, or a tier that does not arbitrate, has a newer value; the arbiter compares for itself. */
const unlessNewer = (
  engine: Engine,
  k: string,
  isNewer: IsNewer,
  applied: Effect.Effect<Ack>,
): Effect.Effect<Ack> => {
  const inMemory = newerInMemory(engine, k, isNewer)
  if (inMemory !== undefined) return Effect.succeed(refusal(inMemory.version))
  if (engine.stack.farther.length === 0) return applied
  return Effect.flatMap(newerNearby(engine, k, isNewer), (newer) =>
    newer === undefined ? applied : Effect.succeed(refusal(newer.version)),
  )
}

const refusal = (version: number): Ack => ({ version, settled: false, pending: [], refused: true })

const isBackground = (
  { stack }: Engine,
  { tierWrites }: Policy,
  { staleUntil, storedAt }: Entry.Entry<unknown>,
): boolean =>
  tierWrites === "background" &&
  stack.hasMemory &&
  stack.farther.length > 0 &&
  storedAt < staleUntil

/** What is written again is in use, as what is read is. */
const writtenAnew = (engine: Engine, k: string): MemoryEntry | undefined => {
  const slot = engine.near.find(k)
  if (slot === 0) return undefined
  engine.near.hit(slot)
  return engine.near.at(slot)
}

const etagOf = (engine: Engine, value: unknown, key: unknown) => {
  const etag = engine.settings.etag?.(value, key)
  return etag === undefined ? undefined : { etag }
}

const nothingKept = { kept: undefined, isNewer: undefined }

export const remove = (engine: Engine, key: unknown, k: string) =>
  change(engine, k, { key, change: { _tag: "Remove" }, ...nothingKept })

export const expire = (engine: Engine, key: unknown, k: string) =>
  change(engine, k, { key, change: { _tag: "Expire" }, ...nothingKept })

const change = (engine: Engine, k: string, planned: Planned): Effect.Effect<Ack> =>
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
 * What has been sent may have been applied, so it is seen to its end, whoever
 * leaves, and before the larder closes. Bounded by tierTimeout. Closing gives it
 * up after `closeTimeout`: its caller was not interrupted, and is told why.
 */
const seenThrough = <A>(engine: Engine, effect: Effect.Effect<A>): Effect.Effect<A> => {
  const closed = () => new LarderClosed({ larder: engine.settings.name })
  return Effect.uninterruptible(
    Effect.suspend(() =>
      engine.closed
        ? Effect.die(closed())
        : Effect.flatMap(Fiber.await(engine.fibers.forkAwaited(effect)), (exit) =>
            withoutInterrupts(exit, closed),
          ),
    ),
  )
}

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
    if (arbiter !== undefined) yield* arbiter.ready
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

/** Whether the arbiter, which has just answered, knows of all that this node has changed before. */
const isAllHeard = (
  engine: Engine,
  caughtUp: Effect.Effect<boolean>,
  queuedBefore: number,
): Effect.Effect<boolean> =>
  Effect.flatMap(caughtUp, (isCaughtUp) =>
    isCaughtUp ? writtenUpTo(engine, queuedBefore) : Effect.succeed(false),
  )

/** Waits for what was queued, for as long as one step in a tier may take. */
const writtenUpTo = (engine: Engine, place: number): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const { settings, timers, writes } = engine
    const end = (isWritten: boolean) => {
      timers.cancel(timer)
      forget()
      resume(Effect.succeed(isWritten))
    }
    const look = () => {
      const state = writes.stateUpTo(place)
      if (state !== "pending") end(state === "written")
    }
    const { tierTimeout } = settings.policy
    const timer = timers.after(engine.stopwatch(), tierTimeout, () => end(false))
    const forget = writes.watch(look)
    look()
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
    arbiter.write(k, hasNoLife ? { _tag: "Remove" } : change, known),
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

/** More tags take several marks, one after the other: a tier has a time for each step. */
const tagsPerMark = 1_000

export const mark = (
  engine: Engine,
  tags: ReadonlyArray<string | undefined>,
  keepStale: boolean,
): Effect.Effect<Ack> =>
  Effect.suspend(() => {
    const { arbiter } = engine.stack
    if (arbiter === undefined) {
      const version = marked(engine, tags, keepStale)
      return Effect.succeed({ version, settled: true, pending: [] })
    }
    return seenThrough(engine, markAll(engine, arbiter, tags, keepStale))
  })

const markAll = (
  engine: Engine,
  arbiter: FartherTier,
  tags: ReadonlyArray<string | undefined>,
  keepStale: boolean,
): Effect.Effect<Ack> =>
  Effect.gen(function* () {
    const caughtUp = catchUp(engine)
    const queuedBefore = engine.writes.count
    const acks = yield* Effect.forEach(Arr.chunksOf(tags, tagsPerMark), (part) =>
      markOnce(engine, arbiter, part, keepStale),
    )
    const ack = together(acks, engine.marks.last)
    if (!ack.settled || (yield* isAllHeard(engine, caughtUp, queuedBefore))) return ack
    return { ...ack, settled: false, pending: [arbiter.name] }
  })

/** Of several marks, that of all. */
const together = (acks: ReadonlyArray<Ack>, last: number): Ack => {
  const unsettled = acks.find(({ settled }) => !settled)
  return {
    version: acks.at(-1)?.version ?? last,
    settled: unsettled === undefined,
    pending: unsettled?.pending ?? [],
  }
}

const markOnce = (
  engine: Engine,
  arbiter: FartherTier,
  tags: ReadonlyArray<string | undefined>,
  keepStale: boolean,
): Effect.Effect<Ack> =>
  Effect.map(arbiter.mark(tags, keepStale), (number) => {
    if (number !== undefined) {
      afterMark(engine, tags, keepStale)
      return { version: number, settled: true, pending: [] }
    }
    markLater(engine, tags, keepStale)
    const version = marked(engine, tags, keepStale)
    return { version, settled: false, pending: [arbiter.name] }
  })

const marked = (
  engine: Engine,
  tags: ReadonlyArray<string | undefined>,
  keepStale: boolean,
): number => {
  const number = engine.marks.add(tags, keepStale, engine.now(), engine.versions.asOf())
  afterMark(engine, tags, keepStale)
  return number
}

const afterMark = (
  engine: Engine,
  tags: ReadonlyArray<string | undefined>,
  keepStale: boolean,
): void => {
  if (!tags.includes(undefined)) return
  engine.failures.clear()
  if (!keepStale) engine.near.clear()
}
