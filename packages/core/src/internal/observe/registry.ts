/**
 * Series in an Effect registry, which reads them on demand: counting itself never touches the registry.
 * Larders of one name share their series: several nodes in one process, or a larder that is opened again.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import { type MetricDefinition, catalogue } from "../../Metrics.ts"
import { Histogram } from "./histogram.ts"

type Labels = Readonly<Record<string, string>>

/** One series of a larder. */
export type Series =
  | {
      readonly metric: string
      readonly labels: Labels
      readonly count: () => number
      /** Whether it may rise after the larder has closed: a closed larder still answers calls, with a failure. */
      readonly isLate?: boolean
    }
  | {
      readonly metric: string
      readonly labels: Labels
      readonly gauge: () => number
      /** For larders of one name: the sum of their gauges, or the highest. Default `"sum"`. */
      readonly together?: "sum" | "highest"
    }
  | {
      readonly metric: string
      readonly labels: Labels
      readonly histogram: Histogram
    }

/** The registered series of one larder. */
export interface Registered {
  /** Adds a series that the larder has from now on, such as that of a server met for the first time. */
  readonly add: (series: Series) => void
  /** Adds what the larder has counted since it closed. Nothing before that. */
  readonly settle: () => void
}

const definitions: ReadonlyMap<string, MetricDefinition> = new Map(
  catalogue.map((metric) => [metric.name, metric]),
)

const definitionOf = (name: string): MetricDefinition => {
  const definition = definitions.get(name)
  if (definition === undefined) throw new Error(`${name} is not in Metrics.catalogue`)
  return definition
}

/** What all larders of one name have at a series, the closed ones included. */
abstract class Shared<Part> {
  protected readonly live: Array<Part> = []

  add(part: Part): void {
    this.live.push(part)
  }

  /** Returns whether the series has ended. */
  remove(part: Part): boolean {
    this.live.splice(this.live.indexOf(part), 1)
    return false
  }
}

class SharedCounter extends Shared<() => number> {
  #ended = 0

  override remove(count: () => number): boolean {
    this.#ended += count()
    return super.remove(count)
  }

  /** Returns a function that adds what is counted from now on. The counter does not refer to it. */
  later(count: () => number): () => void {
    let seen = count()
    return () => {
      const now = count()
      this.#ended += now - seen
      seen = now
    }
  }

  readonly get = () => {
    let sum = this.#ended
    for (const count of this.live) sum += count()
    return { count: sum, incremental: true }
  }
}

class SharedGauge extends Shared<() => number> {
  readonly #together: "sum" | "highest"

  constructor(together: "sum" | "highest") {
    super()
    this.#together = together
  }

  override remove(gauge: () => number): boolean {
    super.remove(gauge)
    // The size of something that is not there is no size of 0.
    return this.live.length === 0
  }

  readonly get = () => {
    let value = 0
    for (const gauge of this.live) {
      value = this.#together === "sum" ? value + gauge() : Math.max(value, gauge())
    }
    return { value }
  }
}

class SharedHistogram extends Shared<Histogram> {
  readonly #ended: Histogram

  constructor(bounds: ReadonlyArray<number>) {
    super()
    this.#ended = new Histogram(bounds)
  }

  override remove(histogram: Histogram): boolean {
    this.#ended.add(histogram)
    return super.remove(histogram)
  }

  readonly get = () => {
    const [only] = this.live
    if (only !== undefined && this.live.length === 1 && this.#ended.isEmpty) return only.state
    const sum = new Histogram(this.#ended.bounds)
    for (const part of [this.#ended, ...this.live]) sum.add(part)
    return sum.state
  }
}

interface Group {
  readonly larder: string
  readonly context: Context.Context<never>
  /** By metric and labels. */
  readonly series: Map<string, Join>
}

/** Adds a larder's part of a series. */
type Join = (part: Series) => Leave

/** Takes a larder's part away; returns how to add what the larder still counts after that. */
type Leave = () => (() => void) | undefined

const groups = new WeakMap<Metric.MetricRegistry, Map<string, Group>>()

const groupOf = (larder: string, context: Context.Context<never>): Group => {
  const registry = Context.get(context, Metric.MetricRegistry)
  let byName = groups.get(registry)
  if (byName === undefined) groups.set(registry, (byName = new Map()))
  let group = byName.get(larder)
  if (group === undefined) byName.set(larder, (group = { larder, context, series: new Map() }))
  return group
}

const ignore = () => {}

/** Registers a series that no larder of the group has; returns how larders join it, and leave it. */
const register = (group: Group, id: string, series: Series): Join => {
  const { context, larder } = group
  const { buckets = [], help: description, unit } = definitionOf(series.metric)
  const attributes = { larder, ...series.labels, unit }
  const hooks = { update: ignore, modify: ignore }
  const sharedBy = <Part>(
    shared: Shared<Part>,
    registration: Metric.Registration,
    partOf: (series: Series) => Part | undefined,
    later: (series: Series, part: Part) => (() => void) | undefined = () => undefined,
  ): Join => {
    return (series) => {
      const part = partOf(series)
      if (part === undefined) throw new Error(`${series.metric} has another type`)
      shared.add(part)
      return () => {
        if (shared.remove(part)) {
          registration.remove()
          group.series.delete(id)
        }
        return later(series, part)
      }
    }
  }
  if ("count" in series) {
    const shared = new SharedCounter()
    const metric = Metric.counter(series.metric, { description, attributes, incremental: true })
    const registration = Metric.registerUnsafe(metric, context, { ...hooks, get: shared.get })
    return sharedBy(
      shared,
      registration,
      (one) => ("count" in one ? one.count : undefined),
      (one, count) => ("isLate" in one && one.isLate === true ? shared.later(count) : undefined),
    )
  }
  if ("gauge" in series) {
    const shared = new SharedGauge(series.together ?? "sum")
    const metric = Metric.gauge(series.metric, { description, attributes })
    const registration = Metric.registerUnsafe(metric, context, { ...hooks, get: shared.get })
    return sharedBy(shared, registration, (one) => ("gauge" in one ? one.gauge : undefined))
  }
  const shared = new SharedHistogram(buckets)
  const metric = Metric.histogram(series.metric, { description, attributes, boundaries: buckets })
  const registration = Metric.registerUnsafe(metric, context, { ...hooks, get: shared.get })
  return sharedBy(shared, registration, (one) => ("histogram" in one ? one.histogram : undefined))
}

const joined = (group: Group, series: Series): Leave => {
  const id = [series.metric, ...Object.values(series.labels)].join("\n")
  let join = group.series.get(id)
  if (join === undefined) group.series.set(id, (join = register(group, id, series)))
  return join(series)
}

/** The series of one larder, until it closes, and those that it still counts after that. */
class OwnSeries implements Registered {
  readonly #group: Group
  #leave: ReadonlyArray<Leave>
  #late: ReadonlyArray<() => void> = []
  #isOver = false

  constructor(group: Group, series: ReadonlyArray<Series>) {
    this.#group = group
    this.#leave = series.map((one) => joined(group, one))
  }

  readonly add = (series: Series): void => {
    if (!this.#isOver) this.#leave = [...this.#leave, joined(this.#group, series)]
  }

  readonly settle = (): void => {
    for (const settle of this.#late) settle()
  }

  end(): void {
    this.#isOver = true
    this.#late = this.#leave.flatMap((leave) => leave() ?? [])
    this.#leave = []
  }
}

/**
 * Registers series of a larder in the registry of `context`. When the scope closes, its gauges go, and
 * the totals of its counters and histograms stay, without any reference to the larder.
 */
export const registered = (
  larder: string,
  series: ReadonlyArray<Series>,
  context: Context.Context<never>,
): Effect.Effect<Registered, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new OwnSeries(groupOf(larder, context), series)),
    (own) => Effect.sync(() => own.end()),
  )
