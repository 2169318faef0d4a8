/**
 * What five common mistakes look like from outside: keys that never return, freshness that is too short,
 * stampedes, cold starts, and early refresh that refreshes too much. All functions are pure: the caller
 * passes windows of counts.
 *
 * @module
 * @category observing
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Baseline from "./Baseline.ts"
import type { Window } from "./internal/observe/countWindow.ts"
import {
  adviceOf,
  coldStartSeconds,
  type Context,
  detectors,
  type Finding,
} from "./internal/observe/detectors.ts"
import { calm, step, type Streak } from "./internal/observe/hysteresis.ts"
import type { NamesOf } from "./internal/runtime/optionNames.ts"
import { InvalidOptions } from "./InvalidOptions.ts"
import type { AnomalyKind } from "./LarderEvent.ts"

export type { Window } from "./internal/observe/countWindow.ts"

/**
 * What a detector finds.
 *
 * - `keyPollution`: keys hold something that changes with each call. Over 40 % of the misses are new
 *   keys, under 5 % of the answers are hits, and over 90 % of what memory evicts was never read.
 * - `ttlTooShort`: over half of the misses are expired entries and under 30 % of the answers are hits,
 *   also of those of the last minutes, or over 90 % of the lookups bring the value that was there.
 * - `stampede`: more than 10 callers waited for one lookup, or a key was looked up twice within 5 seconds
 *   while callers waited.
 * - `coldStart`: within 5 minutes of a `make`, a `clear` or a tier's recovery the hit ratio is under half
 *   of the last steady one.
 * - `earlyRefreshOverload`: early refreshes are over 5 % of the answers, or over half of the lookups and
 *   1 % of the answers, or background lookups are shed while there are early refreshes.
 *
 * @category models
 * @since 0.1.0
 */
export type Kind = AnomalyKind

/**
 * Options of {@link make}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** The callers of one lookup above which it is a stampede. An integer of at least 1, default 10. */
  readonly stampedeCallers?: number | undefined
  /** Windows with fewer answers tell nothing. An integer of at least 1, default 100. */
  readonly leastAnswers?: number | undefined
  /**
   * The hit ratio before this process began, from 0 to 1, if it is known: a cold start after `make` is
   * held against it. Default: none, until there have been 10 minutes of steady traffic.
   */
  readonly steadyHitRatio?: number | undefined
}

/**
 * What the detectors remember from window to window.
 *
 * @category models
 * @since 0.1.0
 */
export interface Anomalies {
  readonly settings: {
    readonly stampedeCallers: number
    readonly leastAnswers: number
    readonly steadyHitRatio: number | undefined
  }
  /** Whether each anomaly is raised, and the windows in a row that speak for a change. */
  readonly streaks: Readonly<Record<Kind, Streak>>
  /** The hit ratio while nothing is cold. */
  readonly steady: Baseline.Baseline
  /** The answers of the last minutes: each window counts a little less than the one after it. */
  readonly recent: {
    readonly answers: number
    readonly hits: number
  }
  /** The latest cold start: how long ago, and the lookups since, both at the end of the last window. */
  readonly cold: {
    /** Seconds. */
    readonly seconds: number
    /** Lookups that reached upstream. */
    readonly lookups: number
  }
}

/**
 * An anomaly that was raised or cleared, as the event `AnomalyChanged` tells it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Change {
  readonly kind: Kind
  readonly raised: boolean
  /**
   * The figures of the window: shares from 0 to 1, counts, and seconds. Those of a cold start that ends
   * say how long it took and how many lookups.
   */
  readonly figures: Readonly<Record<string, number>>
  /** What to do about it. */
  readonly advice: string
}

/**
 * What {@link judge} returns.
 *
 * @category models
 * @since 0.1.0
 */
export interface Judgement {
  /** For the next window. */
  readonly after: Anomalies
  readonly changes: ReadonlyArray<Change>
}

/**
 * Thirty seconds in which nothing happened: the fields that a window does not set.
 *
 * **Example**
 *
 * ```ts
 * import { Anomaly } from "@larder/core"
 *
 * export const window: Anomaly.Window = { ...Anomaly.quiet, answers: 500, hits: 450 }
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const quiet: Window = Object.freeze({
  seconds: 30,
  answers: 0,
  hits: 0,
  missesByCause: Object.freeze({
    new: 0,
    evicted: 0,
    expired: 0,
    marked: 0,
    suspect: 0,
    demand: 0,
  }),
  waits: 0,
  waitSeconds: 0,
  lookups: 0,
  notModified: 0,
  sameRevision: 0,
  earlyRefreshes: 0,
  backgroundShed: 0,
  evictions: 0,
  evictionsUnread: 0,
  mostCallers: 0,
  mostLookups: 0,
  coldSeconds: Infinity,
  samples: Object.freeze([]),
})

const names: NamesOf<Options> = { stampedeCallers: true, leastAnswers: true, steadyHitRatio: true }

const invalid = (field: string, must: string, got: unknown): InvalidOptions =>
  InvalidOptions.of({ module: "Anomaly", field, must, got })

const mistakeIn = (options: Options): InvalidOptions | undefined => {
  const misnamed = InvalidOptions.ofNames({ module: "Anomaly", names, got: options })
  if (misnamed !== undefined) return misnamed
  const { leastAnswers = 100, stampedeCallers = 10, steadyHitRatio = 0 } = options
  for (const [field, got] of Object.entries({ stampedeCallers, leastAnswers })) {
    if (!Number.isInteger(got) || got < 1) return invalid(field, "be an integer of at least 1", got)
  }
  return typeof steadyHitRatio === "number" && steadyHitRatio >= 0 && steadyHitRatio <= 1
    ? undefined
    : invalid("steadyHitRatio", "be a share from 0 to 1", steadyHitRatio)
}

/** Its window is short: the last steady hit ratio, not that of a day. */
const steady = Baseline.make({ window: "10 minutes", offset: 0, leastAnswers: 0 })

/**
 * {@link make} for options from outside: returns the `InvalidOptions` instead of throwing it.
 *
 * **Example**
 *
 * ```ts
 * import { Anomaly } from "@larder/core"
 * import { Result } from "effect"
 * import * as assert from "node:assert"
 *
 * assert.ok(Result.isFailure(Anomaly.makeResult({ stampedeCallers: 0 })))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeResult = (options: Options = {}): Result.Result<Anomalies, InvalidOptions> => {
  const mistake = mistakeIn(options)
  if (mistake !== undefined) return Result.fail(mistake)
  const { leastAnswers = 100, stampedeCallers = 10, steadyHitRatio } = options
  return Result.succeed({
    settings: { stampedeCallers, leastAnswers, steadyHitRatio },
    streaks: {
      keyPollution: calm,
      ttlTooShort: calm,
      stampede: calm,
      coldStart: calm,
      earlyRefreshOverload: calm,
    },
    steady,
    recent: { answers: 0, hits: 0 },
    cold: { seconds: Infinity, lookups: 0 },
  })
}

/**
 * What there is before the first window: nothing raised.
 *
 * **Gotchas**
 *
 * Throws `InvalidOptions`; {@link makeResult} returns it.
 *
 * **Example**
 *
 * ```ts
 * import { Anomaly } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Anomaly.make({ stampedeCallers: 50 }).streaks.stampede.raised, false)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Anomalies => Result.getOrThrow(makeResult(options))

const coldAfter = (window: Window, { cold }: Anomalies): Anomalies["cold"] => {
  const isAnother = window.coldSeconds < cold.seconds
  return {
    seconds: window.coldSeconds,
    lookups: isAnother ? window.lookups : cold.lookups + window.lookups,
  }
}

/** Five minutes after a window of half a minute, it counts for a half. */
const keptOfRecent = 0.5 ** (1 / 10)

const recentAfter = ({ answers, hits }: Window, { recent }: Anomalies): Anomalies["recent"] => ({
  answers: recent.answers * keptOfRecent + answers,
  hits: recent.hits * keptOfRecent + hits,
})

const changeOf = (kind: Kind, raised: boolean, finding: Finding, window: Window): Change => ({
  kind,
  raised,
  figures: finding.figures,
  advice: adviceOf(kind, window),
})

/**
 * What a window of counts says of each anomaly, after the windows before it.
 *
 * **When to use**
 *
 * Use with windows of 30 seconds or so, made from differences of `larder.stats`. A larder does this by
 * itself where detectors are provided.
 *
 * **Details**
 *
 * An anomaly is raised by two windows in a row and cleared by four under half of its thresholds. A window
 * with too few answers says nothing: it breaks the row of the windows that raise, and does not count among
 * those that clear.
 *
 * **Example**
 *
 * ```ts
 * import { Anomaly } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * // Each call has a key of its own.
 * const window: Anomaly.Window = {
 *   ...Anomaly.quiet,
 *   answers: 500,
 *   missesByCause: { ...Anomaly.quiet.missesByCause, new: 500 },
 *   lookups: 500,
 *   evictions: 500,
 *   evictionsUnread: 500,
 *   samples: ["3f9a01c2e4b7", "91b2d07f55aa"],
 * }
 * const once = Anomaly.judge(window, Anomaly.make())
 * assert.deepStrictEqual(once.changes, [])
 * const [change] = Anomaly.judge(window, once.after).changes
 * assert.strictEqual(change?.kind, "keyPollution")
 * assert.match(change.advice, /^The key holds something that changes with each call/)
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const judge = (window: Window, before: Anomalies): Judgement => {
  const { settings, steady, streaks } = before
  const isTelling = window.answers >= settings.leastAnswers
  const cold = coldAfter(window, before)
  const recent = recentAfter(window, before)
  const context: Context = {
    stampedeCallers: settings.stampedeCallers,
    steadyHitRatio: Baseline.usual(steady, "hitRatio") ?? settings.steadyHitRatio,
    recentHitRatio: recent.answers > 0 ? recent.hits / recent.answers : 0,
    isColdRaised: streaks.coldStart.raised,
    coldLookups: cold.lookups,
  }
  const judged = (kind: Kind) => {
    const finding = detectors[kind](window, context)
    return { kind, finding, streak: step(streaks[kind], isTelling ? finding.score : undefined) }
  }
  const all = {
    keyPollution: judged("keyPollution"),
    ttlTooShort: judged("ttlTooShort"),
    stampede: judged("stampede"),
    coldStart: judged("coldStart"),
    earlyRefreshOverload: judged("earlyRefreshOverload"),
  }
  const isSteady =
    isTelling && window.coldSeconds > coldStartSeconds && !all.coldStart.streak.raised
  return {
    after: {
      settings,
      streaks: {
        keyPollution: all.keyPollution.streak,
        ttlTooShort: all.ttlTooShort.streak,
        stampede: all.stampede.streak,
        coldStart: all.coldStart.streak,
        earlyRefreshOverload: all.earlyRefreshOverload.streak,
      },
      steady: isSteady ? Baseline.feed(steady, window) : steady,
      recent,
      cold,
    },
    changes: Object.values(all)
      .filter(({ kind, streak }) => streak.raised !== streaks[kind].raised)
      .map(({ finding, kind, streak }) => changeOf(kind, streak.raised, finding, window)),
  }
}
