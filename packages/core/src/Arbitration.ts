/**
 * Pure decisions of an arbiter: which node may look a key up, whether a commit or a delayed write
 * applies, and which number comes next. The author of an arbiter stores the records and applies each
 * decision in one atomic step.
 *
 * @module
 * @category tier authors
 * @since 0.1.0
 */
import * as limits from "./internal/runtime/limits.ts"

/**
 * The record of a key's last lease, which a tier stores beside the entry. It outlives the lease, so
 * that tokens rise even while the clock stands still or steps back.
 *
 * @category models
 * @since 0.1.0
 */
export interface LeaseRecord {
  /** The number under which the holder commits. It becomes the version of the committed value. */
  readonly token: number
  /**
   * The end of the lease, in milliseconds of the tier's clock; `undefined` once the holder returned
   * the lease or a change ended it.
   */
  readonly until: number | undefined
  /**
   * Until this time (ms) a caller with a stale value should not ask upstream, because the holder's
   * lookup failed. 0 for no failure.
   */
  readonly failedUntil: number
  /** When the tier may delete the record, in milliseconds of its clock. */
  readonly expiresAt: number
}

/**
 * What a tier stores under a key, as far as it decides the order of writes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stored {
  /** The version of the value or tombstone; 0 for nothing. */
  readonly version: number
  /** Whether a value is stored, rather than a tombstone or nothing. */
  readonly isValue: boolean
}

/**
 * As {@link Stored}, with the times of a value; a tombstone has none.
 *
 * @category models
 * @since 0.1.0
 */
export interface StoredEntry extends Stored {
  /** `Envelope.freshUntil` of the value, ms of the tier's clock. */
  readonly freshUntil?: number | undefined
  /** `Envelope.storedAt` of the value, ms of the tier's clock. */
  readonly storedAt?: number | undefined
}

/**
 * The highest number that an arbiter accepts from its own records: 2^53 - 4.
 *
 * **Details**
 *
 * Numbers are microseconds since 1970, so no sound number comes near before the year 2255. A higher
 * one is damaged, and counts as none.
 *
 * **Example**
 *
 * ```ts
 * import { Arbitration } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Arbitration.usable(Arbitration.highestRecorded), 2 ** 53 - 4)
 * assert.strictEqual(Arbitration.usable(Arbitration.highestRecorded + 1), 0)
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const highestRecorded = 2 ** 53 - 4

/**
 * The highest number that an arbiter accepts from a caller: 2^53 - 512. The room above it keeps the
 * numbers that follow below {@link highestRecorded}.
 *
 * **Example**
 *
 * ```ts
 * import { Arbitration } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.ok(Arbitration.highestBrought < Arbitration.highestRecorded)
 * assert.strictEqual(Arbitration.brought(Arbitration.highestBrought + 1), 0)
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const highestBrought = 2 ** 53 - 512

const upTo = (number: number | undefined, highest: number): number =>
  number !== undefined && number > 0 && number <= highest ? Math.floor(number) : 0

/**
 * Checks a recorded number that new numbers must exceed: a stored version, a token, the last mark.
 * Returns 0 for `undefined` and for a number out of range, so that one damaged record does not use
 * up all numbers.
 *
 * **Example**
 *
 * ```ts
 * import { Arbitration } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Arbitration.usable(1_700_000_000_000_000), 1_700_000_000_000_000)
 * assert.strictEqual(Arbitration.usable(Number.NaN), 0)
 * assert.strictEqual(Arbitration.usable(undefined), 0)
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const usable = (number: number | undefined): number => upTo(number, highestRecorded)

/**
 * Checks a number from a caller, such as the highest version it knows or the version of a delayed
 * write. Returns 0 for a number that leaves too little room above it.
 *
 * **Example**
 *
 * ```ts
 * import { Arbitration } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Arbitration.brought(7), 7)
 * assert.strictEqual(Arbitration.brought(2 ** 53), 0)
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const brought = (number: number | undefined): number => upTo(number, highestBrought)

/**
 * The longest time, in milliseconds, after which a commit or a delayed `Set` still applies: 60,000
 * unless the tier has another `settleTime` in its `limits`.
 *
 * **Details**
 *
 * A tier keeps records of leases for at least as long, and tombstones for twice as long. Each late
 * change therefore finds what came after it.
 *
 * **Example**
 *
 * ```ts
 * import { Arbitration } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const tombstoneLife = 2 * Arbitration.settleMillis
 * assert.strictEqual(tombstoneLife, 120_000)
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const settleMillis = limits.settleMillis

/**
 * The next version, token or mark number: the time in microseconds, or one above the highest number
 * seen, whichever is higher. `now` is in milliseconds of the tier's clock.
 *
 * **Example**
 *
 * ```ts
 * import { Arbitration } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Arbitration.nextNumber(1_000), 1_000_000)
 * assert.strictEqual(Arbitration.nextNumber(1_000, 1_000_000, undefined), 1_000_001)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const nextNumber = (now: number, ...seen: ReadonlyArray<number | undefined>): number =>
  Math.max(usable(now * 1000), ...seen.map((number) => usable(number) + 1))

/**
 * The decision on a request for a lease. `leftMillis` is the time left, in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export type AcquireDecision =
  | { readonly _tag: "Newer" }
  | { readonly _tag: "Busy"; readonly leftMillis: number }
  | { readonly _tag: "Failed"; readonly leftMillis: number }
  | { readonly _tag: "Win" }

/**
 * Decides whether the caller may look the key up, at `now` (ms of the tier's clock). Use it in
 * `acquire` of an arbiter.
 *
 * **Details**
 *
 * - `Newer`: a value of a higher version than `known` is stored.
 * - `Busy`: another node holds a lease whose token can still become a version.
 * - `Failed`: another node's lookup failed recently; `despiteFailure` ignores that.
 * - `Win`: the caller gets the lease. `force` always wins.
 *
 * **Example**
 *
 * ```ts
 * import { Arbitration } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const lease = { token: 10, until: 5_000, failedUntil: 0, expiresAt: 60_000 }
 * const request = { known: 0, force: false }
 * const nothing = { version: 0, isValue: false }
 * assert.deepStrictEqual(Arbitration.decideAcquire(nothing, undefined, request, 1_000), { _tag: "Win" })
 * assert.deepStrictEqual(Arbitration.decideAcquire(nothing, lease, request, 1_000), {
 *   _tag: "Busy",
 *   leftMillis: 4_000
 * })
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const decideAcquire = (
  stored: Stored,
  lease: LeaseRecord | undefined,
  request: {
    readonly known: number
    readonly force: boolean
    readonly despiteFailure?: boolean | undefined
  },
  now: number,
): AcquireDecision => {
  if (request.force) return { _tag: "Win" }
  if (stored.isValue && stored.version > usable(request.known)) return { _tag: "Newer" }
  if (lease === undefined) return { _tag: "Win" }
  // A token not above what is stored can commit nothing any more: not worth waiting for.
  if (lease.until !== undefined && lease.until > now && lease.token > stored.version) {
    return { _tag: "Busy", leftMillis: lease.until - now }
  }
  return lease.failedUntil > now && request.despiteFailure !== true
    ? { _tag: "Failed", leftMillis: lease.failedUntil - now }
    : { _tag: "Win" }
}

/**
 * Whether the token may still become a version, for `renew`. The token of an expired lease may,
 * until another caller takes the lease.
 *
 * **Example**
 *
 * ```ts
 * import { Arbitration } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const lease = { token: 10, until: 5_000, failedUntil: 0, expiresAt: 60_000 }
 * assert.ok(Arbitration.holds({ version: 9, isValue: true }, lease, 10))
 * assert.ok(!Arbitration.holds({ version: 11, isValue: true }, lease, 10))
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const holds = (stored: Stored, lease: LeaseRecord | undefined, token: number): boolean =>
  decideCommit(stored, lease, token) === "Stored"

/**
 * Decides whether a looked-up value that a caller commits under its token is stored.
 *
 * **Details**
 *
 * - `Stored`: the caller holds the lease, and nothing newer is stored.
 * - `Superseded`: a newer value, tombstone or lease exists.
 * - `Lost`: there is no record of the lease, or a change ended it.
 *
 * **Example**
 *
 * ```ts
 * import { Arbitration } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const lease = { token: 10, until: 5_000, failedUntil: 0, expiresAt: 60_000 }
 * const nothing = { version: 0, isValue: false }
 * assert.strictEqual(Arbitration.decideCommit(nothing, lease, 10), "Stored")
 * assert.strictEqual(Arbitration.decideCommit({ version: 12, isValue: false }, lease, 10), "Superseded")
 * assert.strictEqual(Arbitration.decideCommit(nothing, undefined, 10), "Lost")
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const decideCommit = (
  stored: Stored,
  lease: LeaseRecord | undefined,
  token: number,
): "Stored" | "Superseded" | "Lost" => {
  if (stored.version >= token) return "Superseded"
  if (lease === undefined) return "Lost"
  if (lease.token !== token) return "Superseded"
  return lease.until === undefined ? "Lost" : "Stored"
}

/**
 * Whether a tier may store a value that carries its own version and may be late: only over a lower
 * version, and only if no lease began and no change came after it. Use it in `put`.
 *
 * **Example**
 *
 * ```ts
 * import { Arbitration } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const removed = { version: 20, isValue: false }
 * assert.ok(!Arbitration.mayPut(removed, undefined, 15))
 * assert.ok(Arbitration.mayPut(removed, undefined, 21))
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const mayPut = (
  stored: Stored,
  lease: LeaseRecord | undefined,
  version: number,
): boolean => {
  if (version <= stored.version) return false
  if (lease === undefined || version > lease.token) return true
  return version === lease.token && lease.until !== undefined
}

/**
 * The decision on a change that a node made at one time and reports at a later one.
 *
 * @category models
 * @since 0.1.0
 */
export type DelayedDecision =
  /** Something newer is stored: nothing happens. */
  | { readonly _tag: "Overtaken" }
  | {
      readonly _tag: "Applies"
      /**
       * The version of the change: its place in the order, or the next above the version of an older
       * value that was expired after it.
       */
      readonly version: number
      /** The lookup under the lease began before the change. Otherwise it stays and may commit. */
      readonly endsLease: boolean
      /** A lookup or an `expire` came after the change: a value that is set is no longer fresh. */
      readonly isExpired: boolean
      /** A value that comes so late is not stored; a tombstone takes its place. */
      readonly isTooLate: boolean
    }

/**
 * Decides whether a change applies that a node made at `at` (microseconds of the tier's time) and
 * that reaches the arbiter at `now` (ms).
 *
 * **When to use**
 *
 * Use it for a `Tier.Write` that carries `at`.
 *
 * **Details**
 *
 * An `at` that is no usable number counts as overtaken. An `expire` gives a value another version and
 * leaves it as old as it was: one that was stored before `at` does not overtake the change. Without its
 * times, any stored value of a higher version does. A value that is later than
 * `settle` (ms, the tier's `settleTime`; by default {@link settleMillis}) only removes older
 * values: the tombstone of a removal after it may have expired already.
 *
 * **Example**
 *
 * ```ts
 * import { Arbitration } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const decide = (at: number) =>
 *   Arbitration.decideDelayed({ version: 5_000_000, isValue: true }, undefined, at, 6_000)
 * assert.deepStrictEqual(decide(4_000_000), { _tag: "Overtaken" })
 * assert.deepStrictEqual(decide(5_500_000), {
 *   _tag: "Applies",
 *   version: 5_500_000,
 *   endsLease: false,
 *   isExpired: false,
 *   isTooLate: false
 * })
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const decideDelayed = (
  stored: StoredEntry,
  lease: LeaseRecord | undefined,
  at: number,
  now: number,
  settle: number = settleMillis,
): DelayedDecision => {
  const place = usable(at)
  const isAbove = stored.version < place
  if (!isAbove && !isExpiredSince(stored, place)) return { _tag: "Overtaken" }
  return {
    _tag: "Applies",
    version: isAbove ? place : nextNumber(0, stored.version),
    endsLease: lease !== undefined && lease.token <= place,
    isExpired: !isAbove || (lease !== undefined && lease.token > place),
    isTooLate: usable(now * 1000) - place > settle * 1000,
  }
}

/** Whether the value was stored before a place in the order, and its version is that of a later `expire`. */
const isExpiredSince = (
  { freshUntil = Infinity, storedAt = Infinity, version }: StoredEntry,
  place: number,
): boolean => freshUntil * 1000 <= version && storedAt * 1000 < place
