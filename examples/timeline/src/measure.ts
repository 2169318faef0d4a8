/** What a step has cost, and how long it took. */
import { Clock, Effect, Metric } from "effect"
import { Network } from "./network.ts"

export interface Cost {
  readonly millis: number
  /** Queries to the source. */
  readonly queries: number
  /** Steps in the tier that the nodes share. */
  readonly trips: number
}

/** All steps of all larders of this process in tiers behind memory, from the metrics that Prometheus gets. */
const trips = Effect.map(Metric.snapshot, (metrics) =>
  metrics
    .filter(({ id }) => id === "larder_tier_operations_total")
    .reduce((sum, { state }) => sum + Number("count" in state ? state.count : 0), 0),
)

/** Milliseconds of the monotonic clock. */
export const now = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1_000_000)

const total = Effect.gen(function* () {
  const { queries } = yield* Network
  return { millis: yield* now, queries: yield* queries, trips: yield* trips }
})

export const costOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const before = yield* total
    const value = yield* effect
    const after = yield* total
    const cost: Cost = {
      millis: after.millis - before.millis,
      queries: after.queries - before.queries,
      trips: after.trips - before.trips,
    }
    return { value, cost }
  })

/** The least of the values that is at least as large as this share of them. */
export const quantile = (values: ReadonlyArray<number>, share: number): number =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(share * values.length) - 1)] ?? Number.NaN
