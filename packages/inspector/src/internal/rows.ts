/** The questions of the dashboard, and the queries that answer them. */

export interface Query {
  readonly expr: string
  readonly legend: string
}

export interface PanelSpec {
  readonly title: string
  readonly unit: "s" | "ops" | "percentunit" | "short" | "Bps"
  readonly queries: ReadonlyArray<Query>
  readonly isTimeline?: true
}

export interface RowSpec {
  readonly title: string
  readonly panels: ReadonlyArray<PanelSpec>
}

const chosen = `larder=~"$larder",instance=~"$instance"`

/** Of one metric, within the larders and instances that are chosen. */
const of = (metric: string, matchers = ""): string =>
  `${metric}{${chosen}${matchers === "" ? "" : `,${matchers}`}}`

const recorded = (name: string): string => `${name}{larder=~"$larder"}`

const rate = (metric: string, by: string, matchers?: string): string =>
  `sum by (${by}) (rate(${of(metric, matchers)}[$__rate_interval]))`

/** Names a series by its larder, and by the values of these labels. */
const legend = (labels = ""): string =>
  ["larder", ...labels.split(", ")]
    .filter((label) => label !== "")
    .map((label) => `{{${label}}}`)
    .join(" ")

const rates = (title: string, metric: string, label: string): PanelSpec => ({
  title,
  unit: "ops",
  queries: [{ expr: rate(metric, `larder, ${label}`), legend: legend(label) }],
})

const total = (title: string, metric: string, unit: PanelSpec["unit"] = "ops"): PanelSpec => ({
  title,
  unit,
  queries: [{ expr: rate(metric, "larder"), legend: legend() }],
})

const gauge = (title: string, metric: string, label?: string): PanelSpec => ({
  title,
  unit: "short",
  queries: [
    { expr: of(metric), legend: legend(label === undefined ? "instance" : `instance, ${label}`) },
  ],
})

const quantile = (q: number, metric: string, by: string): Query => ({
  expr: `histogram_quantile(${q}, ${rate(`${metric}_bucket`, `larder, le${by === "" ? "" : `, ${by}`}`)})`,
  legend: `${legend(by)} p${q * 100}`,
})

const quantiles = (
  title: string,
  metric: string,
  by = "",
  unit: PanelSpec["unit"] = "s",
): PanelSpec => ({
  title,
  unit,
  queries: [0.5, 0.99].map((q) => quantile(q, metric, by)),
})

const line = (title: string, name: string, unit: PanelSpec["unit"]): PanelSpec => ({
  title,
  unit,
  queries: [{ expr: recorded(name), legend: legend() }],
})

export const rows: ReadonlyArray<RowSpec> = [
  {
    title: "Are callers well?",
    panels: [
      rates("Answers", "larder_answers_total", "outcome"),
      quantiles("Wait of callers", "larder_answer_duration_seconds", "source"),
      rates("Failed", "larder_failed_answers_total", "reason"),
      rates("Stale by reason", "larder_stale_answers_total", "reason"),
      quantiles("Callers of one lookup", "larder_lookup_callers", "", "short"),
    ],
  },
  {
    title: "Where do answers come from?",
    panels: [
      {
        title: "Share by source",
        unit: "percentunit",
        queries: [
          {
            expr: `${rate("larder_answers_total", "larder, source")} / on (larder) group_left () (${rate("larder_answers_total", "larder")} > 0)`,
            legend: legend("source"),
          },
        ],
      },
      line("Hit ratio", "larder:hit_ratio:rate5m", "percentunit"),
    ],
  },
  {
    title: "What does upstream feel?",
    panels: [
      rates("Lookups", "larder_lookups_total", "outcome"),
      gauge("In flight", "larder_lookups_in_flight"),
      rates("Refused", "larder_lookups_refused_total", "reason"),
      line("Lookups avoided", "larder:lookups_avoided:rate5m", "ops"),
      quantiles("Lookup duration", "larder_lookup_duration_seconds"),
      rates("Refreshes by trigger", "larder_refreshes_total", "trigger"),
      gauge("Queues", "larder_queue_length", "queue"),
    ],
  },
  {
    title: "Is what we give young?",
    panels: [
      quantiles("Age", "larder_answer_age_seconds"),
      gauge("Objective", "larder_objective_ratio"),
      line("Burn of the budget", "larder:objective_burn:rate1h", "short"),
    ],
  },
  {
    title: "Why do we miss?",
    panels: [rates("Misses by cause", "larder_misses_total", "cause")],
  },
  {
    title: "Does memory suffice?",
    panels: [
      {
        title: "Entries and their bound",
        unit: "short",
        queries: [
          { expr: of("larder_entries"), legend: legend("instance") },
          { expr: of("larder_max_entries"), legend: `${legend("instance")} bound` },
        ],
      },
      {
        title: "Weight and its bound",
        unit: "short",
        queries: [
          { expr: of("larder_weight"), legend: legend("instance") },
          { expr: of("larder_max_weight"), legend: `${legend("instance")} bound` },
        ],
      },
      rates("Evictions by cause", "larder_evictions_total", "cause"),
      total("Evictions unread", "larder_evictions_unread_total"),
    ],
  },
  {
    title: "Are tiers well?",
    panels: [
      rates("Reads of tiers", "larder_tier_reads_total", "tier, result"),
      {
        title: "p99 of tiers",
        unit: "s",
        queries: [quantile(0.99, "larder_tier_operation_duration_seconds", "tier, operation")],
      },
      rates("Bytes", "larder_tier_bytes_total", "tier, direction"),
      {
        title: "Breakers",
        unit: "short",
        isTimeline: true,
        queries: [
          {
            // 0 closed, 1 half open, 2 open.
            expr: `2 * ${of("larder_breaker_state", `state="open"`)} + ignoring (state) ${of("larder_breaker_state", `state="half_open"`)}`,
            legend: legend("breaker, instance"),
          },
        ],
      },
    ],
  },
  {
    title: "Do changes arrive?",
    panels: [
      rates("Changes", "larder_changes_total", "operation, settled"),
      gauge("Changes pending", "larder_changes_pending"),
      rates("Leases", "larder_leases_total", "outcome"),
      total("Lock wait", "larder_lease_wait_seconds_sum", "s"),
      gauge("Marks", "larder_marks"),
      rates("Messages", "larder_messages_total", "direction"),
      quantiles("Message delay", "larder_message_delay_seconds"),
      {
        title: "Gaps and suspects",
        unit: "short",
        queries: [
          { expr: rate("larder_gaps_total", "larder"), legend: `${legend()} gaps a second` },
          { expr: of("larder_suspects"), legend: `${legend("instance")} suspects` },
        ],
      },
      rates("Audits", "larder_audits_total", "result"),
      gauge("Anomalies", "larder_anomaly", "kind"),
    ],
  },
  {
    title: "Are writes delivered?",
    panels: [
      gauge("Writes behind", "larder_outbox_writes", "state"),
      {
        title: "Oldest write",
        unit: "s",
        queries: [{ expr: of("larder_outbox_oldest_seconds"), legend: legend("instance") }],
      },
      rates("Flushed", "larder_outbox_flushed_total", "outcome"),
    ],
  },
]
