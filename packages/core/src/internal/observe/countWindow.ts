/** What a larder counted in a window of time, and the ratios that are made of it. */
import type { MissCause } from "../../LarderEvent.ts"

/**
 * What a larder counted from one time to another: differences of its `stats`. Windows of 30 seconds are
 * usual; a window is longer where nobody asked in between.
 *
 * @category models
 * @since 0.1.0
 */
export interface Window {
  /** The length of the window in seconds. */
  readonly seconds: number
  /** Calls that were answered, with a value or a failure. */
  readonly answers: number
  /** Answers of a tier, fresh or stale: `answers` of `stats` but those of `upstream` and `none`. */
  readonly hits: number
  /** Calls that memory could not answer, by cause: `missesByCause` of `stats`. */
  readonly missesByCause: Readonly<Record<MissCause, number>>
  /** Calls that waited for their answer. */
  readonly waits: number
  /** The seconds that these calls waited, all together. */
  readonly waitSeconds: number
  /** Keys whose lookup reached upstream. */
  readonly lookups: number
  /** Lookups that upstream answered with `Upstream.notModified`. */
  readonly notModified: number
  /** Lookups that brought a value of the `revision` that was there already. */
  readonly sameRevision: number
  /** Early refreshes, by a read or on a schedule. */
  readonly earlyRefreshes: number
  /** Background lookups that were shed for want of a permit. */
  readonly backgroundShed: number
  /** Entries that memory evicted to make room. */
  readonly evictions: number
  /** Those without a hit since they were stored. */
  readonly evictionsUnread: number
  /** The most callers that one lookup answered. */
  readonly mostCallers: number
  /** The most lookups of one key that reached upstream within 5 seconds, with callers waiting. */
  readonly mostLookups: number
  /**
   * Seconds from the latest of `make`, `clear` and a tier's recovery to the end of the window; Infinity
   * for none.
   */
  readonly coldSeconds: number
  /** Some of the keys that were missed, as `KeyDisplay` shows them. */
  readonly samples: ReadonlyArray<string>
}

/** Of fewer things than this a share says nothing: a third of three is one. */
const leastOfShare = 10

/** The share of a part; 0 where the whole is too small to tell. */
export const share = (part: number, whole: number): number =>
  whole < leastOfShare ? 0 : part / whole

export const missesIn = ({ missesByCause }: Window): number =>
  Object.values(missesByCause).reduce((sum, count) => sum + count, 0)

/** Undefined for a window without answers. */
export const hitRatioOf = ({ answers, hits }: Window): number | undefined =>
  answers > 0 ? hits / answers : undefined
