/**
 * A larder's counters as Effect metrics. The registry reads the counters on demand, so counting
 * itself never touches the registry.
 */
import type * as Context from "effect/Context"
import * as ContextModule from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import { answersOf, type Counters, noSource } from "./counters.ts"
import { Histogram, durations } from "./histogram.ts"

export interface Gauges {
  readonly entries: () => number
  readonly weight: () => number
  readonly inFlight: () => number
  /** Entries in memory that may be older than a change by another node. */
  readonly suspects: () => number
}

interface Source extends Gauges {
  readonly counters: Counters
  /** The name of the nearest tier. */
  readonly nearName: string
  readonly messageDelays: Histogram
}

/** One series of a counter. */
interface Series {
  readonly metric: string
  readonly description: string
  readonly labels: Readonly<Record<string, string>>
  readonly count: () => number
}

/** Larders of one name share their series: several nodes in one process, or a larder opened again. */
interface Group {
  readonly live: Map<Source, ReadonlyMap<string, Series>>
  /** The counts of larders that have closed, by series. */
  readonly ended: Map<string, number>
  readonly registered: Set<string>
  readonly endedDelays: Histogram
}

const groups = new WeakMap<Metric.MetricRegistry, Map<string, Group>>()

type Plain = {
  readonly [F in keyof Counters]: Counters[F] extends number ? F : never
}[keyof Counters]

const counted: ReadonlyArray<
  readonly [
    metric: string,
    description: string,
    series: ReadonlyArray<readonly [value: string | undefined, field: Plain]>,
    /** The label whose values are those of the series. */
    label?: string,
  ]
> = [
  [
    "larder_abandoned_total",
    "Calls that were interrupted before they had an answer",
    [[undefined, "abandoned"]],
  ],
  [
    "larder_lookups_total",
    "Lookups at upstream by outcome",
    [
      ["succeeded", "lookupsSucceeded"],
      ["failed", "lookupsFailed"],
      ["timedOut", "lookupsTimedOut"],
    ],
  ],
  ["larder_coalesced_total", "Callers that joined a running lookup", [["joined", "coalesced"]]],
  [
    "larder_early_refreshes_total",
    "Early refreshes of values that are still fresh",
    [["begun", "earlyRefreshes"]],
  ],
  ["larder_evictions_total", "Entries evicted from a tier", [["evicted", "evictions"]]],
  ["larder_tier_failures_total", "Failed operations of tiers", [["failed", "tierFailures"]]],
  [
    "larder_messages_total",
    "Messages about changes, between nodes",
    [
      ["sent", "messagesSent"],
      ["received", "messagesReceived"],
      ["ignored", "messagesIgnored"],
    ],
    "direction",
  ],
  [
    "larder_gaps_total",
    "Times that messages of other nodes may have been missed",
    [[undefined, "gaps"]],
  ],
]

/** Counters that are records: a series for each of their fields. */
const countedByField = [
  [
    "larder_stale_answers_total",
    "Calls that were answered with a stale value, by reason",
    "reason",
    "staleAnswers",
  ],
  ["larder_failed_answers_total", "Calls that failed, by reason", "reason", "failedAnswers"],
  ["larder_misses_total", "Calls that memory could not answer, by cause", "cause", "missesByCause"],
  [
    "larder_lookups_refused_total",
    "Lookups that a guard of upstream refused",
    "reason",
    "lookupsRefused",
  ],
] as const

/** Events and stats are in camelCase, labels in snake_case. */
const snakeCase = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

const seriesOf = (source: Source): ReadonlyMap<string, Series> => {
  const all = [...plainSeries(source), ...fieldSeries(source), ...answerSeries(source)]
  return new Map(
    all.map((one) => [[one.metric, ...Object.values(one.labels)].join(" "), one] as const),
  )
}

const plainSeries = ({ counters }: Source): ReadonlyArray<Series> =>
  counted.flatMap(([metric, description, series, label = "outcome"]) =>
    series.map(([value, field]) => ({
      metric,
      description,
      labels: value === undefined ? {} : { [label]: value },
      count: () => counters[field],
    })),
  )

const fieldSeries = ({ counters }: Source): ReadonlyArray<Series> =>
  countedByField.flatMap(([metric, description, label, record]) => {
    const counts: Readonly<Record<string, number>> = counters[record]
    return Object.keys(counts).map((field) => ({
      metric,
      description,
      labels: { [label]: snakeCase(field) },
      count: () => counts[field] ?? 0,
    }))
  })

const answerSeries = ({ counters, nearName }: Source): ReadonlyArray<Series> =>
  Object.keys(counters.waited).flatMap((source) => {
    const outcomes = source === noSource ? (["failed"] as const) : (["fresh", "stale"] as const)
    return outcomes.map((outcome) => ({
      metric: "larder_answers_total",
      description: "Calls that have ended, but the abandoned ones, by source and outcome",
      labels: { source, outcome },
      count: () => answersOf(counters, nearName)[source]?.[outcome] ?? 0,
    }))
  })

const gauged: ReadonlyArray<readonly [metric: string, description: string, read: keyof Gauges]> = [
  ["larder_entries", "Entries in memory", "entries"],
  ["larder_weight", "Weight of the entries in memory", "weight"],
  ["larder_in_flight", "Running lookups", "inFlight"],
  [
    "larder_suspects",
    "Entries in memory that the arbiter must confirm before they are fresh again",
    "suspects",
  ],
]

const ignore = () => {}

/** Registers the series that no larder of the group has had before, such as those of a new tier. */
const registerCounters = (
  larder: string,
  group: Group,
  series: ReadonlyMap<string, Series>,
  context: Context.Context<never>,
): void => {
  for (const [id, { description, labels, metric: name }] of series) {
    if (group.registered.has(id)) continue
    group.registered.add(id)
    const metric = Metric.counter(name, {
      description,
      incremental: true,
      attributes: { larder, ...labels },
    })
    const count = () => {
      let sum = group.ended.get(id) ?? 0
      for (const own of group.live.values()) sum += own.get(id)?.count() ?? 0
      return sum
    }
    Metric.registerUnsafe(metric, context, {
      get: () => ({ count: count(), incremental: true }),
      update: ignore,
      modify: ignore,
    })
  }
}

const registerGauges = (larder: string, group: Group, context: Context.Context<never>): void => {
  for (const [name, description, read] of gauged) {
    const metric = Metric.gauge(name, { description, attributes: { larder } })
    const value = () => {
      let sum = 0
      for (const source of group.live.keys()) sum += source[read]()
      return sum
    }
    Metric.registerUnsafe(metric, context, {
      get: () => ({ value: value() }),
      update: ignore,
      modify: ignore,
    })
  }
}

const registerDelays = (larder: string, group: Group, context: Context.Context<never>): void => {
  const metric = Metric.histogram("larder_message_delay_seconds", {
    description:
      "From a removal or an invalidation to its message here, by the time of the arbiter",
    attributes: { larder, unit: "s" },
    boundaries: durations,
  })
  const state = () => {
    const sum = new Histogram(durations)
    for (const part of [group.endedDelays, ...delaysOf(group)]) sum.add(part)
    return sum.state
  }
  Metric.registerUnsafe(metric, context, { get: state, update: ignore, modify: ignore })
}

const delaysOf = (group: Group): ReadonlyArray<Histogram> =>
  [...group.live.keys()].map(({ messageDelays }) => messageDelays)

const groupOf = (larder: string, context: Context.Context<never>): Group => {
  const registry = ContextModule.get(context, Metric.MetricRegistry)
  let byName = groups.get(registry)
  if (byName === undefined) groups.set(registry, (byName = new Map()))
  let group = byName.get(larder)
  if (group === undefined) {
    group = {
      live: new Map(),
      ended: new Map(),
      registered: new Set(),
      endedDelays: new Histogram(durations),
    }
    byName.set(larder, group)
    registerGauges(larder, group, context)
    registerDelays(larder, group, context)
  }
  return group
}

/** Adds a larder's counters to the registry of `context` until the scope closes; totals stay. */
export const observe = (
  larder: string,
  source: Source,
  context: Context.Context<never>,
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => {
        const group = groupOf(larder, context)
        const series = seriesOf(source)
        registerCounters(larder, group, series, context)
        group.live.set(source, series)
        return group
      }),
      (group) =>
        Effect.sync(() => {
          for (const [id, { count }] of group.live.get(source) ?? []) {
            group.ended.set(id, (group.ended.get(id) ?? 0) + count())
          }
          group.live.delete(source)
          group.endedDelays.add(source.messageDelays)
        }),
    ),
  )
