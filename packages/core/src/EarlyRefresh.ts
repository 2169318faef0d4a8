/**
 * Refreshes a value while it is still fresh, so that its readers do not wait for a lookup when its
 * freshness ends. All functions are pure: the caller passes the time and the random number.
 *
 * A larder draws on reads of its memory; a stack without a memory tier refreshes nothing early.
 *
 * @module
 * @category policies
 * @since 0.1.0
 */
import type * as Schedule from "effect/Schedule"
import { dual } from "effect/Function"
import * as Result from "effect/Result"
import type { Entry } from "./Entry.ts"
import { forever } from "./Entry.ts"
import type { NamesOf } from "./internal/runtime/optionNames.ts"
import { misnamed } from "./internal/policy/policyProblem.ts"
import * as problems from "./internal/policy/earlyRefreshProblems.ts"
import type { InvalidPolicy } from "./InvalidPolicy.ts"

/**
 * No early refresh: see {@link none}.
 *
 * @category models
 * @since 0.1.0
 */
export interface None {
  readonly _tag: "None"
}

/**
 * The first read after a share of the freshness refreshes: see {@link after}.
 *
 * @category models
 * @since 0.1.0
 */
export interface After {
  readonly _tag: "After"
  /** The share of the freshness, above 0 and below 1. */
  readonly fraction: number
}

/**
 * Each read draws; the nearer the end and the slower the lookup, the likelier a refresh: see
 * {@link xfetch}.
 *
 * @category models
 * @since 0.1.0
 */
export interface XFetch {
  readonly _tag: "XFetch"
  /** How eager the refresh is: above 1 is earlier, below 1 later. */
  readonly beta: number
  /**
   * The share of the freshness, counted from its end, in which a refresh may happen: above 0, at
   * most 1.
   */
  readonly maxFraction: number
}

/**
 * An early refresh whose draw is also made on a schedule, for keys that were read since their value
 * was stored: see {@link scheduled}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Scheduled {
  readonly _tag: "Scheduled"
  readonly early: None | After | XFetch
  readonly schedule: Schedule.Schedule<unknown>
}

/**
 * When to refresh a value that is still fresh: an option of a `Policy`.
 *
 * @category models
 * @since 0.1.0
 */
export type EarlyRefresh = None | After | XFetch | Scheduled

/**
 * No early refresh, the default: a value is refreshed once it is stale.
 *
 * **Example**
 *
 * ```ts
 * import { EarlyRefresh, Policy } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.deepStrictEqual(Policy.make({ freshFor: "1 minute" }).earlyRefresh, EarlyRefresh.none)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const none: None = Object.freeze({ _tag: "None" })

const orProblem = <A>(
  problem: InvalidPolicy | undefined,
  early: A,
): Result.Result<A, InvalidPolicy> =>
  problem === undefined ? Result.succeed(Object.freeze(early)) : Result.fail(problem)

/**
 * {@link after} for a share from outside: returns the `InvalidPolicy` instead of throwing it.
 *
 * **Example**
 *
 * ```ts
 * import { EarlyRefresh } from "@larder/core"
 * import { Result } from "effect"
 * import * as assert from "node:assert"
 *
 * assert.ok(Result.isFailure(EarlyRefresh.afterResult(1.5)))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const afterResult = (fraction: number): Result.Result<After, InvalidPolicy> =>
  orProblem(problems.ofAfter(fraction), { _tag: "After", fraction })

/**
 * An early refresh by age: the first read after this share of the freshness
 * refreshes in the background.
 *
 * **When to use**
 *
 * Use with one node, or behind a tier that grants leases. Many uncoordinated
 * nodes would refresh at the same moment; {@link xfetch} spreads their refreshes.
 *
 * **Gotchas**
 *
 * Throws `InvalidPolicy` unless `0 < fraction < 1`; {@link afterResult} returns it.
 *
 * **Example**
 *
 * ```ts
 * import { EarlyRefresh, Policy } from "@larder/core"
 *
 * export const policy = Policy.make({ freshFor: "10 seconds", earlyRefresh: EarlyRefresh.after(0.8) })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const after = (fraction: number): After => Result.getOrThrow(afterResult(fraction))

/**
 * Options of {@link xfetch}.
 *
 * @category options
 * @since 0.1.0
 */
export interface XFetchOptions {
  /** A value above 1 refreshes earlier. A finite number above 0, default 1. */
  readonly beta?: number | undefined
  /** The share of the freshness, at its end, in which a refresh may happen. Above 0 and at most 1, default 0.5. */
  readonly maxFraction?: number | undefined
}

const xfetchNames: NamesOf<XFetchOptions> = { beta: true, maxFraction: true }

/**
 * {@link xfetch} for options from outside: returns the `InvalidPolicy` instead of throwing it.
 *
 * **Example**
 *
 * ```ts
 * import { EarlyRefresh } from "@larder/core"
 * import { Result } from "effect"
 * import * as assert from "node:assert"
 *
 * assert.ok(Result.isFailure(EarlyRefresh.xfetchResult({ beta: 0 })))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const xfetchResult = (options: XFetchOptions = {}): Result.Result<XFetch, InvalidPolicy> => {
  const mistake = misnamed(options, xfetchNames, "earlyRefresh")
  if (mistake !== undefined) return Result.fail(mistake)
  const { beta = 1, maxFraction = 0.5 } = options
  return orProblem(problems.ofXFetch(beta, maxFraction), { _tag: "XFetch", beta, maxFraction })
}

/**
 * A probabilistic early refresh, against stampedes of many nodes: XFetch of
 * Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede
 * Prevention", PVLDB 8(8), 2015.
 *
 * **Details**
 *
 * A read at `now` refreshes iff `now - loadMillis * beta * ln(u) >= freshUntil`
 * with `u` uniform in (0, 1]. A `beta` (default 1) above 1 refreshes earlier. No
 * read refreshes in the first `1 - maxFraction` (default 0.5) of the freshness.
 *
 * **Gotchas**
 *
 * Without coordination the mean number of nodes that refresh one expiry is
 * e^(1/beta), not one. Throws `InvalidPolicy` unless `beta` is a finite number
 * above 0 and `0 < maxFraction <= 1`; {@link xfetchResult} returns it.
 *
 * **Example**
 *
 * ```ts
 * import { EarlyRefresh, Policy } from "@larder/core"
 *
 * export const policy = Policy.make({ freshFor: "1 minute", earlyRefresh: EarlyRefresh.xfetch({ beta: 2 }) })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const xfetch = (options?: XFetchOptions): XFetch => Result.getOrThrow(xfetchResult(options))

/**
 * {@link scheduled} for arguments from outside: returns the `InvalidPolicy` instead of throwing it.
 *
 * **Example**
 *
 * ```ts
 * import { EarlyRefresh } from "@larder/core"
 * import { Result, Schedule } from "effect"
 * import * as assert from "node:assert"
 *
 * const early = EarlyRefresh.scheduledResult(EarlyRefresh.xfetch(), Schedule.spaced("1 second"))
 * assert.ok(Result.isSuccess(early))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const scheduledResult: {
  (
    schedule: Schedule.Schedule<unknown>,
  ): (early: After | XFetch) => Result.Result<Scheduled, InvalidPolicy>
  (
    early: After | XFetch,
    schedule: Schedule.Schedule<unknown>,
  ): Result.Result<Scheduled, InvalidPolicy>
} = dual(2, (early: After | XFetch, schedule: Schedule.Schedule<unknown>) =>
  orProblem(problems.ofScheduled(early, schedule), { _tag: "Scheduled", early, schedule } as const),
)

/**
 * An early refresh for keys that are read in bursts: makes the draw of `early` on
 * reads, and also on each tick of `schedule` for keys that were read since their
 * value was stored, so that these keys are refreshed between the bursts.
 *
 * **Details**
 *
 * The sweep sleeps while no entry is fresh. A larder has one sweep for each schedule, at
 * most 16; a sweep begins when the larder stores the first entry with its schedule.
 *
 * **Gotchas**
 *
 * Make the schedule once, not in the function of an adaptive policy: entries beyond the
 * sixteenth schedule are swept on the first one, and a warning says so. Throws
 * `InvalidPolicy` when `early` is no early refresh or `schedule` no schedule;
 * {@link scheduledResult} returns it.
 *
 * **Example**
 *
 * ```ts
 * import { EarlyRefresh, Policy } from "@larder/core"
 * import { Schedule } from "effect"
 *
 * export const policy = Policy.make({
 *   freshFor: "1 minute",
 *   earlyRefresh: EarlyRefresh.scheduled(EarlyRefresh.xfetch(), Schedule.spaced("1 second"))
 * })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const scheduled: {
  (schedule: Schedule.Schedule<unknown>): (early: After | XFetch) => Scheduled
  (early: After | XFetch, schedule: Schedule.Schedule<unknown>): Scheduled
} = dual(2, (early: After | XFetch, schedule: Schedule.Schedule<unknown>) =>
  Result.getOrThrow(scheduledResult(early, schedule)),
)

/**
 * -ln(u) of a double in (0, 1] is at most 53 ln 2, below 37: no draw refreshes
 * earlier than this many load times before the end of the freshness.
 */
const furthestDraw = 40

/**
 * The earliest moment (ms since the Unix epoch) at which a read of this entry can refresh it;
 * `Entry.forever` if no read can. A cache of your own need not draw before it.
 *
 * **Example**
 *
 * ```ts
 * import { EarlyRefresh } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const entry = {
 *   value: "milk", storedAt: 0, freshUntil: 10_000, revalidateUntil: 10_000, staleUntil: 10_000,
 *   loadMillis: 100, version: 1, asOf: 0, tags: []
 * }
 * assert.strictEqual(EarlyRefresh.earliest(EarlyRefresh.after(0.8), entry), 8_000)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const earliest = (early: EarlyRefresh, entry: Entry<unknown>): number => {
  if (entry.freshUntil === forever) return forever
  const freshFor = entry.freshUntil - entry.storedAt
  switch (early._tag) {
    case "None":
      return forever
    case "After":
      return Math.ceil(entry.storedAt + early.fraction * freshFor)
    case "XFetch":
      return Math.ceil(
        entry.freshUntil -
          Math.min(early.maxFraction * freshFor, furthestDraw * early.beta * entry.loadMillis),
      )
    case "Scheduled":
      return earliest(early.early, entry)
  }
}

/**
 * Whether a read at `now` (ms) refreshes, given a draw `u` in (0, 1].
 *
 * **Example**
 *
 * ```ts
 * import { EarlyRefresh } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const entry = {
 *   value: "milk", storedAt: 0, freshUntil: 10_000, revalidateUntil: 10_000, staleUntil: 10_000,
 *   loadMillis: 100, version: 1, asOf: 0, tags: []
 * }
 * assert.strictEqual(EarlyRefresh.shouldRefresh(EarlyRefresh.after(0.8), entry, 7_999, 0.5), false)
 * assert.strictEqual(EarlyRefresh.shouldRefresh(EarlyRefresh.after(0.8), entry, 8_000, 0.5), true)
 * assert.strictEqual(EarlyRefresh.shouldRefresh(EarlyRefresh.xfetch(), entry, 9_950, 0.5), true)
 * assert.strictEqual(EarlyRefresh.shouldRefresh(EarlyRefresh.xfetch(), entry, 9_950, 0.9), false)
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const shouldRefresh = (
  early: EarlyRefresh,
  entry: Entry<unknown>,
  now: number,
  u: number,
): boolean => {
  switch (early._tag) {
    case "None":
      return false
    case "After":
      return now >= earliest(early, entry)
    case "XFetch":
      return (
        now >= entry.freshUntil ||
        (now >= earliest(early, entry) &&
          now - entry.loadMillis * early.beta * Math.log(u) >= entry.freshUntil)
      )
    case "Scheduled":
      return shouldRefresh(early.early, entry, now, u)
  }
}
