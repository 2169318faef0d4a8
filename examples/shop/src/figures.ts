/** What the metrics of a run say to each question that a cache must answer. */
import type { Readings } from "./readings.ts"

export interface Figure {
  readonly question: string
  /** The metrics that the figure is made of; without the first one there is no figure. */
  readonly metrics: readonly [string, ...ReadonlyArray<string>]
  readonly tell: (readings: Readings) => string
}

const whole = (n: number): string => Math.round(n).toLocaleString("en")

const percent = (part: number, of: number): string =>
  of === 0 ? "0 %" : `${((100 * part) / of).toFixed(1)} %`

const seconds = (n: number): string =>
  n < 1 ? `${+(n * 1_000).toFixed(1)} ms` : `${+n.toFixed(1)} s`

const list = (parts: ReadonlyArray<string>): string =>
  parts.length === 0 ? "none" : parts.join(", ")

const sum = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((sum, count) => sum + count, 0)

const counts = (by: ReadonlyMap<string, number>): string =>
  list(Array.from(by, ([name, count]) => `${name} ${whole(count)}`))

const shares = (by: ReadonlyMap<string, number>, of = sum(by)): string =>
  list(Array.from(by, ([name, count]) => `${name} ${percent(count, of)}`))

const bound = (le: number | undefined, unit: (n: number) => string): string => {
  if (le === undefined) return "-"
  return le === Infinity ? "over the last bound" : `within ${unit(le)}`
}

const quantiles = (
  readings: Readings,
  metric: string,
  labels: Readonly<Record<string, string>> = {},
  unit = seconds,
): string =>
  [0.5, 0.99]
    .map((q) => `p${q * 100} ${bound(readings.quantile(metric, q, labels), unit)}`)
    .join(", ")

const byLabel = (question: string, metric: string, label: string): Figure => ({
  question,
  metrics: [metric],
  tell: (readings) => counts(readings.by(metric, label)),
})

const totalOf = (question: string, metric: string): Figure => ({
  question,
  metrics: [metric],
  tell: (readings) => whole(readings.total(metric)),
})

const ofCallers: ReadonlyArray<Figure> = [
  {
    question: "Are calls answered?",
    metrics: ["larder_answers_total"],
    tell: (readings) => {
      const by = readings.by("larder_answers_total", "outcome")
      return `${whole(sum(by))} calls: ${shares(by)}`
    },
  },
  {
    question: "How long do callers wait?",
    metrics: ["larder_answer_duration_seconds"],
    tell: (readings) => quantiles(readings, "larder_answer_duration_seconds"),
  },
  byLabel("Why do calls fail?", "larder_failed_answers_total", "reason"),
  {
    question: "How much is stale, and why?",
    metrics: ["larder_stale_answers_total", "larder_answers_total"],
    tell: (readings) => {
      const given =
        readings.total("larder_answers_total") -
        readings.total("larder_answers_total", { outcome: "failed" })
      return shares(readings.by("larder_stale_answers_total", "reason"), given)
    },
  },
  totalOf("Who gave up waiting?", "larder_abandoned_total"),
  totalOf("Who joined another caller's lookup?", "larder_coalesced_total"),
  {
    question: "Are there stampedes?",
    metrics: ["larder_lookup_callers"],
    tell: (readings) => {
      const few = readings.total("larder_lookup_callers_bucket", { le: "10" })
      const many = readings.total("larder_lookup_callers_count") - few
      return `${whole(many)} lookups with over 10 callers`
    },
  },
  {
    question: "Which tier answers, L1 or L2?",
    metrics: ["larder_answers_total"],
    tell: (readings) => shares(readings.by("larder_answers_total", "source")),
  },
]

const ofUpstream: ReadonlyArray<Figure> = [
  byLabel("How many lookups reach upstream?", "larder_lookups_total", "outcome"),
  {
    question: "How many lookups are avoided?",
    metrics: ["larder_answers_total", "larder_lookups_total"],
    tell: (readings) => {
      const calls = readings.total("larder_answers_total")
      const avoided = calls - readings.total("larder_lookups_total")
      return `${whole(avoided)} of ${whole(calls)}, ${percent(avoided, calls)}`
    },
  },
  {
    question: "How long do lookups take?",
    metrics: ["larder_lookup_duration_seconds"],
    tell: (readings) => quantiles(readings, "larder_lookup_duration_seconds"),
  },
  byLabel("What was upstream spared?", "larder_lookups_refused_total", "reason"),
  {
    question: "How much is under way?",
    metrics: ["larder_lookups_in_flight", "larder_callers_waiting"],
    tell: (readings) =>
      `at most ${whole(readings.highest("larder_lookups_in_flight"))} lookups, ${whole(readings.highest("larder_callers_waiting"))} callers`,
  },
  {
    question: "How long are the queues?",
    metrics: ["larder_queue_length"],
    tell: (readings) =>
      `at most ${list(
        readings
          .valuesOf("larder_queue_length", "queue")
          .map((queue) => `${queue} ${whole(readings.highest("larder_queue_length", { queue }))}`),
      )}`,
  },
  byLabel("How many refreshes run in the background?", "larder_refreshes_total", "trigger"),
]

const ofAges: ReadonlyArray<Figure> = [
  {
    question: "How old are the answers?",
    metrics: ["larder_answer_age_seconds"],
    tell: (readings) => quantiles(readings, "larder_answer_age_seconds"),
  },
  {
    question: "Is the freshness objective met?",
    metrics: [
      "larder_answers_within_objective_total",
      "larder_answers_total",
      "larder_objective_ratio",
      "larder_objective_seconds",
    ],
    tell: (readings) => {
      const within = readings.total("larder_answers_within_objective_total")
      const reached = percent(within, readings.total("larder_answers_total"))
      const asked = percent(readings.highest("larder_objective_ratio"), 1)
      const age = seconds(readings.highest("larder_objective_seconds"))
      return `${reached} younger than ${age}, asked for ${asked}`
    },
  },
]

const ofMemory: ReadonlyArray<Figure> = [
  byLabel("Why do calls miss?", "larder_misses_total", "cause"),
  {
    question: "Does memory suffice?",
    metrics: ["larder_entries", "larder_max_entries"],
    tell: (readings) =>
      `at most ${whole(readings.highest("larder_entries"))} of ${whole(readings.highest("larder_max_entries"))} entries`,
  },
  {
    question: "How heavy are the values?",
    metrics: ["larder_weight", "larder_max_weight"],
    tell: (readings) =>
      `at most ${whole(readings.highest("larder_weight"))}, ${
        readings.knows("larder_max_weight")
          ? `of ${whole(readings.highest("larder_max_weight"))}`
          : "without a bound"
      }`,
  },
  byLabel("Why are entries evicted?", "larder_evictions_total", "cause"),
  totalOf("Which entries were never read?", "larder_evictions_unread_total"),
  {
    question: "Is the larder used well?",
    metrics: ["larder_anomaly", "larder_anomalies_total"],
    tell: (readings) => `raised: ${counts(readings.by("larder_anomalies_total", "kind"))}`,
  },
]

const ofTiers: ReadonlyArray<Figure> = [
  {
    question: "What do reads of a tier find?",
    metrics: ["larder_tier_reads_total"],
    tell: (readings) =>
      readings
        .valuesOf("larder_tier_reads_total", "tier")
        .map(
          (tier) =>
            `${tier}: ${counts(readings.by("larder_tier_reads_total", "result", { tier }))}`,
        )
        .join("; "),
  },
  {
    question: "How fast is each tier?",
    metrics: ["larder_tier_operation_duration_seconds"],
    tell: (readings) =>
      readings
        .valuesOf("larder_tier_operation_duration_seconds_count", "tier")
        .map(
          (tier) =>
            `${tier}: ${quantiles(readings, "larder_tier_operation_duration_seconds", { tier })}`,
        )
        .join("; "),
  },
  byLabel("Do steps in tiers fail?", "larder_tier_operations_total", "outcome"),
  {
    question: "How many bytes go to and from tiers?",
    metrics: ["larder_tier_bytes_total"],
    tell: (readings) => counts(readings.by("larder_tier_bytes_total", "direction")),
  },
  {
    question: "How long is each breaker open?",
    metrics: [
      "larder_breaker_state_seconds_total",
      "larder_breaker_state",
      "larder_breaker_not_closed_seconds",
    ],
    tell: (readings) =>
      readings
        .valuesOf("larder_breaker_state_seconds_total", "breaker")
        .map((breaker) => {
          const closed = { breaker, state: "closed" }
          const all = readings.total("larder_breaker_state_seconds_total", { breaker })
          const open = all - readings.total("larder_breaker_state_seconds_total", closed)
          return `${breaker} ${seconds(open)}`
        })
        .join(", "),
  },
  totalOf("Can all entries be read?", "larder_undecodable_total"),
]

const ofChanges: ReadonlyArray<Figure> = [
  byLabel("What was changed?", "larder_changes_total", "operation"),
  {
    question: "Are changes settled?",
    metrics: ["larder_changes_pending", "larder_changes_total"],
    tell: (readings) =>
      `settled ${whole(readings.total("larder_changes_total", { settled: "true" }))}, not ${whole(readings.total("larder_changes_total", { settled: "false" }))}; at most ${whole(readings.highest("larder_changes_pending"))} pending`,
  },
  {
    question: "How long do callers wait for locks?",
    metrics: ["larder_lease_wait_seconds"],
    tell: (readings) =>
      `${whole(readings.total("larder_lease_wait_seconds_count"))} waits, ${seconds(readings.total("larder_lease_wait_seconds_sum"))} in all`,
  },
  byLabel("How do leases end?", "larder_leases_total", "outcome"),
  {
    question: "How many tags are marked?",
    metrics: ["larder_marks"],
    tell: (readings) => `at most ${whole(readings.highest("larder_marks"))}`,
  },
  totalOf("Are old values kept out?", "larder_superseded_total"),
  {
    question: "Do nodes hear of changes?",
    metrics: ["larder_messages_total", "larder_message_delay_seconds"],
    tell: (readings) =>
      `${counts(readings.by("larder_messages_total", "direction"))}; ${quantiles(readings, "larder_message_delay_seconds")}`,
  },
  {
    question: "Were messages missed?",
    metrics: ["larder_gaps_total", "larder_suspects"],
    tell: (readings) =>
      `${whole(readings.total("larder_gaps_total"))} gaps, at most ${whole(readings.highest("larder_suspects"))} suspects`,
  },
  byLabel("Do invalidations arrive?", "larder_audits_total", "result"),
]

const ofObserving: ReadonlyArray<Figure> = [
  totalOf("Do subscribers keep up?", "larder_events_dropped_total"),
  {
    question: "What is the larder made of?",
    metrics: ["larder_info"],
    tell: (readings) => list(readings.valuesOf("larder_info", "tiers")),
  },
]

/** All questions, in the order of the guide. */
export const figures: ReadonlyArray<Figure> = [
  ...ofCallers,
  ...ofUpstream,
  ...ofAges,
  ...ofMemory,
  ...ofTiers,
  ...ofChanges,
  ...ofObserving,
]

/** A histogram is known by its count. */
const isThere = (readings: Readings, metric: string): boolean =>
  readings.knows(metric) || readings.knows(`${metric}_count`)

/** What stands for a figure whose metric no node has. */
export const absent = "not in these stacks"

/** A line for each question. */
export const told = (readings: Readings): ReadonlyArray<string> => {
  const width = Math.max(...figures.map(({ question }) => question.length))
  return figures.map(({ metrics, question, tell }) => {
    const figure = isThere(readings, metrics[0]) ? tell(readings) : absent
    return `${question.padEnd(width)}  ${figure}`
  })
}
