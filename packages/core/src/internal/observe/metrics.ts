/**
 * A larder's counters as Effect metrics. The registry reads the counters on demand, so counting
 * itself never touches the registry.
 */
import type * as Context from "effect/Context"
import * as ContextModule from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import type { Counters } from "./eventHub.ts"
import { noCounts } from "./eventHub.ts"
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
  readonly messageDelays: Histogram
}

/** Larders of one name share their series: several nodes in one process, or a larder opened again. */
interface Group {
  readonly live: Set<Source>
  readonly ended: Counters
  readonly endedDelays: Histogram
}

const groups = new WeakMap<Metric.MetricRegistry, Map<string, Group>>()

/** The counters that are not divided by a reason. */
type PlainCount = Exclude<keyof Counters, "lookupsRefused">

const counted: ReadonlyArray<
  readonly [
    metric: string,
    description: string,
    series: ReadonlyArray<readonly [value: string | undefined, field: PlainCount]>,
    /** The label whose values are those of the series. */
    label?: string,
  ]
> = [
  [
    "larder_reads_total",
    "Reads by outcome",
    [
      ["hit", "hits"],
      ["miss", "misses"],
      ["stale", "staleServed"],
      ["failure", "failures"],
    ],
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

const register = (larder: string, group: Group, context: Context.Context<never>): void => {
  for (const [name, description, series, label = "outcome"] of counted) {
    for (const [value, field] of series) {
      const metric = Metric.counter(name, {
        description,
        incremental: true,
        attributes: value === undefined ? { larder } : { larder, [label]: value },
      })
      const count = () => {
        let sum = group.ended[field]
        for (const source of group.live) sum += source.counters[field]
        return sum
      }
      Metric.registerUnsafe(metric, context, {
        get: () => ({ count: count(), incremental: true }),
        update: ignore,
        modify: ignore,
      })
    }
  }
  for (const [name, description, read] of gauged) {
    const metric = Metric.gauge(name, { description, attributes: { larder } })
    const value = () => {
      let sum = 0
      for (const source of group.live) sum += source[read]()
      return sum
    }
    Metric.registerUnsafe(metric, context, {
      get: () => ({ value: value() }),
      update: ignore,
      modify: ignore,
    })
  }
}

const refusals: ReadonlyArray<readonly [label: string, reason: keyof Counters["lookupsRefused"]]> =
  [
    ["breaker_open", "breakerOpen"],
    ["shed", "shed"],
  ]

const registerRefusals = (larder: string, group: Group, context: Context.Context<never>): void => {
  for (const [label, reason] of refusals) {
    const metric = Metric.counter("larder_lookups_refused_total", {
      description: "Lookups that a guard of upstream refused",
      incremental: true,
      attributes: { larder, reason: label },
    })
    const count = () => {
      let sum = group.ended.lookupsRefused[reason]
      for (const { counters } of group.live) sum += counters.lookupsRefused[reason]
      return sum
    }
    Metric.registerUnsafe(metric, context, {
      get: () => ({ count: count(), incremental: true }),
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
  [...group.live].map(({ messageDelays }) => messageDelays)

const groupOf = (larder: string, context: Context.Context<never>): Group => {
  const registry = ContextModule.get(context, Metric.MetricRegistry)
  let byName = groups.get(registry)
  if (byName === undefined) groups.set(registry, (byName = new Map()))
  let group = byName.get(larder)
  if (group === undefined) {
    group = { live: new Set(), ended: noCounts(), endedDelays: new Histogram(durations) }
    byName.set(larder, group)
    register(larder, group, context)
    registerRefusals(larder, group, context)
    registerDelays(larder, group, context)
  }
  return group
}

const addCounts = (total: Counters, { lookupsRefused, ...counts }: Counters): void => {
  for (const field of Object.keys(counts) as ReadonlyArray<PlainCount>) {
    total[field] += counts[field]
  }
  for (const [, reason] of refusals) total.lookupsRefused[reason] += lookupsRefused[reason]
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
        group.live.add(source)
        return group
      }),
      (group) =>
        Effect.sync(() => {
          group.live.delete(source)
          addCounts(group.ended, source.counters)
          group.endedDelays.add(source.messageDelays)
        }),
    ),
  )
