/** The traces to replay: generated ones, each of which tests another property, and recordings. */
import { basename } from "node:path"
import {
  described,
  type InvalidTrace,
  readTrace,
  recorder,
  shopTraffic,
  size,
  type Trace,
} from "@larder/traces"
import * as Effect from "effect/Effect"
import { loop, recent } from "../draw.ts"

export interface Loaded {
  readonly trace: Trace
  /** The length and the content of the trace. */
  readonly title: string
  /** The default sizes to replay it at. */
  readonly sizes: ReadonlyArray<number>
  /** Hit ratios in % of a simulation of adaptive W-TinyLFU, by size. */
  readonly reference?: ReadonlyMap<number, number> | undefined
  /** The lowest share of OPT's hit ratio that an adaptive policy reaches. */
  readonly shareOfOpt?: number
}

export interface Source {
  readonly name: string
  readonly load: Effect.Effect<Loaded, InvalidTrace>
}

/** Makes a trace in which each request is for a key that `key` returns. */
const drawn = (requests: number, key: () => number): Trace => {
  const { add, trace } = recorder<number>()
  for (let request = 0; request < requests; request++) add(key())
  return trace()
}

const made = (name: string, known: Omit<Loaded, "trace">, make: () => Trace): Source => ({
  name,
  load: Effect.sync(() => {
    const trace = make()
    return { ...known, title: `${size(trace)} (${known.title})`, trace }
  }),
})

/** The generated traces, which are the same in each run. */
export const generated = (requests: number): ReadonlyArray<Source> => [
  made(
    "shop",
    {
      title: "generated for the pages of a shop: popularity, drift, re-reads, bursts, scans",
      sizes: [300, 1_200, 3_000],
    },
    () => shopTraffic({ seed: 1, requests }),
  ),
  made("loop", { title: "a loop over 1,100 keys", sizes: [1_000], shareOfOpt: 0.5 }, () =>
    drawn(requests, loop(1_100)),
  ),
  made(
    "recency",
    {
      title: "what was read last is read next: stack distances by a power law, 10 % new keys",
      sizes: [250, 1_000, 4_000],
    },
    () => drawn(requests, recent(4_000)),
  ),
]

/** The references of recordings that others have measured as well, by the recordings' sizes. */
const references: ReadonlyMap<
  string,
  ReadonlyArray<readonly [size: number, ratio: number]>
> = new Map([
  [
    "95,607 requests for 13,756 keys",
    [
      [300, 53.71],
      [1_200, 70.73],
      [3_000, 78.35],
    ],
  ],
  [
    "5,000,000 requests for 76,349 keys",
    [
      [1_250, 80.11],
      [5_000, 86.34],
      [20_000, 94.48],
    ],
  ],
])

/** The default sizes for an unknown trace, as shares of its different keys. */
const shares = [0.02, 0.08, 0.25, 0.75]

export const sizesFor = (keys: number): ReadonlyArray<number> => [
  ...new Set(shares.map((share) => Math.max(1, Math.round(share * keys)))),
]

export const recording = (file: string, field: string | undefined): Source => ({
  name: basename(file),
  load: Effect.map(readTrace(file, { field }), (read) => {
    const reference = new Map(references.get(size(read.trace)))
    const sizes = reference.size > 0 ? [...reference.keys()] : sizesFor(read.trace.keys.length)
    return { trace: read.trace, title: described(read), sizes, reference }
  }),
})
