/** A change that has its place in the order: tiers that do not arbitrate follow, then memory. */
import * as Effect from "effect/Effect"
import { nextNumber } from "../../Arbitration.ts"
import * as Entry from "../../Entry.ts"
import { dropNearer, expireNearer, keepNearer, type Known } from "../recover/nearerTiers.ts"
import type { Engine } from "../state/engine.ts"
import { begun } from "../state/generation.ts"
import { step } from "../state/spanEvents.ts"
import type { Turn } from "../state/keyTurns.ts"
import type { EntryWithPolicy } from "../state/localEntries.ts"
import type { Change } from "../tier/arbiterWrites.ts"
import type { FartherTier } from "../tier/backingTier.ts"

/** A change, with what memory keeps beside its value. */
export interface Applying {
  readonly key: unknown
  readonly change: Change
  /** Policy and weight of the value that is set. */
  readonly kept: Omit<EntryWithPolicy, "entry"> | undefined
}

/** The place of a change in the order. */
export interface Order {
  readonly version: number
  /** The version is above those of all older entries. */
  readonly isOrdered: boolean
  readonly gapsBefore: number
  /** When the change was made, in monotonic time. */
  readonly madeAt: number
  readonly turn: Turn
}

/**
 * Applies the change in the tiers that do not arbitrate and in memory, and ends its turn; returns the
 * names of the tiers that failed. `applied` is its version at the arbiter, undefined for none.
 */
export const followed = (
  engine: Engine,
  k: string,
  applying: Applying,
  { gapsBefore, isOrdered, madeAt, turn, version }: Order,
  applied: number | undefined,
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(
    changeNearer(engine, k, afterMessages(applying.change, version, isOrdered, turn), {
      version,
      isOrdered,
      asOf: madeAt,
    }),
    (failed) => {
      const { change } = applying
      // A flight that began while the arbiter was asked may have read the value from before the change.
      begun(engine, k, change._tag)
      const placed = { version, gapsBefore, isProvisional: !isOrdered, confirmedAt: madeAt }
      if (engine.changes.end(k, turn, version)) changeMemory(engine, k, applying, placed)
      // Race: another change of the key began meanwhile, here or on another node, and memory cannot tell
      // which came last.
      else engine.near.delete(k)
      // Race: a shared read of the older value is under way. Callers of `read` from now on begin another.
      engine.reads.hear(k)
      engine.outbox.changed(k, leavesNothing(change), applied)
      return failed
    },
  )

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
export const leavesNothing = (change: Change): boolean =>
  change._tag === "Remove" ||
  (change._tag === "Set" && change.entry.staleUntil <= change.entry.storedAt)

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
      const done = yield* step(engine, tier, "write", changeIn(engine, tier, k, change, known))
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
export const changeMemory = (
  engine: Engine,
  k: string,
  { change, kept, key }: Applying,
  placed: Placed,
): void => {
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
      // Race: the message of an earlier change is late, and brings its value.
      const changedUpTo = Math.max(held.changedUpTo ?? 0, version)
      const kept = { ...known, entry, policy, weight, isProvisional: true, changedUpTo }
      engine.entries.keep(k, key, kept, now)
    }
  }
}
