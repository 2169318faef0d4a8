/** The metrics of one larder: a series for each count, gauge and histogram that its stack can have. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { none } from "../../Backplane.ts"
import type { EvictionCause } from "../../Tier.ts"
import type { CircuitTimes } from "../observe/circuits.ts"
import { countsOfTier, lookupsInFlight, noOutcomes, noSource } from "../observe/counters.ts"
import * as labels from "../observe/labels.ts"
import { type Registered, type Series, registered } from "../observe/registry.ts"
import type { Engine } from "../state/engine.ts"
import { queuesOf } from "../upstream/concurrencyLimiter.ts"
import { backplaneName, tierNames } from "./stats.ts"
import { version } from "./version.ts"

/** Registers the metrics of a larder until the scope closes. */
export const observeMetrics = (engine: Engine): Effect.Effect<Registered, never, Scope.Scope> =>
  Effect.tap(registered(engine.settings.name, seriesOf(engine), engine.context), ({ settle }) =>
    Effect.sync(() => {
      engine.observer.onClosedAnswer = settle
    }),
  )

/** Adds the series of each circuit breaker, and of those that a tier of several servers meets later. */
export const observeCircuits = ({ observer }: Engine, { add }: Registered): void =>
  observer.circuits.each((circuit) => {
    for (const series of circuitSeries(circuit)) add(series)
  })

/** Adds the bounds of memory that `resizeMemory` has set for the first time. */
export const observeBounds = (engine: Engine, { add }: Registered): void => {
  let known = finiteBounds(engine)
  engine.onResized = () => {
    const bounds = finiteBounds(engine)
    for (const bound of bounds) {
      if (!known.includes(bound)) for (const one of boundSeries(engine, bound)) add(one)
    }
    known = [...new Set([...known, ...bounds])]
  }
}

const seriesOf = (engine: Engine): ReadonlyArray<Series> => {
  const { backplane, stack } = engine
  const { arbiter, farther, hasMemory } = stack
  const hearsOthers = arbiter?.listen !== undefined || backplane !== none
  const tiers = [...new Set(farther.map(({ name }) => name))]
  return [
    ...answerSeries(engine),
    ...objectiveSeries(engine),
    ...lookupSeries(engine),
    ...permitSeries(engine),
    ...(arbiter === undefined ? [] : leaseSeries(engine)),
    ...tiers.flatMap((name) => tierSeries(engine, name)),
    ...(farther.length === 0 ? [] : pendingSeries(engine)),
    ...(hasMemory ? memorySeries(engine) : []),
    ...evictionSeries(engine),
    ...changeSeries(engine),
    ...(hearsOthers ? nodeSeries(engine) : []),
    ...(engine.settings.audit === undefined ? [] : auditSeries(engine)),
    infoSeries(engine),
  ]
}

type Labels = Readonly<Record<string, string>>

const counter = (metric: string, count: () => number, labels: Labels = {}): Series => ({
  metric,
  labels,
  count,
})

/** A counter of the answers of a closed larder too. */
const late = (metric: string, count: () => number, labels: Labels): Series => ({
  metric,
  labels,
  count,
  isLate: true,
})

const gauge = (metric: string, gauge: () => number, labels: Labels = {}): Series => ({
  metric,
  labels,
  gauge,
})

/** A series for each field of a record of counts. */
const byField = <Field extends string>(
  metric: string,
  label: string,
  table: labels.LabelsOf<Field>,
  counts: Readonly<Record<Field, number>>,
  others: Labels = {},
): ReadonlyArray<Series> =>
  fieldsOf(table).map((field) =>
    counter(metric, () => counts[field], { ...others, [label]: table[field] }),
  )

const fieldsOf = <Field extends string>(table: labels.LabelsOf<Field>): ReadonlyArray<Field> =>
  Object.keys(table) as Array<Field>

/** Whether this node may have missed a change of a key, and so suspect its entry. */
const canSuspect = ({ backplane, stack }: Engine): boolean =>
  stack.arbiter !== undefined || backplane !== none

const answerSeries = (engine: Engine): ReadonlyArray<Series> => {
  const { nearName, observer, settings, stack } = engine
  const { counters, measures } = observer
  const isBulk = settings.upstream.lookupMany !== undefined
  const failures = fieldsOf(labels.failedReasons).filter((one) => isBulk || one !== "notReturned")
  const causes = fieldsOf(labels.missCauses).filter(
    (one) => one !== "suspect" || canSuspect(engine),
  )
  const names = stack.farther.map(({ name }) => name)
  // Two tiers may have one name.
  const valued = new Set([...(stack.hasMemory ? [nearName] : []), ...names, "upstream"])
  const given = [...valued].flatMap((source) => {
    const outcomes = (counters.waited[source] ??= noOutcomes())
    const hits = stack.hasMemory && source === nearName
    return [
      counter("larder_answers_total", () => outcomes.fresh + (hits ? counters.hits : 0), {
        source,
        outcome: "fresh",
      }),
      counter("larder_answers_total", () => outcomes.stale, { source, outcome: "stale" }),
    ]
  })
  const failed = (counters.waited[noSource] ??= noOutcomes())
  return [
    ...given,
    late("larder_answers_total", () => failed.failed, { source: noSource, outcome: "failed" }),
    ...byField("larder_stale_answers_total", "reason", labels.staleReasons, counters.staleAnswers),
    ...failures.map((field) =>
      (field === "closed" ? late : counter)(
        "larder_failed_answers_total",
        () => counters.failedAnswers[field],
        { reason: labels.failedReasons[field] },
      ),
    ),
    counter("larder_abandoned_total", () => counters.abandoned),
    ...causes.map((field) =>
      counter("larder_misses_total", () => counters.missesByCause[field], {
        cause: labels.missCauses[field],
      }),
    ),
    ...[...valued, noSource].map((source) => ({
      metric: "larder_answer_duration_seconds",
      labels: { source },
      histogram: measures.waitsFor(source),
    })),
    { metric: "larder_answer_age_seconds", labels: {}, histogram: measures.ages.histogram },
  ]
}

const objectiveSeries = ({ observer, settings }: Engine): ReadonlyArray<Series> => {
  const { objective } = settings
  if (objective === undefined) return []
  const { ages } = observer.measures
  const set = { labels: {}, together: "highest" } as const
  return [
    counter("larder_answers_within_objective_total", () => ages.within),
    { ...set, metric: "larder_objective_seconds", gauge: () => objective.youngerThan / 1_000 },
    { ...set, metric: "larder_objective_ratio", gauge: () => objective.share },
  ]
}

/** No larder hands refreshes on to a queue. */
const triggers = fieldsOf(labels.refreshTriggers).filter((trigger) => trigger !== "queued")

const lookupSeries = ({ flights, observer }: Engine): ReadonlyArray<Series> => {
  const { counters, measures } = observer
  return [
    counter("larder_coalesced_total", () => counters.coalesced),
    { metric: "larder_lookup_callers", labels: {}, histogram: measures.lookupCallers },
    ...byField("larder_lookups_total", "outcome", labels.lookupOutcomes, counters.lookupsByOutcome),
    ...byField(
      "larder_lookups_refused_total",
      "reason",
      labels.refusedReasons,
      counters.lookupsRefused,
    ),
    { metric: "larder_lookup_duration_seconds", labels: {}, histogram: measures.lookups },
    ...triggers.map((field) =>
      counter("larder_refreshes_total", () => counters.refreshes[field], {
        trigger: labels.refreshTriggers[field],
      }),
    ),
    gauge("larder_lookups_in_flight", () => lookupsInFlight(counters)),
    gauge("larder_callers_waiting", () => flights.waiting),
  ]
}

const queue = (of: labels.Queue, length: () => number): Series =>
  gauge("larder_queue_length", length, { queue: labels.queues[of] })

/** The queues for permits, where `Upstream.withConcurrency` bounds the lookups. */
const permitSeries = ({ settings }: Engine): ReadonlyArray<Series> => {
  const queues = queuesOf(settings.upstream)
  if (queues === undefined) return []
  const lookups = queue("lookups", () => queues.foreground())
  const { background } = queues
  return background === undefined ? [lookups] : [lookups, queue("backgroundLookups", background)]
}

const leaseSeries = ({ observer: { counters, measures } }: Engine): ReadonlyArray<Series> => [
  { metric: "larder_lease_wait_seconds", labels: {}, histogram: measures.leaseWaits },
  ...byField("larder_leases_total", "outcome", labels.leaseOutcomes, counters.leases),
]

/** Leases and marks are the arbiter's. */
const operationsOf = ({ stack }: Engine, tier: string): ReadonlyArray<labels.TierOperation> =>
  fieldsOf(labels.tierOperations).filter(
    (field) => field === "read" || field === "write" || stack.arbiter?.name === tier,
  )

const tierSeries = (engine: Engine, tier: string): ReadonlyArray<Series> => {
  const { counters, measures } = engine.observer
  const counts = countsOfTier(counters, tier)
  const steps = measures.stepsIn(tier)
  return [
    ...byField("larder_tier_reads_total", "result", labels.tierReadResults, counts.reads, { tier }),
    ...operationsOf(engine, tier).flatMap((field): ReadonlyArray<Series> => {
      const own = { tier, operation: labels.tierOperations[field] }
      return [
        ...byField(
          "larder_tier_operations_total",
          "outcome",
          labels.tierOutcomes,
          counts.operations[field],
          own,
        ),
        {
          metric: "larder_tier_operation_duration_seconds",
          labels: own,
          histogram: steps[field],
        },
      ]
    }),
    counter("larder_tier_bytes_total", () => counts.bytesRead, { tier, direction: "read" }),
    counter("larder_tier_bytes_total", () => counts.bytesWritten, { tier, direction: "written" }),
    counter("larder_undecodable_total", () => counters.undecodableByTier[tier] ?? 0, { tier }),
  ]
}

/** What the tiers behind memory do not have yet. */
const pendingSeries = (engine: Engine): ReadonlyArray<Series> => {
  const { missed, stack, writes } = engine
  const drops = () => stack.farther.reduce((sum, { copies }) => sum + copies.missedDrops, 0)
  return [
    queue("writes", () => writes.size),
    queue("recovery", () => missed.size + drops()),
    gauge("larder_changes_pending", () => writes.size + missed.size),
  ]
}

const memorySeries = (engine: Engine): ReadonlyArray<Series> => [
  gauge("larder_entries", () => engine.near.size),
  gauge("larder_weight", () => engine.near.weight),
  counter("larder_evictions_unread_total", () => engine.observer.counters.evictionsUnread),
  ...finiteBounds(engine).flatMap((bound) => boundSeries(engine, bound)),
]

type Bound = "maxEntries" | "maxWeight"

/** Without infinite bounds: JSON, in which OpenTelemetry sends metrics, has no infinite number. */
const finiteBounds = ({ near }: Engine): ReadonlyArray<Bound> =>
  (["maxEntries", "maxWeight"] as const).filter((bound) => near.bounds[bound] < Infinity)

const boundMetrics = { maxEntries: "larder_max_entries", maxWeight: "larder_max_weight" } as const

/** A bound of memory, and what is evicted for it: tiers behind memory have bounds of their own. */
const boundSeries = (engine: Engine, bound: Bound): ReadonlyArray<Series> => {
  const { near, stack } = engine
  const size = gauge(boundMetrics[bound], () => near.bounds[bound])
  return stack.farther.length > 0 ? [size] : [size, evictions(engine, causeOf[bound])]
}

const causeOf = { maxEntries: "size", maxWeight: "weight" } as const

const evictions = ({ observer: { counters } }: Engine, cause: EvictionCause): Series =>
  counter("larder_evictions_total", () => counters.evictionsByCause[cause], {
    cause: labels.evictionCauses[cause],
  })

const evictionSeries = (engine: Engine): ReadonlyArray<Series> => {
  const elsewhere = engine.stack.farther.length > 0
  const causes = fieldsOf(labels.evictionCauses).filter(
    (cause) => elsewhere || (cause !== "size" && cause !== "weight"),
  )
  return causes.map((cause) => evictions(engine, cause))
}

const changeSeries = (engine: Engine): ReadonlyArray<Series> => {
  const { backplane, marks, stack } = engine
  const { counters } = engine.observer
  // Memory alone has each change at once.
  const canBePending = stack.farther.length > 0 || backplane !== none
  return [
    ...fieldsOf(labels.changeOperations).flatMap((field) => {
      const counts = counters.changes[field]
      const operation = labels.changeOperations[field]
      const settled = { operation, settled: "true" }
      const unsettled = { operation, settled: "false" }
      return [
        counter("larder_changes_total", () => counts.settled, settled),
        ...(canBePending
          ? [counter("larder_changes_total", () => counts.unsettled, unsettled)]
          : []),
      ]
    }),
    gauge("larder_marks", () => marks.size),
    counter("larder_superseded_total", () => counters.superseded),
    counter("larder_events_dropped_total", () => counters.eventsDropped),
  ]
}

const nodeSeries = ({ gaps, near, observer }: Engine): ReadonlyArray<Series> => {
  const { counters, measures } = observer
  const message = (direction: labels.MessageDirection, count: () => number) =>
    counter("larder_messages_total", count, { direction: labels.messageDirections[direction] })
  return [
    message("sent", () => counters.messagesSent),
    message("received", () => counters.messagesReceived),
    message("ignored", () => counters.messagesIgnored),
    { metric: "larder_message_delay_seconds", labels: {}, histogram: measures.messageDelays },
    counter("larder_gaps_total", () => counters.gaps),
    gauge("larder_suspects", () => gaps.countSuspects(near.entries())),
  ]
}

const auditSeries = ({ observer: { counters } }: Engine): ReadonlyArray<Series> =>
  byField("larder_audits_total", "result", labels.auditResults, counters.audits)

const infoSeries = (engine: Engine): Series => ({
  metric: "larder_info",
  labels: { tiers: tierNames(engine).join(">"), backplane: backplaneName(engine), version },
  gauge: () => 1,
  together: "highest",
})

const circuitSeries = (circuit: CircuitTimes): ReadonlyArray<Series> => {
  const { name: breaker } = circuit
  return [
    ...fieldsOf(labels.breakerStates).flatMap((state): ReadonlyArray<Series> => {
      const own = { breaker, state: labels.breakerStates[state] }
      return [
        {
          metric: "larder_breaker_state",
          labels: own,
          gauge: () => (circuit.state === state ? 1 : 0),
          together: "highest",
        },
        counter("larder_breaker_state_seconds_total", () => circuit.millisIn(state) / 1_000, own),
      ]
    }),
    {
      metric: "larder_breaker_not_closed_seconds",
      labels: { breaker },
      gauge: () => circuit.notClosedMillis / 1_000,
      together: "highest",
    },
  ]
}
