/**
 * Traces drawn with a seed, each of a kind that some policy does badly on. The
 * sizes are those of a cache for which the kind is what its name says.
 */
import { generator, weighted } from "../draw.ts"
import {
  apart,
  type Draw,
  inTurn,
  loop,
  mixed,
  moving,
  type Random,
  recent,
  twice,
  uniform,
  zipf,
} from "./draws.ts"
import { recorder, type Trace } from "./Trace.ts"

export interface Generated {
  readonly name: string
  /** What it consists of, with its parameters. */
  readonly title: string
  readonly requests: number
  readonly sizes: ReadonlyArray<number>
  /** The share of what OPT has that an adaptive policy has at least, where LRU has next to nothing. */
  readonly shareOfOpt?: number
  readonly draw: (random: Random) => Draw
}

/** The same for the same seed. */
export const generate = ({ draw, requests }: Generated, seed: number): Trace => {
  const { add, trace } = recorder<number>()
  const next = draw(generator(seed))
  for (let request = 0; request < requests; request++) add(next())
  return trace()
}

const requests = 500_000
const sizes = [250, 1_000, 4_000]

const loops: ReadonlyArray<Generated> = [
  {
    name: "loop-1.1x",
    title: "a loop over 1,100 keys",
    requests,
    sizes: [1_000],
    shareOfOpt: 0.5,
    draw: () => loop(1_100),
  },
  {
    name: "loop-2x",
    title: "a loop over 2,000 keys",
    requests,
    sizes: [500, 1_000],
    draw: () => loop(2_000),
  },
]

const zipfs: ReadonlyArray<Generated> = [0.6, 0.8, 1, 1.2].map((exponent) => ({
  name: `zipf-${exponent}`,
  title: `Zipf's law with exponent ${exponent} over 50,000 keys`,
  requests,
  sizes,
  draw: (random) => zipf(50_000, exponent, random),
}))

const scans: ReadonlyArray<Generated> = [
  {
    name: "scan-once",
    title: "Zipf (1) over 10,000 keys; after each 10,000 requests 5,000 keys that never come again",
    requests,
    sizes,
    draw: (random) =>
      inTurn([
        [10_000, apart(0, 2, zipf(10_000, 1, random))],
        [5_000, apart(1, 2, loop(Infinity))],
      ]),
  },
  {
    name: "scan-again",
    title: "Zipf (0.8) over 10,000 keys; after each 50,000 requests all the 20,000 keys there are",
    requests,
    sizes,
    draw: (random) =>
      inTurn([
        [50_000, zipf(10_000, 0.8, random)],
        [20_000, loop(20_000)],
      ]),
  },
  {
    name: "one-timers",
    title: "70 % keys that never come again, among Zipf (0.9) over 10,000 keys",
    requests,
    sizes,
    draw: (random) =>
      mixed(
        [
          [30, apart(0, 2, zipf(10_000, 0.9, random))],
          [70, apart(1, 2, loop(Infinity))],
        ],
        random,
      ),
  },
]

/** What a cache of 1,000 keeps best by recency. */
const lately = (random: Random): Draw => recent({ depth: 4_000, exponent: 0.9, fresh: 0.1 }, random)

const recencies: ReadonlyArray<Generated> = [
  {
    name: "recency",
    title: "stack distances by a power law (exponent 0.9, up to 4,000), 10 % new keys",
    requests,
    sizes,
    draw: lately,
  },
  {
    name: "recency-short",
    title: "stack distances by a power law (exponent 0.3, up to 900), 30 % new keys",
    requests,
    sizes,
    draw: (random) => recent({ depth: 900, exponent: 0.3, fresh: 0.3 }, random),
  },
  {
    name: "newest",
    title: "a new key each 5 requests, its age by a geometric distribution with mean 800",
    requests,
    sizes,
    draw: (random) => {
      const age = weighted(20_000, (n) => Math.exp(-n / 800), random)
      return moving(() => 20_000 - age(), { requests: 5, step: 1 })
    },
  },
]

const phases: ReadonlyArray<Generated> = [
  {
    name: "phases-abrupt",
    title: "Zipf (0.9) over 10,000 keys, all replaced each 50,000 requests",
    requests,
    sizes,
    draw: (random) => moving(zipf(10_000, 0.9, random), { requests: 50_000, step: 10_000 }),
  },
  {
    name: "phases-drift",
    title:
      "Zipf (0.9) over 10,000 keys, a new one on top and all others one rank down each 100 requests",
    requests,
    sizes,
    draw: (random) => {
      const rank = zipf(10_000, 0.9, random)
      return moving(() => 10_000 - rank(), { requests: 100, step: 1 })
    },
  },
  {
    name: "phases-back",
    title: "Zipf (0.9) over 10,000 keys and over 10,000 others in turn, 25,000 requests each",
    requests,
    sizes,
    draw: (random) =>
      inTurn([
        [25_000, apart(0, 2, zipf(10_000, 0.9, random))],
        [25_000, apart(1, 2, zipf(10_000, 0.9, random))],
      ]),
  },
  {
    name: "phases-opposed",
    title: "in turn, 100,000 requests each: a loop over 1,200 keys, recency (as above)",
    requests: 1_000_000,
    sizes: [500, 1_000],
    draw: (random) =>
      inTurn([
        [100_000, apart(0, 2, loop(1_200))],
        [100_000, apart(1, 2, lately(random))],
      ]),
  },
  {
    name: "phases-opposed-fast",
    title: "in turn, 5,000 requests each: a loop over 1,200 keys, recency (as above)",
    requests: 1_000_000,
    sizes: [500, 1_000],
    draw: (random) =>
      inTurn([
        [5_000, apart(0, 2, loop(1_200))],
        [5_000, apart(1, 2, lately(random))],
      ]),
  },
]

const mixtures: ReadonlyArray<Generated> = [
  {
    name: "uniform",
    title: "each of 5,000 keys as often as the others",
    requests,
    sizes,
    draw: (random) => uniform(5_000, random),
  },
  {
    name: "mixture",
    title:
      "50 % Zipf (1) over 10,000 keys, 30 % a loop over 1,500, 20 % keys that never come again",
    requests,
    sizes,
    draw: (random) =>
      mixed(
        [
          [50, apart(0, 3, zipf(10_000, 1, random))],
          [30, apart(1, 3, loop(1_500))],
          [20, apart(2, 3, loop(Infinity))],
        ],
        random,
      ),
  },
  {
    name: "mixture-recency",
    title: "40 % recency (as above), 40 % Zipf (0.8) over 20,000 keys, 20 % a loop over 3,000",
    requests,
    sizes,
    draw: (random) =>
      mixed(
        [
          [40, apart(0, 3, lately(random))],
          [40, apart(1, 3, zipf(20_000, 0.8, random))],
          [20, apart(2, 3, loop(3_000))],
        ],
        random,
      ),
  },
]

/** Each key comes a second time while a cache of 1,000 that keeps the latest still has it, or no more. */
const floods: ReadonlyArray<Generated> = [
  {
    name: "twice-near",
    title: "new keys only, each once more after requests for 600 others",
    requests,
    sizes: [500, 1_000],
    draw: () => twice(300),
  },
  {
    name: "twice-near-zipf",
    title: "half Zipf (1) over 10,000 keys, half new keys, each once more after 200 others",
    requests,
    sizes,
    draw: (random) =>
      mixed(
        [
          [50, apart(0, 2, zipf(10_000, 1, random))],
          [50, apart(1, 2, twice(100))],
        ],
        random,
      ),
  },
  {
    name: "twice-far-zipf",
    title: "half Zipf (1) over 10,000 keys, half new keys, each once more after 10,000 others",
    requests,
    sizes,
    draw: (random) =>
      mixed(
        [
          [50, apart(0, 2, zipf(10_000, 1, random))],
          [50, apart(1, 2, twice(5_000))],
        ],
        random,
      ),
  },
]

export const generated: ReadonlyArray<Generated> = [
  ...loops,
  ...zipfs,
  ...scans,
  ...recencies,
  ...phases,
  ...mixtures,
  ...floods,
]
