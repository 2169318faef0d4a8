/**
 * What a larder's hit ratio, waits and lookups usually are, and how far from that they are now: mean and
 * standard deviation in which the past weighs less the longer ago it is. All functions are pure: the
 * caller passes windows of counts.
 *
 * @module
 * @category observing
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import { dual } from "effect/Function"
import * as Result from "effect/Result"
import { type Measures, type Pending, settled } from "./internal/observe/baseline.ts"
import { type Settings, settingsOf } from "./internal/observe/baselineSettings.ts"
import { hitRatioOf, type Window } from "./internal/observe/countWindow.ts"
import { deviationOf, nothing } from "./internal/observe/decayed.ts"
import type { InvalidOptions } from "./InvalidOptions.ts"

/**
 * What is held against a baseline: the share of answers that a tier gave, the mean wait of callers that
 * waited in seconds, and lookups per second.
 *
 * @category models
 * @since 0.1.0
 */
export type Measure = "hitRatio" | "meanWait" | "lookups"

/**
 * Options of {@link make}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /** The time in which a window of counts loses all but 1/e of its weight. Default 1 day. */
  readonly window?: Duration.Input | undefined
  /**
   * The time between a window of counts and its entry into the baseline, so that a fall is not held
   * against itself. Default 1 hour; 0 for a baseline that follows at once.
   */
  readonly offset?: Duration.Input | undefined
  /** The standard deviations from the mean that are a warning, and critical. Default 2 and 3. */
  readonly sigmas?: { readonly warning: number; readonly critical: number } | undefined
  /** The least standard deviation of each measure, in its unit. Default 0.01, 0.005 s and 0.5 a second. */
  readonly floors?: Readonly<Partial<Record<Measure, number>>> | undefined
  /** The least change of each measure, in its unit. Default 0.02, 0.02 s and 1 a second. */
  readonly leastChanges?: Readonly<Partial<Record<Measure, number>>> | undefined
  /** Windows with fewer answers a second are neither judged nor part of the baseline. Default 1. */
  readonly leastAnswers?: number | undefined
}

/**
 * What has been usual so far: see {@link make}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Baseline {
  readonly settings: Settings
  readonly measures: Measures
  /** The windows that are younger than the offset. */
  readonly pending: ReadonlyArray<Pending>
}

/**
 * How a measure compares with its baseline.
 *
 * @category models
 * @since 0.1.0
 */
export interface Verdict {
  /**
   * `"unknown"`: the window has too few answers, or the baseline too few windows. A hit ratio that
   * rises and waits and lookups that fall are `"normal"`.
   */
  readonly level: "unknown" | "normal" | "warning" | "critical"
  /** The measure in the window, in its unit; 0 where it is unknown. */
  readonly value: number
  /** The mean of the baseline, in the unit of the measure; 0 where it is unknown. */
  readonly mean: number
  /** The distance from the mean in standard deviations, at least the floor; below 0 it has fallen. */
  readonly sigmas: number
}

/**
 * {@link make} for options from outside: returns the `InvalidOptions` instead of throwing it.
 *
 * **Example**
 *
 * ```ts
 * import { Baseline } from "@larder/core"
 * import { Result } from "effect"
 * import * as assert from "node:assert"
 *
 * assert.ok(Result.isFailure(Baseline.makeResult({ window: "5 minutes", leastAnswers: -1 })))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeResult = (options: Options = {}): Result.Result<Baseline, InvalidOptions> =>
  Result.map(settingsOf(options), (settings) => ({
    settings,
    measures: { hitRatio: nothing, meanWait: nothing, lookups: nothing },
    pending: [],
  }))

/**
 * A baseline that knows nothing yet.
 *
 * **When to use**
 *
 * Use to notice in the process itself what the alerts of `@larder/inspector` notice with Prometheus:
 * {@link feed} it the differences of `larder.stats` every 30 seconds or so, and {@link judge} each before.
 *
 * **Gotchas**
 *
 * Throws `InvalidOptions`; {@link makeResult} returns it. A baseline that is not kept over a restart
 * begins anew.
 *
 * **Example**
 *
 * ```ts
 * import { Anomaly, Baseline } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const health = { ...Anomaly.quiet, answers: 1_000, hits: 900, lookups: 100 }
 * const start = Baseline.make({ window: "1 hour", offset: 0, sigmas: { warning: 2, critical: 3 } })
 * const usual = Array.from({ length: 60 }).reduce<Baseline.Baseline>(
 *   (before) => Baseline.feed(before, health),
 *   start,
 * )
 * assert.strictEqual(Baseline.judge(usual, health).hitRatio.level, "normal")
 * assert.strictEqual(Baseline.judge(usual, { ...health, hits: 500 }).hitRatio.level, "critical")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Baseline => Result.getOrThrow(makeResult(options))

const isJudged = ({ settings }: Baseline, { answers, seconds }: Window): boolean =>
  hasLength(seconds) && answers > 0 && answers / seconds >= settings.leastAnswers

const hasLength = (seconds: number): boolean => seconds > 0 && seconds < Infinity

/**
 * A figure that can be one. Of counters that began anew the difference is negative, and one figure that is
 * no number would make every later mean none.
 */
const plausible = (value: number | undefined, most = Number.MAX_VALUE): number | undefined =>
  value !== undefined && value >= 0 && value <= most ? value : undefined

const valuesOf = (baseline: Baseline, window: Window): Pending["values"] =>
  isJudged(baseline, window)
    ? {
        hitRatio: plausible(hitRatioOf(window), 1),
        meanWait: window.waits > 0 ? plausible(window.waitSeconds / window.waits) : undefined,
        lookups: plausible(window.lookups / window.seconds),
      }
    : { hitRatio: undefined, meanWait: undefined, lookups: undefined }

/**
 * The baseline after one more window of counts.
 *
 * **Details**
 *
 * A window with too few answers is no part of the mean; its time passes. So it is with a figure that
 * cannot be one, such as a difference of counters that began anew. A window without a length is ignored.
 *
 * **Example**
 *
 * ```ts
 * import { Anomaly, Baseline } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const window = { ...Anomaly.quiet, answers: 1_000, hits: 900 }
 * const once = Baseline.feed(Baseline.make({ offset: 0 }), window)
 * assert.strictEqual(once.measures.hitRatio.mean, 0.9)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const feed: {
  (window: Window): (self: Baseline) => Baseline
  (self: Baseline, window: Window): Baseline
} = dual(2, (self: Baseline, window: Window): Baseline => {
  if (!hasLength(window.seconds)) return self
  const pending = [...self.pending, { seconds: window.seconds, values: valuesOf(self, window) }]
  return { ...self, ...settled(self.measures, pending, self.settings) }
})

/** Windows before a mean is one. */
const leastWindows = 20

/**
 * The usual value of a measure, in its unit; undefined while fewer than 20 windows are known.
 *
 * **Example**
 *
 * ```ts
 * import { Baseline } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.strictEqual(Baseline.usual(Baseline.make(), "hitRatio"), undefined)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const usual: {
  (measure: Measure): (self: Baseline) => number | undefined
  (self: Baseline, measure: Measure): number | undefined
} = dual(2, (self: Baseline, measure: Measure): number | undefined => {
  const { mean, samples } = self.measures[measure]
  return samples < leastWindows ? undefined : mean
})

const unknown: Verdict = { level: "unknown", value: 0, mean: 0, sigmas: 0 }

const verdictOf = (self: Baseline, measure: Measure, value: number | undefined): Verdict => {
  const mean = usual(self, measure)
  if (mean === undefined || value === undefined) return { ...unknown, value: value ?? 0 }
  const { floors, leastChanges, sigmas: steps } = self.settings
  const deviation = Math.max(deviationOf(self.measures[measure]), floors[measure])
  const sigmas = (value - mean) / deviation
  // Hits are missed when they fall, waits and lookups when they rise.
  const worse = measure === "hitRatio" ? -sigmas : sigmas
  const isNoticeable = Math.abs(value - mean) > leastChanges[measure]
  const level = !isNoticeable || worse <= steps.warning ? "normal" : "warning"
  const isCritical = level === "warning" && worse > steps.critical
  return { level: isCritical ? "critical" : level, value, mean, sigmas }
}

/**
 * How the measures of a window compare with the baseline. The window should not have been fed to it.
 *
 * **Example**
 *
 * ```ts
 * import { Anomaly, Baseline } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const window = { ...Anomaly.quiet, answers: 1_000, hits: 900 }
 * assert.strictEqual(Baseline.judge(Baseline.make(), window).lookups.level, "unknown")
 * ```
 *
 * @category decisions
 * @since 0.1.0
 */
export const judge: {
  (window: Window): (self: Baseline) => Readonly<Record<Measure, Verdict>>
  (self: Baseline, window: Window): Readonly<Record<Measure, Verdict>>
} = dual(2, (self: Baseline, window: Window): Readonly<Record<Measure, Verdict>> => {
  const { hitRatio, lookups, meanWait } = valuesOf(self, window)
  return {
    hitRatio: verdictOf(self, "hitRatio", hitRatio),
    meanWait: verdictOf(self, "meanWait", meanWait),
    lookups: verdictOf(self, "lookups", lookups),
  }
})
