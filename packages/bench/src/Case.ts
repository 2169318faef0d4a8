/** What is measured, as data: add a case here, and a library in `contenders/`. */
import type { ContenderName } from "./contenders/registry.ts"
import type { Shape } from "./Contender.ts"
import type { Draw } from "./draw.ts"
import type { Latency } from "./source.ts"

export interface Variant {
  readonly name: string
  readonly draw: Draw
  readonly latency: Latency
}

export interface Case {
  readonly name: string
  readonly title: string
  readonly shape: Shape
  readonly variants: ReadonlyArray<Variant>
  /** Run in this order in every round. */
  readonly contenders: ReadonlyArray<ContenderName>
  /** Whom the others are compared with. */
  readonly baseline: ContenderName
  /** The ratio of medians that the contender has to stay at or below. */
  readonly goal: { readonly contender: ContenderName; readonly ratio: number }
  /** What has to be there; where it is not, the case is left out with a word. */
  readonly needs?: "redis"
  /** Calls in one sample. */
  readonly calls: number
  /** `us`: microseconds a call. `ns`: nanoseconds a call. `ms`: milliseconds for all calls of a sample together. */
  readonly unit: "ns" | "us" | "ms"
  /** How long a round takes samples for, warm-up not counted. */
  readonly seconds: number
}

/** Keys that every case draws from, and the entries that every memory may hold. */
export const keyCount = 10_000
export const maxEntries = 50_000

const hits: ReadonlyArray<Variant> = [
  { name: "zipf", draw: "zipf", latency: "none" },
  { name: "uniform", draw: "uniform", latency: "none" },
]

const uniform: ReadonlyArray<Variant> = [{ name: "uniform", draw: "uniform", latency: "none" }]

const peers = [
  "bentocache",
  "cacheable",
  "cache-manager",
  "async-cache-dedupe",
  "layered-loader",
] as const

/** What a farther tier answers, beside a bare client of the same. */
const over =
  (larder: ContenderName, client: ContenderName, needs: Pick<Case, "needs"> = {}) =>
  (
    name: string,
    title: string,
    shape: Shape,
    ratio: number,
    peers: ReadonlyArray<ContenderName> = [],
  ): Case => ({
    name,
    title,
    shape,
    variants: uniform,
    contenders: [larder, client, ...peers],
    baseline: client,
    goal: { contender: larder, ratio },
    ...needs,
    calls: 1_000,
    unit: "us",
    seconds: 1,
  })

const overRedis = over("larder over redis", "ioredis", { needs: "redis" })
const overSqlite = over("larder over sqlite", "node:sqlite")

export const cases: ReadonlyArray<Case> = [
  {
    name: "hit",
    title: "memory hit inside a fiber, ns a hit",
    shape: "fiber",
    variants: hits,
    contenders: ["larder", "effect"],
    baseline: "effect",
    goal: { contender: "larder", ratio: 0.75 },
    calls: 10_000,
    unit: "ns",
    seconds: 1,
  },
  {
    name: "runPromise",
    title: "memory hit by one Effect.runPromise each, ns a hit",
    shape: "promise",
    variants: hits,
    contenders: ["larder", "effect"],
    baseline: "effect",
    goal: { contender: "larder", ratio: 0.9 },
    calls: 10_000,
    unit: "ns",
    seconds: 1,
  },
  {
    name: "stampede",
    title: "10,000 concurrent callers of one cold key, one lookup, ms for all",
    shape: "stampede",
    variants: [
      { name: "turn", draw: "cold", latency: "turn" },
      { name: "5 ms", draw: "cold", latency: 5 },
    ],
    contenders: ["larder", "effect"],
    baseline: "effect",
    goal: { contender: "larder", ratio: 1.1 },
    calls: 10_000,
    unit: "ms",
    seconds: 3,
  },
  // A rate of at least 0.9 of the bare client's is a time of at most 1.11.
  overRedis(
    "redis",
    "hit in Redis, none in memory, one after another, us a hit",
    "fiber",
    1.11,
    peers,
  ),
  overRedis("redis64", "hit in Redis, 64 in flight, us a hit", "window64", 1.11, peers),
  overRedis("redis256", "hit in Redis, 256 in flight, us a hit", "window256", 1.11, peers),
  overRedis("redisMany", "getMany of 100 from Redis, us a key", "many", 1.25, ["layered-loader"]),
  overSqlite("sqlite", "hit in SQLite, none in memory, one after another, us a hit", "fiber", 4),
  overSqlite("sqliteMany", "getMany of 100 from SQLite, us a key", "many", 3),
]

export const findCase = (name: string): Case | undefined =>
  cases.find((candidate) => candidate.name === name)
