/**
 * Recording rules and alerts for the metrics of larders, as the data of a Prometheus rule file.
 *
 * **Example**
 *
 * ```ts
 * import { Rules } from "@larder/inspector"
 * import * as fs from "node:fs"
 * import * as os from "node:os"
 * import * as path from "node:path"
 *
 * // Prometheus reads JSON as a rule file: JSON is YAML.
 * const file = path.join(os.tmpdir(), "larder.rules.json")
 * fs.writeFileSync(file, JSON.stringify(Rules.make({ staleRatio: 0.2 })))
 * ```
 *
 * @module
 * @category observing
 * @since 0.1.0
 */
import type { InvalidOptions } from "@larder/core"
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import { alertingRules } from "./internal/alerts.ts"
import { durationText } from "./internal/promql.ts"
import { recordingRules } from "./internal/recorded.ts"
import { settingsOf } from "./internal/settings.ts"

/**
 * How urgent an alert is: `"critical"` where callers get no values or wrong ones.
 *
 * @category models
 * @since 0.1.0
 */
export type Severity = "warning" | "critical"

/**
 * A series that Prometheus works out at each evaluation, for alerts and panels to read.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecordingRule {
  readonly record: string
  readonly expr: string
}

/**
 * An alert of Prometheus.
 *
 * @category models
 * @since 0.1.0
 */
export interface AlertingRule {
  readonly alert: string
  readonly expr: string
  /** How long the expression must hold. Without it the alert fires at once. */
  readonly for?: string
  readonly labels: { readonly severity: Severity }
  readonly annotations: {
    /** What is wrong, with the figures. A template, which Prometheus fills in. */
    readonly summary: string
    /** The paragraph of the runbook: what it means, what to look at, what to do, when to ignore it. */
    readonly runbook_url: string
  }
}

/**
 * The content of a rule file of Prometheus.
 *
 * @category models
 * @since 0.1.0
 */
export interface RuleFile {
  readonly groups: ReadonlyArray<{
    readonly name: string
    readonly interval: string
    readonly rules: ReadonlyArray<RecordingRule | AlertingRule>
  }>
}

/**
 * Options of {@link make}. Rates are per second, over all nodes of a larder.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * Divides every window, every `for` and every threshold that is a time, for systems whose time
   * runs faster: 60 makes minutes seconds. At least 1, the default. The names of recorded series stay.
   */
  readonly timeScale?: number | undefined
  /** The address of the runbook, to which each alert adds the anchor of its paragraph. Default `"docs/runbook.md"`. */
  readonly runbook?: string | undefined
  /** The time between two evaluations. Default 30 seconds. */
  readonly interval?: Duration.Input | undefined
  /** HighLockContention: seconds in each second that callers wait for lookups of other nodes. Default 0.1. */
  readonly lockWait?: number | undefined
  /** CircuitBreakerOpen: the time since the breaker was last closed. Default 1 minute. */
  readonly breakerNotClosed?: Duration.Input | undefined
  /** HighStaleHitRatio: the share of stale answers, above 0 and below 1. Default 0.1. */
  readonly staleRatio?: number | undefined
  /**
   * HighStaleHitRatio: count stale answers of `staleWhileRevalidate` as well, for larders without it.
   * Default false: in a larder with it they are health.
   */
  readonly countRevalidating?: boolean | undefined
  /** HighStaleHitRatio: silent with fewer answers a second. Default 0.1. */
  readonly leastStaleRate?: number | undefined
  /** HitRatioLow, LatencyHigh, LookupsHigh: standard deviations from the mean of the day before. Default 2. */
  readonly warningSigmas?: number | undefined
  /** HitRatioVeryLow, LatencyVeryHigh, LookupsVeryHigh: the same. At least `warningSigmas`, default 3. */
  readonly criticalSigmas?: number | undefined
  /** These six: silent with fewer answers a second. Default 1. */
  readonly leastBaselineRate?: number | undefined
  /** The least standard deviation of the hit ratio, a share above 0 and below 1. Default 0.01. */
  readonly hitRatioFloor?: number | undefined
  /** The least fall of the hit ratio, a share above 0 and below 1. Default 0.02. */
  readonly hitRatioFall?: number | undefined
  /** The least standard deviation of the mean wait. Default 5 ms. */
  readonly latencyFloor?: Duration.Input | undefined
  /** The least rise of the mean wait. Default 20 ms. */
  readonly latencyRise?: Duration.Input | undefined
  /** The least standard deviation of lookups a second. Default 0.5. */
  readonly lookupsFloor?: number | undefined
  /** The least rise of lookups a second. Default 1. */
  readonly lookupsRise?: number | undefined
  /** FreshnessObjectiveBurning, critical: the rate of the budget's use over 1 h and 5 min. Default 14.4, 2 % of a month's budget in an hour. */
  readonly fastBurn?: number | undefined
  /** FreshnessObjectiveBurning, warning: the same over 6 h and 30 min. Default 6, 5 % of a month's budget in 6 hours. */
  readonly slowBurn?: number | undefined
  /** Stampedes: lookups a second that answer more than 10 callers. Default 0.1. */
  readonly stampedeRate?: number | undefined
  /** ChangesNotSettled: the most changes of a node that may wait for the arbiter. Default 0. */
  readonly pendingChanges?: number | undefined
  /** EntriesOutdated: the share of audited values that differ, above 0 and below 1. Default 0.01. */
  readonly outdatedShare?: number | undefined
  /** MessageGaps: gaps in the messages of nodes a second. Default 0.01, three in five minutes. */
  readonly gapRate?: number | undefined
  /** WritesLagging: the age of the oldest write that the source does not have. At least `maxLag`; default 1 minute. */
  readonly oldestWrite?: Duration.Input | undefined
}

/**
 * {@link make} for options from outside: returns the `InvalidOptions` instead of throwing it.
 *
 * **Example**
 *
 * ```ts
 * import { Rules } from "@larder/inspector"
 * import { Result } from "effect"
 * import * as assert from "node:assert"
 *
 * assert.ok(Result.isFailure(Rules.makeResult({ staleRatio: 2 })))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeResult = (options: Options = {}): Result.Result<RuleFile, InvalidOptions> =>
  Result.map(settingsOf(options), (settings) => ({
    groups: [
      {
        // One group: its rules run one after the other, so that alerts see what was just recorded.
        name: "larder",
        interval: durationText(settings.interval),
        rules: [...recordingRules(settings), ...alertingRules(settings)],
      },
    ],
  }))

/**
 * All recording rules and alerts, as the data of a Prometheus rule file.
 *
 * **When to use**
 *
 * Use where rule files are made by a program; the command `larder rules` prints the same. One file
 * serves all larders that a Prometheus scrapes.
 *
 * **Gotchas**
 *
 * Throws `InvalidOptions`; {@link makeResult} returns it. HitRatioLow is silent for the first two
 * hours of a larder; LatencyHigh and LookupsHigh for its first day, since a day has a rhythm.
 *
 * **Example**
 *
 * ```ts
 * import { Rules } from "@larder/inspector"
 * import * as assert from "node:assert"
 *
 * const [group] = Rules.make({ breakerNotClosed: "5 minutes" }).groups
 * const alert = group?.rules.find((rule) => "alert" in rule && rule.alert === "CircuitBreakerOpen")
 * assert.strictEqual(
 *   alert?.expr,
 *   "max by (larder, breaker) (larder_breaker_not_closed_seconds) > 300",
 * )
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): RuleFile => Result.getOrThrow(makeResult(options))
