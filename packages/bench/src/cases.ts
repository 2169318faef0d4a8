/** The benchmarks as data. Every case has goals: a case that decides nothing is not measured. */
import type { ContenderName } from "./contenders/registry.ts"
import type { Shape } from "./Contender.ts"
import type { Draw } from "./draw.ts"
import type { Compared, Goal } from "./result.ts"
import { keyCount, type Latency } from "./source.ts"

export interface Variant {
  readonly name: string
  /** How keys are drawn. `cold`: new keys, each once. `burst`: one new key, for all calls. */
  readonly asked: Draw | "cold" | "burst"
  readonly latency: Latency
}

/** One participant, with its differences from the case. */
export interface Entrant {
  /** The name shown in tables. */
  readonly name: string
  readonly contender: ContenderName
  readonly shape?: Shape
  readonly age?: Age
}

/**
 * The age of the requested entries: fresh, or stale, so that they are served at once while a
 * refresh runs.
 */
type Age = "fresh" | "stale"

export interface Case extends Compared {
  readonly unit: "ns" | "us" | "ms"
  readonly shape: Shape
  /** Default: fresh. */
  readonly age?: Age
  readonly variants: ReadonlyArray<Variant>
  /** Run in this order in every round. */
  readonly entrants: ReadonlyArray<Entrant>
  /** A required server; without it the case is skipped with a message. */
  readonly needs?: "redis"
  /** Calls in one sample. */
  readonly calls: number
  /** How long a round takes samples, without the warm-up. */
  readonly seconds: number
}

/** Entrants under their own names. */
const plain = (...names: ReadonlyArray<ContenderName>): ReadonlyArray<Entrant> =>
  names.map((name) => ({ name, contender: name }))

const bulk = (contender: ContenderName, call: string): Entrant => ({
  name: `${contender} ${call}`,
  contender,
  shape: "many",
})

const peers = [
  "lru-cache",
  "bentocache",
  "cacheable",
  "cache-manager",
  "async-cache-dedupe",
  "layered-loader",
  "cachified",
] as const

/** At most `ratio` times as slow as each of the others. */
const against = (entrant: string, ratio: number, others: ReadonlyArray<string>) =>
  others.map((than): Goal => ({ entrant, than, ratio }))

const zipf: Variant = { name: "zipf", asked: "zipf", latency: "none" }
const uniform: Variant = { name: "uniform", asked: "uniform", latency: "none" }
const each: Variant = { name: "each", asked: "each", latency: "none" }

/** In memory: nanoseconds per call unless stated otherwise, compared with Effect's own cache. */
const inMemory = (
  own: Pick<Case, "name" | "title" | "shape" | "entrants" | "goals" | "variants"> & Partial<Case>,
): Case => ({ baseline: "effect", calls: 10_000, unit: "ns", seconds: 1, ...own })

const memoryCases: ReadonlyArray<Case> = [
  inMemory({
    name: "hit",
    title: "memory hit inside a fiber, ns a hit",
    shape: "fiber",
    variants: [zipf, uniform],
    entrants: plain("larder", "effect", "bare Map"),
    goals: [{ entrant: "larder", ratio: 0.6 }],
  }),
  inMemory({
    name: "runPromise",
    title: "memory hit by one Effect.runPromise each, or awaited, ns a hit",
    shape: "promise",
    variants: [zipf, uniform],
    entrants: plain("larder", "effect", "bare Map", ...peers),
    baseline: "lru-cache",
    goals: [
      { entrant: "larder", ratio: 1.2 },
      ...against("larder", 0.1, ["bentocache", "cacheable"]),
    ],
  }),
  inMemory({
    name: "miss",
    title: "miss, the lookup answers in a later turn, one after another, us a miss",
    shape: "fiber",
    variants: [{ name: "cold", asked: "cold", latency: "turn" }],
    entrants: plain("larder", "effect", "bare Map", ...peers),
    goals: [{ entrant: "larder", ratio: 1.3 }],
    calls: 1_000,
    unit: "us",
  }),
  inMemory({
    name: "many",
    title: "100 memory hits by one call, beside one by one, ns a key",
    shape: "fiber",
    variants: [each],
    entrants: [
      bulk("larder", "getMany"),
      ...plain("larder"),
      bulk("bare Map", "getMany"),
      bulk("cacheable", "getMany"),
      bulk("cache-manager", "mget"),
      bulk("layered-loader", "getMany"),
    ],
    baseline: "larder",
    goals: [{ entrant: "larder getMany", ratio: 0.3 }],
  }),
  inMemory({
    name: "stampede",
    title: "10,000 concurrent callers of one cold key, one lookup, ms for all",
    shape: "stampede",
    variants: [
      { name: "turn", asked: "burst", latency: "turn" },
      { name: "5 ms", asked: "burst", latency: 5 },
    ],
    entrants: [
      ...plain("larder"),
      { name: "larder, runPromise", contender: "larder", shape: "together" },
      ...plain("effect", "bare Map", ...peers),
    ],
    goals: against("larder", 1, peers),
    unit: "ms",
    seconds: 2,
  }),
  inMemory({
    name: "stale",
    title: "hit of a stale entry, refreshed behind: until the caller has the value, ns a hit",
    shape: "fiber",
    age: "stale",
    variants: [{ ...each, latency: "turn" }],
    entrants: [
      ...plain("larder"),
      { name: "larder, fresh", contender: "larder", age: "fresh" },
      { name: "larder, runPromise", contender: "larder", shape: "promise" },
      { name: "larder, runPromise, fresh", contender: "larder", shape: "promise", age: "fresh" },
      ...plain(...peers.filter((peer) => peer !== "cacheable")),
    ],
    baseline: "larder, fresh",
    goals: [
      { entrant: "larder", ratio: 2 },
      { entrant: "larder, runPromise", than: "larder, runPromise, fresh", ratio: 2 },
    ],
    calls: 100,
    seconds: 2,
  }),
  inMemory({
    name: "tags",
    title: "10,000 keys of one tag: dropped by it and all read back, ms for all",
    shape: "tags",
    variants: [each],
    entrants: plain("larder", "bentocache", "cacheable", "async-cache-dedupe"),
    baseline: "async-cache-dedupe",
    goals: against("larder", 0.5, ["bentocache", "cacheable", "async-cache-dedupe"]),
    calls: keyCount,
    unit: "ms",
    seconds: 3,
  }),
]

/** Hits in a farther tier, compared with a bare client of the same server. */
const over =
  (larder: ContenderName, client: ContenderName, needs: Pick<Case, "needs"> = {}) =>
  (
    name: string,
    title: string,
    shape: Shape,
    ratio: number,
    others: ReadonlyArray<Entrant> = [],
  ): Case => ({
    name,
    title,
    shape,
    variants: [shape === "many" ? each : uniform],
    entrants: [...plain(larder, client), ...others],
    baseline: client,
    goals: [{ entrant: larder, ratio }],
    ...needs,
    calls: 1_000,
    unit: "us",
    seconds: 1,
  })

const overRedis = over("larder over redis", "ioredis", { needs: "redis" })
const overSqlite = over("larder over sqlite", "node:sqlite")

const peersOverRedis = plain(
  "effect over redis",
  "bentocache over redis",
  "cacheable over redis",
  "cache-manager over redis",
  "async-cache-dedupe over redis",
  "layered-loader over redis",
  "cachified over redis",
)
const bulkOverRedis = plain(
  "cacheable over redis",
  "cache-manager over redis",
  "layered-loader over redis",
)

// At least 0.9 times the bare client's rate is at most 1.11 times its time.
export const cases: ReadonlyArray<Case> = [
  ...memoryCases,
  overRedis(
    "redis",
    "hit in Redis, none in memory, one after another, us a hit",
    "fiber",
    1.11,
    peersOverRedis,
  ),
  overRedis("redis64", "hit in Redis, 64 in flight, us a hit", "window64", 1.11, peersOverRedis),
  overRedis("redis256", "hit in Redis, 256 in flight, us a hit", "window256", 1.11, peersOverRedis),
  overRedis("redisMany", "getMany of 100 from Redis, us a key", "many", 1.25, bulkOverRedis),
  overSqlite("sqlite", "hit in SQLite, none in memory, one after another, us a hit", "fiber", 4),
  overSqlite("sqliteMany", "getMany of 100 from SQLite, us a key", "many", 3),
]
