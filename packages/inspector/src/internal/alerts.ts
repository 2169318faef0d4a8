/** The alerts: what each asks of the recorded series, for how long, and how its summary tells it. */
import type { AlertingRule, Severity } from "../Rules.ts"
import { rateBy } from "./promql.ts"
import { day, hour, minute, type Scaled, scaledBy } from "./scaled.ts"
import type { Settings } from "./settings.ts"

interface Alert {
  readonly name: string
  readonly expr: string
  /** Minutes for which the expression must hold; 0 for at once. */
  readonly minutes: number
  readonly severity: Severity
  /** The figures, as a template of Prometheus. */
  readonly summary: string
  /** The heading of its paragraph in the runbook. Default: the name. */
  readonly paragraph?: string
}

/** Another recorded series of the same larder, within a summary. */
const figure = (recorded: string, format: string): string =>
  `{{ with query (printf "${recorded}{larder=%q}" $labels.larder) }}{{ . | first | value | ${format} }}{{ end }}`

/** Rates: `humanize` writes a fifth as 200m. */
const rate = 'printf "%.2f"'

const ofNodes = (
  { breakerNotClosed, gapRate, lockWait }: Settings,
  scaled: Scaled,
): ReadonlyArray<Alert> => [
  {
    name: "HighLockContention",
    expr: `${rateBy("larder", "larder_lease_wait_seconds_sum", scaled(5 * minute))} > ${lockWait}`,
    minutes: 5,
    severity: "warning",
    summary:
      'Callers of {{ $labels.larder }} wait {{ printf "%.2f" $value }} s in each second for lookups of other nodes.',
  },
  {
    name: "CircuitBreakerOpen",
    expr: `max by (larder, breaker) (larder_breaker_not_closed_seconds) > ${breakerNotClosed / 1_000}`,
    minutes: 1,
    severity: "critical",
    summary:
      "The circuit breaker {{ $labels.breaker }} of {{ $labels.larder }} has not been closed for {{ $value | humanizeDuration }}.",
  },
  {
    name: "MessageGaps",
    expr: `larder:gaps:rate5m > ${gapRate}`,
    minutes: 10,
    severity: "warning",
    summary:
      'Nodes of {{ $labels.larder }} may miss messages of other nodes: {{ printf "%.3f" $value }} gaps a second.',
  },
]

const ofStaleness = (settings: Settings): ReadonlyArray<Alert> => {
  const { countRevalidating, leastStaleRate, staleRatio } = settings
  const ratio = countRevalidating ? "larder:stale_ratio:rate5m" : "larder:forced_stale_ratio:rate5m"
  const cause = countRevalidating ? "" : ", for another reason than a refresh behind the answer"
  return [
    {
      name: "HighStaleHitRatio",
      expr: `${ratio} > ${staleRatio} and larder:answers:rate5m > ${leastStaleRate}`,
      minutes: 10,
      severity: "warning",
      summary: `{{ $value | humanizePercentage }} of the answers of {{ $labels.larder }} are stale${cause}.`,
    },
  ]
}

interface Steps {
  readonly low: string
  readonly high: string
  readonly paragraph: string
  /** The series of sigmas, the least change in its own unit, and the summary. */
  readonly series: string
  readonly sign: "<" | ">"
  readonly change: string
  /** How long ago, in ms, there must have been a baseline: a day for what has a daily rhythm. */
  readonly history: number
  readonly summary: string
}

/**
 * A warning and a critical alert about one baseline. Without some history there is no baseline worth the
 * name, and with few answers each of them moves the ratio.
 */
const steps = (
  { criticalSigmas, leastBaselineRate, warningSigmas }: Settings,
  scaled: Scaled,
  { change, history, series, ...of }: Steps,
): ReadonlyArray<Alert> => {
  const sign = of.sign === "<" ? "-" : ""
  const isKnown = `${series}:baseline offset ${scaled(history)}`
  const step = (sigmas: number) =>
    `${series}:sigmas ${of.sign} ${sign}${sigmas} and ${change} and larder:answers:rate5m > ${leastBaselineRate} and ${isKnown}`
  const { paragraph, summary } = of
  return [
    {
      name: of.low,
      expr: step(warningSigmas),
      minutes: 10,
      severity: "warning",
      summary,
      paragraph,
    },
    {
      name: of.high,
      expr: step(criticalSigmas),
      minutes: 5,
      severity: "critical",
      summary,
      paragraph,
    },
  ]
}

const sigmas = `{{ printf "%+.1f" $value }} standard deviations`

const ofBaselines = (settings: Settings, scaled: Scaled): ReadonlyArray<Alert> => {
  const { hitRatioFall, latencyRise, lookupsRise } = settings
  return [
    ...steps(settings, scaled, {
      low: "HitRatioLow",
      high: "HitRatioVeryLow",
      paragraph: "HitRatioLow and HitRatioVeryLow",
      series: "larder:hit_ratio",
      sign: "<",
      history: hour,
      change: `larder:hit_ratio:baseline - larder:hit_ratio:rate5m > ${hitRatioFall}`,
      summary: `The hit ratio of {{ $labels.larder }} is ${figure("larder:hit_ratio:rate5m", "humanizePercentage")}, ${sigmas} from its mean of the day before, ${figure("larder:hit_ratio:baseline", "humanizePercentage")}.`,
    }),
    ...steps(settings, scaled, {
      low: "LatencyHigh",
      high: "LatencyVeryHigh",
      paragraph: "LatencyHigh and LatencyVeryHigh",
      series: "larder:answer_duration",
      sign: ">",
      history: day,
      change: `larder:answer_duration:mean5m - larder:answer_duration:baseline > ${latencyRise / 1_000}`,
      summary: `Callers of {{ $labels.larder }} that wait do so for ${figure("larder:answer_duration:mean5m", "humanizeDuration")}, ${sigmas} from the mean of the day before, ${figure("larder:answer_duration:baseline", "humanizeDuration")}.`,
    }),
    ...steps(settings, scaled, {
      low: "LookupsHigh",
      high: "LookupsVeryHigh",
      paragraph: "LookupsHigh and LookupsVeryHigh",
      series: "larder:lookups",
      sign: ">",
      history: day,
      change: `larder:lookups:rate5m - larder:lookups:baseline > ${lookupsRise}`,
      summary: `{{ $labels.larder }} looks up ${figure("larder:lookups:rate5m", rate)} keys a second, ${sigmas} from the mean of the day before, ${figure("larder:lookups:baseline", rate)}.`,
    }),
  ]
}

/** Fast and slow burn of the objective's budget, each seen in a long window and in a short one. */
const ofObjective = ({ fastBurn, slowBurn }: Settings): ReadonlyArray<Alert> => {
  const burning = (long: string, short: string, rate: number) =>
    `larder:objective_burn:rate${long} > ${rate} and larder:objective_burn:rate${short} > ${rate}`
  const summary = (long: string) =>
    `{{ $labels.larder }} answers with older values than its objective allows: in the last ${long} {{ $value | humanize }} times as often as its budget has.`
  const name = "FreshnessObjectiveBurning"
  return [
    {
      name,
      expr: burning("1h", "5m", fastBurn),
      minutes: 0,
      severity: "critical",
      summary: summary("hour"),
    },
    {
      name,
      expr: burning("6h", "30m", slowBurn),
      minutes: 0,
      severity: "warning",
      summary: summary("6 hours"),
    },
  ]
}

const ofChanges = (
  { outdatedShare, pendingChanges }: Settings,
  scaled: Scaled,
): ReadonlyArray<Alert> => {
  const audits = (selector: string) =>
    rateBy("larder", `larder_audits_total{${selector}}`, scaled(hour))
  return [
    {
      name: "ChangesNotSettled",
      expr: `larder_changes_pending > ${pendingChanges}`,
      minutes: 2,
      severity: "critical",
      summary:
        "{{ $value }} changes of {{ $labels.larder }} on {{ $labels.instance }} are not at the arbiter: other nodes still answer with the old values.",
    },
    {
      name: "EntriesOutdated",
      expr: `${audits(`result="differs"`)} / (${audits(`result=~"same|differs"`)} > 0) > ${outdatedShare}`,
      minutes: 30,
      severity: "warning",
      summary:
        "{{ $value | humanizePercentage }} of the audited fresh values of {{ $labels.larder }} differ from upstream: somebody changes values without invalidating them.",
    },
  ]
}

/** Processes that share an outbox tell the same of it: the highest counts once. */
const ofOutboxes = ({ oldestWrite }: Settings): ReadonlyArray<Alert> => [
  {
    name: "WritesLagging",
    expr: `max by (larder) (larder_outbox_oldest_seconds) > ${oldestWrite / 1_000}`,
    minutes: 2,
    severity: "warning",
    summary:
      "The source of {{ $labels.larder }} lacks a write that was acknowledged {{ $value | humanizeDuration }} ago.",
  },
  {
    name: "WritesDead",
    expr: `max by (larder) (larder_outbox_writes{state="dead"}) > 0`,
    minutes: 0,
    severity: "critical",
    summary:
      "The source of {{ $labels.larder }} will not get {{ $value }} acknowledged writes: they are dead letters.",
  },
]

const ofDetectors = ({ stampedeRate }: Settings): ReadonlyArray<Alert> => {
  const raised = (name: string, kind: string, summary: string): Alert => ({
    name,
    expr: `larder_anomaly{kind="${kind}"} == 1`,
    minutes: 5,
    severity: "warning",
    summary,
  })
  const hitRatio = figure("larder:hit_ratio:rate5m", "humanizePercentage")
  const lookups = figure("larder:lookups:rate5m", rate)
  const where = "{{ $labels.larder }} on {{ $labels.instance }}"
  return [
    {
      name: "Stampedes",
      expr: `larder:stampedes:rate5m > ${stampedeRate}`,
      minutes: 5,
      severity: "warning",
      summary:
        '{{ $labels.larder }} has {{ printf "%.2f" $value }} lookups a second that more than 10 callers wait for.',
    },
    raised(
      "KeyPollution",
      "key_pollution",
      `The keys of ${where} hardly ever return: the hit ratio is ${hitRatio}.`,
    ),
    raised(
      "TtlTooShort",
      "ttl_too_short",
      `The values of ${where} expire before they are read again, or do not change: the hit ratio is ${hitRatio}, with ${lookups} lookups a second.`,
    ),
    raised(
      "ColdStart",
      "cold_start",
      `${where} has lost its values and not recovered: the hit ratio is ${hitRatio}, with ${lookups} lookups a second.`,
    ),
    raised(
      "EarlyRefreshOverload",
      "early_refresh_overload",
      `${where} refreshes too much too early: ${lookups} lookups a second.`,
    ),
  ]
}

const anchorOf = (heading: string): string => heading.toLowerCase().replaceAll(" ", "-")

/** All alerts, in the order of the runbook. */
export const alertingRules = (settings: Settings): ReadonlyArray<AlertingRule> => {
  const scaled = scaledBy(settings.timeScale)
  const alerts = [
    ...ofNodes(settings, scaled),
    ...ofStaleness(settings),
    ...ofBaselines(settings, scaled),
    ...ofObjective(settings),
    ...ofChanges(settings, scaled),
    ...ofOutboxes(settings),
    ...ofDetectors(settings),
  ]
  return alerts.map(({ expr, minutes, name, paragraph = name, severity, summary }) => ({
    alert: name,
    expr,
    ...(minutes === 0 ? {} : { for: scaled(minutes * minute) }),
    labels: { severity },
    annotations: { summary, runbook_url: `${settings.runbook}#${anchorOf(paragraph)}` },
  }))
}
