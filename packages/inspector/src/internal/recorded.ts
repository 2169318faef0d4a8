/** The recording rules: what alerts and panels have in common, worked out once. */
import type { RecordingRule } from "../Rules.ts"
import { rateBy } from "./promql.ts"
import { day, hour, minute, type Scaled, scaledBy } from "./scaled.ts"
import type { Settings } from "./settings.ts"

const answers = (window: string): string => rateBy("larder", "larder_answers_total", window)

const ratios = (w5: string): ReadonlyArray<RecordingRule> => {
  const given = rateBy("larder", `larder_answers_total{outcome!="failed"}`, w5)
  const fromTiers = rateBy("larder", `larder_answers_total{source!~"upstream|none"}`, w5)
  const stale = rateBy("larder", `larder_answers_total{outcome="stale"}`, w5)
  const forced = rateBy("larder", `larder_stale_answers_total{reason!="revalidating"}`, w5)
  return [
    { record: "larder:answers:rate5m", expr: answers(w5) },
    { record: "larder:hit_ratio:rate5m", expr: `${fromTiers} / (larder:answers:rate5m > 0)` },
    { record: "larder:stale_ratio:rate5m", expr: `${stale} / (${given} > 0)` },
    { record: "larder:forced_stale_ratio:rate5m", expr: `${forced} / (${given} > 0)` },
  ]
}

const ofLookups = (w5: string): ReadonlyArray<RecordingRule> => {
  const callers = rateBy("larder", "larder_lookup_callers_count", w5)
  const few = rateBy("larder", `larder_lookup_callers_bucket{le="10"}`, w5)
  const lookups = rateBy("larder", "larder_lookups_total", w5)
  return [
    { record: "larder:lookups:rate5m", expr: lookups },
    { record: "larder:lookups_avoided:rate5m", expr: `larder:answers:rate5m - ${lookups}` },
    { record: "larder:stampedes:rate5m", expr: `${callers} - ${few}` },
  ]
}

const meanWait = (w5: string): RecordingRule => {
  const waited = rateBy("larder", "larder_answer_duration_seconds_sum", w5)
  const callers = rateBy("larder", "larder_answer_duration_seconds_count", w5)
  return { record: "larder:answer_duration:mean5m", expr: `${waited} / (${callers} > 0)` }
}

/**
 * The mean of the day before and how far from it the present is. An hour apart, so that a fall is not
 * in the baseline that it is held against.
 */
const baseline = (name: string, recorded: string, floor: number, scaled: Scaled) => {
  const before = `${recorded}[${scaled(day)}] offset ${scaled(hour)}`
  const mean = `larder:${name}:baseline`
  const deviation = `clamp_min(stddev_over_time(${before}), ${floor})`
  return [
    { record: mean, expr: `avg_over_time(${before})` },
    { record: `larder:${name}:sigmas`, expr: `(${recorded} - ${mean}) / ${deviation}` },
  ]
}

/** The windows of the objective's burn, by the name that is recorded. */
const burnWindows = { "5m": 5 * minute, "30m": 30 * minute, "1h": hour, "6h": 6 * hour }

const burn = (scaled: Scaled): ReadonlyArray<RecordingRule> =>
  Object.entries(burnWindows).map(([name, millis]) => {
    const window = scaled(millis)
    const within = rateBy("larder", "larder_answers_within_objective_total", window)
    const missed = `1 - ${within} / (${answers(window)} > 0)`
    const budget = "1 - max by (larder) (larder_objective_ratio)"
    return {
      record: `larder:objective_burn:rate${name}`,
      expr: `(${missed}) / on (larder) (${budget})`,
    }
  })

/** All recording rules, each after those that it reads. */
export const recordingRules = (settings: Settings): ReadonlyArray<RecordingRule> => {
  const scaled = scaledBy(settings.timeScale)
  const w5 = scaled(5 * minute)
  const { hitRatioFloor, latencyFloor, lookupsFloor } = settings
  return [
    ...ratios(w5),
    ...ofLookups(w5),
    meanWait(w5),
    { record: "larder:gaps:rate5m", expr: rateBy("larder", "larder_gaps_total", w5) },
    ...baseline("hit_ratio", "larder:hit_ratio:rate5m", hitRatioFloor, scaled),
    ...baseline("answer_duration", "larder:answer_duration:mean5m", latencyFloor / 1_000, scaled),
    ...baseline("lookups", "larder:lookups:rate5m", lookupsFloor, scaled),
    ...burn(scaled),
  ]
}
