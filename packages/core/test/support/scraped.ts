/** The metrics in the registry, read as an exporter reads them. */
import { Effect, Metric } from "effect"

/** The name of a series: the metric and the values of its labels beside `larder`. */
export const seriesName = ({
  attributes = {},
  id,
}: Pick<Metric.Metric.Snapshot, "attributes" | "id">): string => {
  const { larder: _, unit: __, ...labels } = attributes
  return [id, ...Object.values(labels)].join(" ")
}

const readOf = (type: "Counter" | "Gauge" | "Histogram") =>
  Effect.map(
    Metric.snapshot,
    (metrics) =>
      new Map(
        metrics
          .filter((metric) => metric.type === type)
          .map((metric) => {
            const state = metric.state as { readonly count?: number; readonly value?: number }
            return [seriesName(metric), Number(state.count ?? state.value)] as const
          }),
      ),
  )

/** All counters, by series. */
export const counters = readOf("Counter")

/** All gauges, by series. */
export const gauges = readOf("Gauge")

/** The counts of all histograms, by series. */
export const histogramCounts = readOf("Histogram")
