/** `pnpm bench --metrics`: the series of a larder, and what reading those of many larders takes. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { PrometheusMetrics } from "effect/observability"
import { worked } from "../clock.ts"
import { environment } from "../environment.ts"
import { aligned, heading } from "../table.ts"
import { equipment, type Equipment, make, over, type Stack, stacks } from "./larders.ts"

export interface Figures {
  /** The lines with a value that a scrape of one larder has. */
  readonly series: number
  /** Of a page of {@link larders} larders, KiB. */
  readonly page: number
  /** Milliseconds of processor time for all {@link larders} larders. */
  readonly snapshot: number
  readonly scrape: number
}

export const larders = 20

/** Reads for one sample: the clock of processor time is too coarse for one. */
const readsPerSample = 10

/** The processor time of the fastest sample, ms a read: other load on the machine slows the others down. */
const millisOf = (read: Effect.Effect<unknown>, samples: number): Effect.Effect<number> =>
  Effect.gen(function* () {
    let best = Infinity
    for (let sample = 0; sample < samples; sample++) {
      const began = worked()
      for (let i = 0; i < readsPerSample; i++) yield* read
      best = Math.min(best, (worked() - began) / readsPerSample)
    }
    return best
  })

const seriesIn = (page: string): number =>
  page.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length

export const figures = (stack: Stack, kind: Equipment, samples: number): Effect.Effect<Figures> =>
  over(
    stack,
    kind,
    Effect.gen(function* () {
      yield* make(kind, "larder-0")
      const series = seriesIn(yield* PrometheusMetrics.format())
      for (let i = 1; i < larders; i++) yield* make(kind, `larder-${i}`)
      const page = (yield* PrometheusMetrics.format()).length / 1_024
      const snapshot = yield* millisOf(Metric.snapshot, samples)
      const scrape = yield* millisOf(PrometheusMetrics.format(), samples)
      return { series, page, snapshot, scrape }
    }),
  )

const heads = ["", "", "series", "page, KiB", "snapshot, ms", "scrape, ms"]

export const table = (
  all: ReadonlyArray<readonly [stack: Stack, kind: Equipment, figures: Figures]>,
): string => {
  const rows = all.map(([stack, kind, { page, scrape, series, snapshot }], at) => [
    all[at - 1]?.[0] === stack ? "" : stack,
    kind,
    String(series),
    page.toFixed(0),
    snapshot.toFixed(2),
    scrape.toFixed(1),
  ])
  return aligned([heads, ...rows], 2).join("\n")
}

const legend = `series: of one larder, histogram buckets included. The other figures: of ${larders} larders, in processor time of
the fastest of some samples. snapshot: reading all series. scrape: a snapshot, and its text by Effect's PrometheusMetrics.
${Object.entries(equipment)
  .map(([kind, what]) => `${kind}: ${what}`)
  .join("; ")}.`

export const run = async (samples: number): Promise<void> => {
  console.log([heading(environment(["@larder/core", "effect"])), legend].join("\n"))
  const all: Array<readonly [Stack, Equipment, Figures]> = []
  for (const stack of Object.keys(stacks) as ReadonlyArray<Stack>) {
    for (const kind of Object.keys(equipment) as ReadonlyArray<Equipment>) {
      all.push([stack, kind, await Effect.runPromise(figures(stack, kind, samples))])
    }
  }
  console.log(`\n${table(all)}`)
}
