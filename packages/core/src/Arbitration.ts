/**
 * The decisions of an arbiter, pure: who may look up, what a commit or a delayed
 * write comes to, which number is next. Whatever keeps the records applies them
 * in one atomic step. Use it to write a tier with an arbiter of its own.
 */

/**
 * What is kept of the last lease of a key. It outlives the lease, so that
 * tokens rise although the clock may stand still or step back.
 */
export interface LeaseRecord {
  readonly token: number
  /** The end of the lease; `undefined` once it was given back or ended by a change. */
  readonly until: number | undefined
  /** The holder's lookup failed; until then nobody with something stale should ask. */
  readonly failedUntil: number
  readonly expiresAt: number
}

/** What is there under a key, of which only the order matters here. */
export interface Stored {
  /** 0 for nothing. */
  readonly version: number
  /** It is a value, not a tombstone. */
  readonly isValue: boolean
}

/**
 * The highest number that an arbiter believes of a record, and of a caller. Numbers
 * are microseconds since 1970, so nothing sound comes near before the year 2255; and
 * above what callers bring there is room, so that what an arbiter then gives out is
 * not too high for itself.
 */
export const highestRecorded = 2 ** 53 - 4
export const highestBrought = 2 ** 53 - 512

const upTo = (number: number | undefined, highest: number): number =>
  number !== undefined && number > 0 && number <= highest ? Math.floor(number) : 0

/**
 * A recorded number that can be counted on from: a version that is stored, a token,
 * the last mark. Anything else counts as none, so that a damaged one cannot use up
 * all that are left.
 */
export const usable = (number: number | undefined): number => upTo(number, highestRecorded)

/**
 * A number that a caller brings, such as the highest it knows or the version of a
 * delayed write; none where it leaves too little room above.
 */
export const brought = (number: number | undefined): number => upTo(number, highestBrought)

/**
 * No commit and no delayed `Set` arrives later than this, ms. Records of leases are kept
 * for as long at least, tombstones for twice as long, so that each finds what came after it.
 */
export const settleMillis = 60_000

/** The next version, token or mark number: the time in microseconds, or one above all those seen. */
export const nextNumber = (now: number, ...seen: ReadonlyArray<number | undefined>): number =>
  Math.max(usable(now * 1000), ...seen.map((number) => usable(number) + 1))

/** What a request for a lease comes to. */
export type AcquireDecision =
  | { readonly _tag: "Newer" }
  | { readonly _tag: "Busy"; readonly leftMillis: number }
  | { readonly _tag: "Failed"; readonly leftMillis: number }
  | { readonly _tag: "Win" }

/** Whether the caller may look the key up, at `now` in the tier's clock. */
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

/** Whether the token may still become a version. A lease over time but taken by nobody may. */
export const holds = (stored: Stored, lease: LeaseRecord | undefined, token: number): boolean =>
  decideCommit(stored, lease, token) === "Stored"

/** What storing a looked-up value under its token comes to. */
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
 * Whether a value with a version of its own, perhaps delayed, may be stored:
 * only over a lower version, and not if a lease began or a change came after it.
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

/** What a change comes to that was made at `at`, and is told later. */
export type DelayedDecision =
  /** Something newer is stored: nothing happens. */
  | { readonly _tag: "Overtaken" }
  | {
      readonly _tag: "Applies"
      /** The place of the change in the order: its version. */
      readonly version: number
      /** The lookup under the lease began before the change. Otherwise it stays and may commit. */
      readonly endsLease: boolean
      /** A value that comes so late is not stored; a tombstone takes its place. */
      readonly isTooLate: boolean
    }

/**
 * What a change comes to that a node made when the tier's time was `at` microseconds, and
 * could not tell the arbiter before `now` (ms).
 *
 * **When to use**
 *
 * For a `Write` that carries `at`.
 *
 * **Details**
 *
 * An `at` that is no usable number comes to nothing. A value that is older than
 * {@link settleMillis} may find no tombstone any more of a removal after it, so it only
 * takes older values away.
 */
export const decideDelayed = (
  stored: Stored,
  lease: LeaseRecord | undefined,
  at: number,
  now: number,
): DelayedDecision => {
  const version = usable(at)
  if (stored.version >= version) return { _tag: "Overtaken" }
  return {
    _tag: "Applies",
    version,
    endsLease: lease !== undefined && lease.token <= version,
    isTooLate: usable(now * 1000) - version > settleMillis * 1000,
  }
}
