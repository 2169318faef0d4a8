/** The entries of one node in memory: judges, returns and stores them. */
import * as Exit from "effect/Exit"
import type * as Random from "effect/Random"
import * as EarlyRefresh from "../../EarlyRefresh.ts"
import { type Entry, expireAt, forever } from "../../Entry.ts"
import * as Freshness from "../../Freshness.ts"
import type { Policy } from "../../Policy.ts"
import type { MemoryEntry, ObjectStore, Removal } from "../../Tier.ts"
import type { Marks } from "../invalidation/marks.ts"
import { neverPlain } from "../memory/memoryStore.ts"
import { monotonicMillis } from "../runtime/monotonic.ts"
import type { SteadyClock } from "../runtime/steadyClock.ts"
import type { Stack } from "../tier/openStack.ts"
import type { Candidate } from "./flight.ts"
import type { Gaps } from "./gaps.ts"
import type { HeaderRead } from "./headerReads.ts"
import { LongerGraces, withGrace } from "./longerGraces.ts"

/** An entry in memory, with its freshness at one moment. */
export interface MemoryCandidate extends Candidate {
  readonly held: MemoryEntry
  /** The entry's slot in memory: valid until the next write to memory. */
  readonly slot: number
}

/** An entry with the policy and the weight of its value. */
export interface EntryWithPolicy {
  readonly entry: Entry<unknown>
  readonly policy: Policy
  /** The weight in memory. */
  readonly weight: number
  /** When the arbiter last confirmed the entry, in monotonic time; now by default. */
  readonly confirmedAt?: number | undefined
  /** The number of gaps before the node read or looked up the entry; by default the number now. */
  readonly gapsBefore?: number | undefined
  /** The node chose the version without the arbiter; by default it did not. */
  readonly isProvisional?: boolean | undefined
  /** See `MemoryEntry`. */
  readonly changedUpTo?: number | undefined
}

export class LocalEntries {
  readonly #near: ObjectStore
  readonly #nearName: string
  readonly #marks: Marks
  readonly #gaps: Gaps
  readonly #clock: SteadyClock
  readonly #random: Random.Random
  readonly #hasArbiter: boolean
  readonly #maxFreshFor: number
  readonly #graces = new LongerGraces()
  #isClosed = false
  /** The latest finite `freshUntil` in memory. */
  lastFresh = 0
  /** Called when an entry is stored, for scheduled early refreshes. */
  onKeep: (early: EarlyRefresh.EarlyRefresh) => void = () => {}

  constructor(
    { arbiter, maxFreshFor, near, nearName }: Stack,
    marks: Marks,
    gaps: Gaps,
    clock: SteadyClock,
    random: Random.Random,
  ) {
    this.#near = near
    this.#nearName = nearName
    this.#marks = marks
    this.#gaps = gaps
    this.#clock = clock
    this.#random = random
    this.#hasArbiter = arbiter !== undefined
    this.#maxFreshFor = maxFreshFor
  }

  /** The freshness of an entry by its times and by the marks. */
  judge(entry: Entry<unknown>, now: number): Freshness.Freshness {
    const freshness = Freshness.of(entry, now)
    if (freshness._tag === "Missing") return freshness
    switch (this.#marks.judge(entry)) {
      case "valid":
        return freshness
      case "stale":
        return Freshness.staleError
      case "dropped":
        return Freshness.missing
    }
  }

  /** As {@link judge}, for an entry that this node has had: after a gap it is stale-if-error until it is confirmed. */
  judgeKnown(
    k: string,
    entry: Entry<unknown>,
    gapsBefore: number,
    now: number,
  ): Freshness.Freshness {
    const freshness = this.judge(entry, now)
    return freshness._tag !== "Missing" && this.#gaps.isSuspect(k, gapsBefore)
      ? Freshness.staleError
      : freshness
  }

  /** The entry in memory, also past its life. No side effects. */
  look(k: string, now: number): MemoryCandidate | undefined {
    const near = this.#near
    const slot = near.find(k)
    if (slot === 0) return undefined
    const held = near.at(slot)
    const { confirmedAt, exit, freshCap, gapsBefore, isProvisional } = held
    const entry = capped(held.entry, freshCap)
    const freshness = near.isStampedAt(slot, this.#marks.generation)
      ? Freshness.of(entry, now)
      : this.judgeKnown(k, entry, gapsBefore, now)
    const askedAt = isProvisional ? undefined : confirmedAt
    return { held, slot, entry, exit, freshness, tier: this.#nearName, gapsBefore, askedAt }
  }

  /** The entry in memory, unless it is past its life or dropped by a mark. No side effects. */
  candidate(k: string, now: number): MemoryCandidate | undefined {
    const local = this.look(k, now)
    return local === undefined || local.freshness._tag === "Missing" ? undefined : local
  }

  /** Deletes a candidate that is missing, and stamps a fresh one so that later plain hits skip the marks. */
  tidy(k: string, { freshness, held, slot }: MemoryCandidate): void {
    if (freshness._tag === "Missing") this.#near.delete(k, this.#whyMissing(held))
    else if (freshness._tag === "Fresh" && !this.#near.isStampedAt(slot, this.#marks.generation)) {
      const until = this.#hitUntil(held)
      this.#near.stamp(slot, { until, checkedAt: this.#marks.generation })
    }
  }

  #whyMissing({ entry }: MemoryEntry): Removal {
    return Freshness.of(entry, this.#clock.currentTimeMillisUnsafe())._tag === "Missing"
      ? "expired"
      : "changed"
  }

  /** Whether a fresh entry is due for early refresh. Draws a random number only where it matters. */
  isDue({ freshness, held: { entry, policy } }: MemoryCandidate, now: number): boolean {
    const { earlyRefresh } = policy
    return (
      freshness._tag === "Fresh" &&
      now >= EarlyRefresh.earliest(earlyRefresh, entry) &&
      EarlyRefresh.shouldRefresh(earlyRefresh, entry, now, this.draw())
    )
  }

  /** A random number in (0, 1]. */
  draw(): number {
    return 1 - this.#random.nextDoubleUnsafe()
  }

  /** The latest end of freshness for an entry that the arbiter confirmed at this monotonic time. */
  freshCap(confirmedAt: number): number {
    const age = monotonicMillis(this.#clock) - confirmedAt
    return this.#clock.currentTimeMillisUnsafe() - age + this.#maxFreshFor
  }

  /** Stores an entry in memory, unless memory has a newer one, or the larder is closed. */
  keep(
    k: string,
    asked: unknown,
    {
      changedUpTo,
      confirmedAt = monotonicMillis(this.#clock),
      entry,
      gapsBefore = this.#gaps.count,
      isProvisional = false,
      policy,
      weight,
    }: EntryWithPolicy,
    now: number,
  ): void {
    if (this.#isClosed) return
    const near = this.#near
    const freshCap = this.freshCap(confirmedAt)
    const isSuspect = this.#gaps.isSuspect(k, gapsBefore)
    if (isSuspect) this.#gaps.suspected()
    const valid = this.#marks.judge(entry) === "valid" && !isSuspect
    const held: MemoryEntry = {
      key: k,
      entry: valid ? this.#graces.applied(k, entry, now) : entry,
      exit: Exit.succeed(entry.value),
      asked,
      policy,
      freshCap,
      gapsBefore,
      confirmedAt,
      isProvisional,
      changedUpTo,
    }
    const stamp = valid
      ? { until: this.#hitUntil(held), checkedAt: this.#marks.generation }
      : neverPlain
    if (!near.put(held, weight, stamp, now)) return
    if (entry.freshUntil < forever) this.lastFresh = Math.max(this.lastFresh, entry.freshUntil)
    this.onKeep(policy.earlyRefresh)
  }

  /** Until when a read of an entry is a plain hit, unless a mark or a gap comes. */
  #hitUntil({ confirmedAt, entry, freshCap, isProvisional, policy }: MemoryEntry): number {
    const early = EarlyRefresh.earliest(policy.earlyRefresh, entry)
    const until = Math.min(entry.freshUntil, freshCap, early)
    const { checkEvery } = policy
    if (checkEvery === Infinity || !this.#hasArbiter) return until
    if (isProvisional) return 0
    // A moment may be ahead of the clock by a fraction of a millisecond.
    const age = Math.max(0, monotonicMillis(this.#clock) - confirmedAt)
    return Math.min(until, this.#clock.currentTimeMillisUnsafe() - age + checkEvery)
  }

  /**
   * Whether the entry in memory needs a confirmation: because of a gap, or for reads that are checked
   * `after` a moment of monotonic time. The arbiter's version can make it fresh, or usable for
   * stale-while-revalidate.
   */
  isConfirmable(k: string, now: number, after = -Infinity): boolean {
    const slot = this.#near.find(k)
    if (slot === 0) return false
    const held = this.#near.at(slot)
    const isDue = held.confirmedAt <= after || this.#gaps.isSuspect(k, held.gapsBefore)
    if (held.isProvisional || !isDue) return false
    // Without `freshCap`, which the confirmation renews.
    const freshness = this.judge(held.entry, now)
    return (
      freshness._tag === "Fresh" || (freshness._tag === "Stale" && freshness.grace === "revalidate")
    )
  }

  /**
   * Renews the entry in memory, which has the arbiter's version, and returns it. Race: a message tells
   * of a newer version while the request is on its way. The message has ended the entry's freshness,
   * and the confirmation does not bring it back.
   */
  confirm(
    k: string,
    { gapsBefore, marksReadAt, sentAt }: HeaderRead,
    now: number,
  ): MemoryCandidate | undefined {
    const near = this.#near
    const slot = near.find(k)
    if (slot === 0) return undefined
    const held = near.at(slot)
    const freshCap = this.freshCap(Math.min(sentAt, marksReadAt))
    const renewed: MemoryEntry = {
      ...held,
      // A later confirmation may have been answered before.
      freshCap: Math.max(held.freshCap, freshCap),
      gapsBefore: Math.max(held.gapsBefore, gapsBefore),
      confirmedAt: Math.max(held.confirmedAt, sentAt),
    }
    near.replace(slot, renewed, neverPlain)
    const confirmed = this.look(k, now)
    if (confirmed !== undefined) this.tidy(k, confirmed)
    return confirmed
  }

  /**
   * Another node has changed the key: an older entry in memory is gone after a removal, and otherwise
   * usable only for stale-if-error. Returns the version of that entry; undefined for none. Race: the
   * message of a change arrives after that of a later change, or after a later change of this node. The
   * entry is no longer fresh then, and only a removal is still of use.
   */
  outdate(k: string, version: number, isRemoval: boolean, now: number): number | undefined {
    const near = this.#near
    const slot = near.find(k)
    if (slot === 0) return undefined
    const held = near.at(slot)
    if (held.entry.version >= version) return undefined
    if (!isRemoval && (held.changedUpTo ?? 0) > version) return undefined
    const expired = isRemoval ? undefined : expireAt(held.entry, now)
    if (expired === undefined) near.delete(k)
    else {
      const outdated = { ...held, entry: expired, changedUpTo: version }
      near.put(outdated, near.weightOf(slot), neverPlain, now)
    }
    return held.entry.version
  }

  /**
   * Lets the entry in memory, and those that are stored within the next 5 seconds, be served stale while
   * they are looked up, at least so long after their freshness. Not an entry that was expired or
   * invalidated (law 12), nor a suspect one.
   */
  extendGrace(k: string, millis: number, now: number): void {
    this.#graces.add(k, millis, now)
    const local = this.look(k, now)
    if (local === undefined) return
    const { freshness, held, slot } = local
    const isServed =
      freshness._tag === "Fresh" || (freshness._tag === "Stale" && freshness.grace === "revalidate")
    const entry = withGrace(held.entry, millis)
    if (!isServed || entry === held.entry) return
    const longer = { ...held, entry }
    const near = this.#near
    if (!near.put(longer, near.weightOf(slot), neverPlain, now)) return
    const kept = this.look(k, now)
    if (kept !== undefined) this.tidy(k, kept)
  }

  /**
   * Makes an entry that the arbiter has not seen suspect: it is usable only for stale-if-error until the
   * key is read from the arbiter or looked up again.
   */
  suspect(k: string): void {
    const near = this.#near
    const slot = near.find(k)
    if (slot === 0 || !near.at(slot).isProvisional) return
    this.#gaps.suspected()
    near.replace(slot, { ...near.at(slot), gapsBefore: beforeAll }, neverPlain)
  }

  /** Clears memory for good, so that every call misses and reaches the check for a closed larder. */
  close(): void {
    this.#isClosed = true
    this.#near.clear()
  }
}

/** Fewer gaps than there can have been: such an entry is suspect. */
export const beforeAll = -1

export const capped = (entry: Entry<unknown>, cap: number): Entry<unknown> => {
  if (entry.freshUntil <= cap) return entry
  const grace = entry.revalidateUntil - entry.freshUntil
  return {
    ...entry,
    freshUntil: cap,
    revalidateUntil: Math.min(entry.revalidateUntil, cap + grace),
  }
}
