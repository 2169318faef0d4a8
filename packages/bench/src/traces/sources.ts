/** The traces to replay: generated ones, each of which tests another property, and recordings. */
import { basename } from "node:path"
import {
  described,
  generator,
  type InvalidTrace,
  readTrace,
  recorder,
  shopTraffic,
  size,
  type Trace,
  zipf,
} from "@larder/traces"
import * as Effect from "effect/Effect"

export interface Loaded {
  readonly trace: Trace
  /** Its length and its content. */
  readonly title: string
  /** The default sizes to replay it at. */
  readonly sizes: ReadonlyArray<number>
  /** Hit ratios in % of a simulation of adaptive W-TinyLFU, by size. */
  readonly reference: ReadonlyMap<number, number>
  /** The lowest share of OPT's hit ratio that an adaptive policy reaches. */
  readonly shareOfOpt: number | undefined
}

export interface Source {
  readonly name: string
  readonly load: Effect.Effect<Loaded, InvalidTrace>
}

const noReference: ReadonlyMap<number, number> = new Map()

/** The next request is for what `key` returns. */
const drawn = (requests: number, key: () => number): Trace => {
  const { add, trace } = recorder<number>()
  for (let request = 0; request < requests; request++) add(key())
  return trace()
}

/** The same keys over and over: LRU gets no hit unless all of them fit. */
const loop = (length: number): (() => number) => {
  let next = 0
  return () => next++ % length
}

/**
 * The key requested `d` different keys ago, with a share proportional to `1 / (d + 1) ** exponent`,
 * and a new key in a share `fresh` of all requests: the best case for LRU.
 */
const recent = (
  { depth, exponent, fresh }: { depth: number; exponent: number; fresh: number },
  seed: number,
): (() => number) => {
  const random = generator(seed)
  const stack = Float64Array.from({ length: depth }, (_, place) => place)
  const distance = zipf(depth, exponent, random)
  let unused = depth
  return () => {
    const isNew = random() < fresh
    const place = isNew ? depth - 1 : distance()
    const key = isNew ? unused++ : stack[place]!
    stack.copyWithin(1, 0, place)
    stack[0] = key
    return key
  }
}

const made = (
  name: string,
  known: Pick<Loaded, "title" | "sizes"> & Partial<Pick<Loaded, "shareOfOpt">>,
  requests: () => Trace,
): Source => ({
  name,
  load: Effect.sync(() => {
    const trace = requests()
    const title = `${size(trace)} (${known.title})`
    return { reference: noReference, shareOfOpt: undefined, ...known, title, trace }
  }),
})

/** The same seed gives the same traces. */
export const generated = (seed: number, requests: number): ReadonlyArray<Source> => [
  made(
    "shop",
    {
      title: "generated for the pages of a shop: popularity, drift, re-reads, bursts, scans",
      sizes: [300, 1_200, 3_000],
    },
    () => shopTraffic({ seed, requests }),
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
    () => drawn(requests, recent({ depth: 4_000, exponent: 0.9, fresh: 0.1 }, seed)),
  ),
]

interface Known {
  readonly requests: number
  readonly keys: number
  readonly reference: ReadonlyMap<number, number>
}

/** Recordings that others have measured as well, recognised by their content. */
const known: ReadonlyArray<Known> = [
  {
    requests: 95_607,
    keys: 13_756,
    reference: new Map([
      [300, 53.71],
      [1_200, 70.73],
      [3_000, 78.35],
    ]),
  },
  {
    requests: 5_000_000,
    keys: 76_349,
    reference: new Map([
      [1_250, 80.11],
      [5_000, 86.34],
      [20_000, 94.48],
    ]),
  },
]

/** The default sizes for an unknown trace, as shares of its different keys. */
const shares = [0.02, 0.08, 0.25, 0.75]

export const sizesFor = (keys: number): ReadonlyArray<number> => [
  ...new Set(shares.map((share) => Math.max(1, Math.round(share * keys)))),
]

export const recording = (file: string, field: string | undefined): Source => ({
  name: basename(file),
  load: Effect.map(readTrace(file, { field }), (read) => {
    const { keys, requests } = read.trace
    const found = known.find(
      (other) => other.requests === requests.length && other.keys === keys.length,
    )
    return {
      trace: read.trace,
      title: described(read),
      sizes: found === undefined ? sizesFor(keys.length) : [...found.reference.keys()],
      reference: found?.reference ?? noReference,
      shareOfOpt: undefined,
    }
  }),
})
