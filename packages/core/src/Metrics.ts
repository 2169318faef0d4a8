/**
 * The metrics of every larder, as plain data. Their registration, the table in docs/observing.md, alert
 * rules and dashboards are made from it.
 *
 * The metrics are in the `MetricRegistry` of the fiber that made the larder. `PrometheusMetrics` and
 * `OtlpMetrics` of Effect export them.
 *
 * @module
 * @category cache
 * @since 0.1.0
 */
import { ages, callers, durations } from "./internal/observe/histogram.ts"
import * as labels from "./internal/observe/labels.ts"

/**
 * A label of a metric, beside `larder`, which every metric has.
 *
 * @category models
 * @since 0.1.0
 */
export interface Label {
  readonly name: string
  /** The values that are known beforehand. */
  readonly values: ReadonlyArray<string>
  /** Whether further values are known only at run time: the names of tiers and breakers. */
  readonly isOpen: boolean
}

/**
 * A metric of a larder.
 *
 * @category models
 * @since 0.1.0
 */
export interface MetricDefinition {
  /** The name in the registry, which is the name in Prometheus. */
  readonly name: string
  readonly type: "counter" | "gauge" | "histogram"
  /** The labels beside `larder`. */
  readonly labels: ReadonlyArray<Label>
  /** The unit as UCUM has it: `s`, `By`, `1` for a ratio, and `{lookup}` for things that are counted. */
  readonly unit: string
  /** The upper bound of each bucket of a histogram, in `unit`, ascending. `+Inf` comes after them. */
  readonly buckets?: ReadonlyArray<number>
  /** What the metric says, as one sentence. */
  readonly help: string
}

const closed = (name: string, values: Readonly<Record<string, string>>): Label => ({
  name,
  values: Object.values(values),
  isOpen: false,
})

const open = (name: string, values: ReadonlyArray<string> = []): Label => ({
  name,
  values,
  isOpen: true,
})

const tier = open("tier")
const breaker = open("breaker")
const source = open("source", ["upstream", "none"])
const operation = closed("operation", labels.tierOperations)
const state = closed("state", labels.breakerStates)

const counter = (
  name: string,
  unit: string,
  help: string,
  ...own: ReadonlyArray<Label>
): MetricDefinition => ({ name, type: "counter", labels: own, unit, help })

const gauge = (
  name: string,
  unit: string,
  help: string,
  ...own: ReadonlyArray<Label>
): MetricDefinition => ({ name, type: "gauge", labels: own, unit, help })

const histogram = (
  name: string,
  unit: string,
  buckets: ReadonlyArray<number>,
  help: string,
  ...own: ReadonlyArray<Label>
): MetricDefinition => ({ name, type: "histogram", labels: own, unit, buckets, help })

const answers: ReadonlyArray<MetricDefinition> = [
  counter(
    "larder_answers_total",
    "{answer}",
    "Calls, and keys of getMany, that were answered, by the source of the answer and its outcome",
    source,
    closed("outcome", { fresh: "fresh", stale: "stale", failed: "failed" }),
  ),
  counter(
    "larder_stale_answers_total",
    "{answer}",
    "Calls that were answered with a stale value; the sum is the answers with outcome stale",
    closed("reason", labels.staleReasons),
  ),
  counter(
    "larder_failed_answers_total",
    "{answer}",
    "Calls that failed; the sum is the answers with outcome failed",
    closed("reason", labels.failedReasons),
  ),
  counter(
    "larder_abandoned_total",
    "{call}",
    "Calls that were interrupted before they had an answer; in no other series",
  ),
  counter(
    "larder_misses_total",
    "{call}",
    "Calls that memory could not answer",
    closed("cause", labels.missCauses),
  ),
  histogram(
    "larder_answer_duration_seconds",
    "s",
    durations,
    "From the call to its answer, of calls that waited; plain hits of memory are not in it",
    source,
  ),
  histogram(
    "larder_answer_age_seconds",
    "s",
    ages,
    "Age of the values that callers got; hits of memory are sampled",
  ),
  counter(
    "larder_answers_within_objective_total",
    "{answer}",
    "Answers younger than the objective, of the same sample as the ages; failed ones are not within",
  ),
  gauge("larder_objective_seconds", "s", "The age that the objective asks for"),
  gauge("larder_objective_ratio", "1", "The share of answers that the objective asks for"),
]

const lookups: ReadonlyArray<MetricDefinition> = [
  counter("larder_coalesced_total", "{call}", "Calls that joined the lookup of another call"),
  histogram(
    "larder_lookup_callers",
    "{call}",
    callers,
    "Calls that waited for a lookup when it ended; above 10 is a stampede",
  ),
  counter(
    "larder_lookups_total",
    "{lookup}",
    "Keys whose lookup reached upstream",
    closed("outcome", labels.lookupOutcomes),
  ),
  counter(
    "larder_lookups_refused_total",
    "{lookup}",
    "Keys whose lookup a guard of upstream refused",
    closed("reason", labels.refusedReasons),
  ),
  histogram(
    "larder_lookup_duration_seconds",
    "s",
    durations,
    "Duration of the lookups that reached upstream",
  ),
  counter(
    "larder_refreshes_total",
    "{refresh}",
    "Background refreshes",
    closed("trigger", labels.refreshTriggers),
  ),
  gauge("larder_lookups_in_flight", "{lookup}", "Keys that are being looked up"),
  gauge("larder_callers_waiting", "{call}", "Calls that wait for an answer"),
  gauge(
    "larder_queue_length",
    "{item}",
    "Lookups that wait for a permit, writes that wait for a tier, changes that a tier missed",
    closed("queue", labels.queues),
  ),
  histogram(
    "larder_lease_wait_seconds",
    "s",
    durations,
    "Wait for the lookup of another node; the sum is the lock wait",
  ),
  counter(
    "larder_leases_total",
    "{lease}",
    "Requests for a lease, and leases, by how they ended",
    closed("outcome", labels.leaseOutcomes),
  ),
]

const tiers: ReadonlyArray<MetricDefinition> = [
  gauge(
    "larder_breaker_state",
    "1",
    "1 for the state that a circuit breaker is in, 0 for the others",
    breaker,
    state,
  ),
  counter(
    "larder_breaker_state_seconds_total",
    "s",
    "Time that a circuit breaker has been in each state",
    breaker,
    state,
  ),
  gauge(
    "larder_breaker_not_closed_seconds",
    "s",
    "Time since a circuit breaker was last closed; 0 while it is closed",
    breaker,
  ),
  counter(
    "larder_tier_reads_total",
    "{key}",
    "Keys that calls read in a tier behind memory, by what the tier had",
    tier,
    closed("result", labels.tierReadResults),
  ),
  counter(
    "larder_tier_operations_total",
    "{operation}",
    "Steps in a tier behind memory",
    tier,
    operation,
    closed("outcome", labels.tierOutcomes),
  ),
  histogram(
    "larder_tier_operation_duration_seconds",
    "s",
    durations,
    "Duration of the steps in a tier that ended",
    tier,
    operation,
  ),
  counter(
    "larder_tier_bytes_total",
    "By",
    "Size of the envelopes that were read from a tier and sent to it",
    tier,
    closed("direction", { read: "read", written: "written" }),
  ),
]

const memory: ReadonlyArray<MetricDefinition> = [
  gauge("larder_entries", "{entry}", "Entries in memory"),
  gauge("larder_weight", "1", "Weight of the entries in memory"),
  gauge("larder_max_entries", "{entry}", "The most entries that memory may have"),
  gauge("larder_max_weight", "1", "The most that the entries in memory may weigh"),
  counter(
    "larder_evictions_total",
    "{entry}",
    "Entries that a tier evicted",
    closed("cause", labels.evictionCauses),
  ),
  counter(
    "larder_evictions_unread_total",
    "{entry}",
    "Entries that memory evicted without a hit since they were stored",
  ),
]

const changes: ReadonlyArray<MetricDefinition> = [
  counter(
    "larder_changes_total",
    "{change}",
    "Changes by callers of this node, by whether the arbiter had applied them when they ended",
    closed("operation", labels.changeOperations),
    closed("settled", { true: "true", false: "false" }),
  ),
  gauge("larder_changes_pending", "{change}", "Changes that the arbiter has not applied yet"),
  gauge("larder_marks", "{mark}", "Tags that an invalidation covers"),
  counter(
    "larder_superseded_total",
    "{lookup}",
    "Values that were looked up and not stored, because the key had changed",
  ),
  counter(
    "larder_undecodable_total",
    "{entry}",
    "Entries of a tier that could not be read as such",
    tier,
  ),
]

const writes: ReadonlyArray<MetricDefinition> = [
  gauge(
    "larder_outbox_writes",
    "{write}",
    "Writes that wait in the outbox, are being written or rest after a failure, and dead letters",
    closed("state", labels.outboxStates),
  ),
  gauge(
    "larder_outbox_oldest_seconds",
    "s",
    "Age of the oldest write that the source does not have yet; 0 without any",
  ),
  counter(
    "larder_outbox_flushed_total",
    "{write}",
    "Writes to the source from the outbox, by how the attempt ended; dead: given up after the last one",
    closed("outcome", labels.flushOutcomes),
  ),
]

const nodes: ReadonlyArray<MetricDefinition> = [
  counter(
    "larder_messages_total",
    "{message}",
    "Messages of changes between nodes",
    closed("direction", labels.messageDirections),
  ),
  histogram(
    "larder_message_delay_seconds",
    "s",
    durations,
    "From a removal or an invalidation to its message here, by the time of the arbiter",
  ),
  counter("larder_gaps_total", "{gap}", "Times that messages of other nodes may have been missed"),
  gauge(
    "larder_suspects",
    "{entry}",
    "Entries in memory that the arbiter must confirm before they are fresh again",
  ),
]

const itself: ReadonlyArray<MetricDefinition> = [
  counter("larder_events_dropped_total", "{event}", "Events that slow subscribers lost"),
  counter(
    "larder_audits_total",
    "{audit}",
    "Fresh values that were compared with upstream",
    closed("result", labels.auditResults),
  ),
  gauge("larder_anomaly", "1", "1 while an anomaly is raised", closed("kind", labels.anomalies)),
  counter(
    "larder_anomalies_total",
    "{anomaly}",
    "Times that an anomaly was raised",
    closed("kind", labels.anomalies),
  ),
  gauge(
    "larder_info",
    "1",
    "Always 1; the labels say what the larder is made of",
    open("tiers"),
    open("backplane"),
    open("version"),
  ),
]

/**
 * Every metric that a larder may register, in the order of docs/observing.md.
 *
 * **When to use**
 *
 * Use to generate alert rules or dashboards, or to check that those at hand name only what exists.
 *
 * **Details**
 *
 * A larder leaves out what it cannot have: leases without an arbiter, tiers that its stack does not
 * have, the objective where none is set, outboxes where no `WriteBehind` flushes.
 *
 * **Example**
 *
 * ```ts
 * import { Metrics } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const stale = Metrics.catalogue.find(({ name }) => name === "larder_stale_answers_total")
 * assert.deepStrictEqual(stale?.labels, [
 *   {
 *     name: "reason",
 *     values: ["revalidating", "failed", "soft_timeout", "breaker_open", "shed"],
 *     isOpen: false,
 *   },
 * ])
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const catalogue: ReadonlyArray<MetricDefinition> = [
  ...answers,
  ...lookups,
  ...tiers,
  ...memory,
  ...changes,
  ...writes,
  ...nodes,
  ...itself,
]
