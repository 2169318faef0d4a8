/**
 * `tierWrites: "background"` (write-behind): `set` acknowledges a value once memory has it. The
 * tiers get the value later, at the place in the order of changes that it has had since then.
 */
import * as Effect from "effect/Effect"
import * as Entry from "../../Entry.ts"
import type { Ack } from "./ack.ts"
import { closed } from "../state/closed.ts"
import type { Engine } from "../state/engine.ts"
import type { Change } from "../tier/arbiterWrites.ts"
import type { FartherTier } from "../tier/backingTier.ts"
import { begun } from "../state/generation.ts"
import { dropLater } from "../recover/replay.ts"
import { dropNearer, keepNearer, type Known } from "../recover/nearerTiers.ts"
import type { Queued, Writer } from "../state/writeQueue.ts"

type Planned = Omit<Queued, "madeAt" | "isPlaced" | "gapsBefore">

export const setInBackground = (
  engine: Engine,
  k: string,
  planned: Planned,
): Effect.Effect<Ack> => {
  const { arbiter } = engine.stack
  const admitted = engine.writes.admit(
    k,
    () => enqueue(engine, k, planned),
    Effect.suspend(() => closed(engine)),
  )
  return arbiter === undefined ? admitted : Effect.andThen(arbiter.marks.ready, admitted)
}

const enqueue = (engine: Engine, k: string, planned: Planned): Ack => {
  const { arbiter, farther } = engine.stack
  begun(engine, k, "Set")
  const known = Math.max(engine.versions.known(k), arbiter?.time.given ?? 0)
  const madeAt = engine.stopwatch()
  const version =
    arbiter === undefined ? engine.versions.next(known) : arbiter.placeAbove(known, madeAt, "least")
  const entry = {
    ...planned.entry,
    version,
    asOf: Math.max(engine.versions.asOf(), marksBefore(engine, madeAt)),
  }
  const isPlaced = arbiter === undefined || isTimeKnown(engine, arbiter)
  // Race: another node changes the key while the arbiter is away. `confirmedAt` bounds how long this
  // node returns its own value as fresh.
  const gapsBefore = engine.gaps.count
  const isProvisional = arbiter !== undefined
  const own = { madeAt, confirmedAt: madeAt, gapsBefore, isPlaced, isProvisional }
  const queued = { ...planned, ...own, entry }
  engine.entries.keep(k, planned.key, queued, engine.now())
  engine.writes.put(k, queued, writerOf(engine))
  return { version, settled: false, pending: farther.map(({ name }) => name) }
}

/**
 * Numbers of marks are the arbiter's time too: the value covers the marks from before it was set.
 * Minus 1, since a later mark may have the same number where the tier counts milliseconds.
 */
const marksBefore = ({ stack }: Engine, madeAt: number): number =>
  (stack.arbiter?.time.placeOf(madeAt, "least") ?? 1) - 1

/**
 * Whether the arbiter's time is known well enough. Race: the process stood still while the arbiter told
 * its time. A place by that time may be below those of values from before.
 */
const isTimeKnown = ({ settings }: Engine, { time }: FartherTier): boolean =>
  time.isWithin(settings.policy.tierTimeout)

const writerOf = (engine: Engine): Writer => ({
  write: (k, queued) => write(engine, k, queued),
  isOver: (queued) => isOver(engine, queued),
})

/** Too late to write: the tombstone of a later removal may be gone, or the entry's life has ended. */
const isOver = (engine: Engine, { entry, madeAt }: Queued): boolean =>
  engine.stopwatch() - madeAt > engine.stack.settleMillis || engine.now() >= entry.staleUntil

const write = (engine: Engine, k: string, queued: Queued): Effect.Effect<"done" | "again"> =>
  Effect.gen(function* () {
    if (isOver(engine, queued)) return yield* giveUp(engine, k, queued)
    const { arbiter } = engine.stack
    if (arbiter === undefined) {
      return yield* writeNearer(engine, k, queued, { asOf: engine.stopwatch(), isOrdered: true })
    }
    if (!queued.isPlaced && !isTimeKnown(engine, arbiter)) yield* arbiter.marks.read("latest")
    // Without the arbiter's time, the place of the value in its order is unknown.
    if (!arbiter.time.isKnown) return "again"
    const placed = queued.isPlaced ? queued : placedBy(engine, arbiter, queued)
    // Before the arbiter publishes the version: the message must not outdate this node's own value.
    replace(engine, k, queued, placed)
    const at = placed.entry.version
    const written = yield* arbiter.writes.write(k, afterHeard(engine, arbiter, k, placed), 0)
    if (written === undefined) return "again"
    if (written === "unwritable") return yield* giveUp(engine, k, placed)
    const { version } = written
    // Race: the message of a later change comes before the answer.
    const newest = Math.max(version, engine.writes.heard(k)?.version ?? 0)
    if (newest > at) return yield* overtaken(engine, k, newest)
    engine.outbox.changed(k, false, version)
    const missed = engine.missed.key(k)
    if (missed !== undefined && missed.madeAt <= queued.madeAt) engine.missed.heardKey(k, missed)
    // Race: a gap has hidden that another node expired the key since. The arbiter has then stored the value
    // as expired, under its own version, which so confirms nothing.
    const known = { asOf: queued.madeAt, isOrdered: true, isChosen: true }
    return yield* writeNearer(engine, k, placed, known)
  })

/**
 * What the arbiter gets: after a change that this node has heard of, and that surely came later, no fresh
 * value. Race: the arbiter decides that itself, unless it has evicted the record of the change.
 */
const afterHeard = (
  engine: Engine,
  { time }: FartherTier,
  k: string,
  { entry, madeAt }: Queued,
): Change => {
  const at = entry.version
  const heard = engine.writes.heard(k)
  const isLater = heard !== undefined && heard.version > (time.placeOf(madeAt, "most") ?? Infinity)
  if (!isLater) return { _tag: "Set", entry, at }
  const expired = heard.isRemoval ? undefined : Entry.expireAt(entry, engine.now())
  return expired === undefined ? { _tag: "Remove", at } : { _tag: "Set", entry: expired, at }
}

/** The value with its place in the arbiter's order. */
const placedBy = (engine: Engine, arbiter: FartherTier, queued: Queued): Queued => {
  const { entry, madeAt } = queued
  const version = arbiter.placeAbove(entry.version - 1, madeAt, "least")
  // Not all marks known by now: some came after the value was set.
  const asOf = Math.max(entry.asOf, marksBefore(engine, madeAt))
  return { ...queued, entry: { ...entry, version, asOf }, isPlaced: true }
}

/** Replaces the value in the queue, and in memory unless the key has changed meanwhile. */
const replace = (engine: Engine, k: string, queued: Queued, placed: Queued): void => {
  if (queued === placed) return
  engine.writes.replace(k, queued, placed)
  if (engine.near.peek(k)?.entry !== queued.entry) return
  engine.entries.keep(k, queued.key, placed, engine.now())
}

const nearerTiers = ({ stack }: Engine): ReadonlyArray<FartherTier> =>
  stack.farther.filter((tier) => tier !== stack.arbiter)

const writeNearer = (
  engine: Engine,
  k: string,
  { entry }: Queued,
  known: Known,
): Effect.Effect<"done" | "again"> =>
  Effect.gen(function* () {
    let isDone = true
    for (const tier of nearerTiers(engine)) {
      // Race: the key was removed meanwhile. Without this check the write would bring the value back.
      const isCurrent = engine.writes.newest(k) !== undefined
      if (isCurrent) isDone = (yield* keepNearer(engine, tier, k, entry, known)) && isDone
    }
    // Only now: a node that hears of the value before a tier has it would read the older one there.
    if (isDone && engine.stack.arbiter === undefined) engine.outbox.changed(k, false)
    return isDone ? "done" : "again"
  })

/** Another node has changed the key meanwhile: drop this node's older entries. */
const overtaken = (engine: Engine, k: string, version: number): Effect.Effect<"done"> =>
  Effect.gen(function* () {
    const inMemory = engine.near.peek(k)?.entry.version
    if (inMemory !== undefined && inMemory < version) engine.near.delete(k)
    for (const tier of nearerTiers(engine)) yield* dropNearer(engine, tier, k, version - 1)
    return "done" as const
  })

/** Gives up a value that will not be written, and drops all older ones. */
const giveUp = (
  engine: Engine,
  k: string,
  { entry: { version }, isPlaced, madeAt }: Queued,
): Effect.Effect<"done"> =>
  Effect.gen(function* () {
    const { arbiter } = engine.stack
    if (arbiter !== undefined) {
      dropLater(engine, k, { madeAt, atLeast: version })
    }
    // Without the arbiter's time the version is this node's guess, perhaps below the version of an older
    // value that a file kept over a restart. So drop any version.
    const upTo = isPlaced ? version : undefined
    for (const tier of nearerTiers(engine)) yield* dropNearer(engine, tier, k, upTo)
    if (arbiter === undefined) engine.outbox.changed(k, false)
    return "done" as const
  })
