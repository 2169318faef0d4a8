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
  /** How many of them are in flight. Default: all. */
  readonly inFlight?: number
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
  "bentocache",
  "cacheable",
  "cache-manager",
  "async-cache-dedupe",
  "layered-loader",
  "cachified",
] as const

/** The goals of an entrant that must take at most `ratio` times as long as each of the others. */
const atMost = (ratio: number, entrant: string, ...others: ReadonlyArray<string>) =>
  others.map((than): Goal => ({ entrant, than, ratio }))

const zipf: Variant = { name: "zipf", asked: "zipf", latency: "none" }
const uniform: Variant = { name: "uniform", asked: "uniform", latency: "none" }
const each: Variant = { name: "each", asked: "each", latency: "none" }

/** Makes cases from their common fields; a case without entrants or goals fails the tests. */
const casesOf =
  (common: Omit<Case, "name" | "title">) =>
  (name: string, title: string, own: Partial<Case> = {}): Case => ({
    ...common,
    name,
    title,
    ...own,
  })

/** Compared with Effect's own cache unless stated otherwise. */
const inMemory = casesOf({
  shape: "fiber",
  variants: [each],
  entrants: plain("larder", "effect", "bare Map", "lru-cache", ...peers),
  baseline: "effect",
  goals: [],
  calls: 10_000,
  unit: "ns",
  seconds: 1,
})

/** Hits in a farther tier, compared with a bare client of the same server. */
const farther = {
  shape: "fiber",
  variants: [uniform],
  calls: 1_000,
  unit: "us",
  seconds: 1,
} as const

const inRedis = casesOf({
  ...farther,
  entrants: plain(
    "larder over redis",
    "ioredis",
    "effect over redis",
    ...peers.map((peer) => `${peer} over redis` as const),
  ),
  baseline: "ioredis",
  // At least 0.9 times the bare client's rate is at most 1.11 times its time.
  goals: atMost(1.11, "larder over redis", "ioredis"),
  needs: "redis",
})

const inSqlite = casesOf({
  ...farther,
  entrants: plain("larder over sqlite", "node:sqlite"),
  baseline: "node:sqlite",
  goals: [],
})

const checkedBeside = plain("larder checked", "larder over redis", "ioredis", "larder")

export const cases: ReadonlyArray<Case> = [
  inMemory("hit", "memory hit inside a fiber, ns a hit", {
    variants: [zipf, uniform],
    entrants: plain("larder", "effect", "bare Map"),
    goals: atMost(0.6, "larder", "effect"),
  }),
  inMemory("runPromise", "memory hit by one Effect.runPromise each, or awaited, ns a hit", {
    shape: "promise",
    variants: [zipf, uniform],
    baseline: "lru-cache",
    goals: [
      ...atMost(1.2, "larder", "lru-cache"),
      ...atMost(0.1, "larder", "bentocache", "cacheable"),
    ],
  }),
  inMemory("miss", "miss, the lookup answers in a later turn, one after another, us a miss", {
    variants: [{ name: "cold", asked: "cold", latency: "turn" }],
    goals: atMost(1.3, "larder", "effect"),
    calls: 1_000,
    unit: "us",
  }),
  inMemory("many", "100 memory hits by one call, beside one by one, ns a key", {
    entrants: [
      bulk("larder", "getMany"),
      ...plain("larder"),
      bulk("bare Map", "getMany"),
      bulk("cacheable", "getMany"),
      bulk("cache-manager", "mget"),
      bulk("layered-loader", "getMany"),
    ],
    baseline: "larder",
    goals: atMost(0.3, "larder getMany", "larder"),
  }),
  inMemory("stampede", "10,000 concurrent callers of one cold key, one lookup, ms for all", {
    shape: "inFlight",
    variants: [
      { name: "turn", asked: "burst", latency: "turn" },
      { name: "5 ms", asked: "burst", latency: 5 },
    ],
    entrants: [
      ...plain("larder"),
      { name: "larder, runPromise", contender: "larder", shape: "together" },
      ...plain("effect", "bare Map", "lru-cache", ...peers),
    ],
    goals: atMost(1, "larder", "lru-cache", ...peers),
    unit: "ms",
    seconds: 2,
  }),
  inMemory(
    "stale",
    "hit of a stale entry, refreshed behind: until the caller has the value, ns a hit",
    {
      age: "stale",
      variants: [{ ...each, latency: "turn" }],
      entrants: [
        ...plain("larder"),
        { name: "larder, fresh", contender: "larder", age: "fresh" },
        { name: "larder, runPromise", contender: "larder", shape: "promise" },
        { name: "larder, runPromise, fresh", contender: "larder", shape: "promise", age: "fresh" },
        ...plain("lru-cache", ...peers.filter((peer) => peer !== "cacheable")),
      ],
      baseline: "larder, fresh",
      goals: [
        ...atMost(2, "larder", "larder, fresh"),
        ...atMost(2, "larder, runPromise", "larder, runPromise, fresh"),
      ],
      calls: 100,
      seconds: 2,
    },
  ),
  inMemory("tags", "10,000 keys of one tag: dropped by it and all read back, ms for all", {
    shape: "tags",
    entrants: plain("larder", "bentocache", "cacheable", "async-cache-dedupe"),
    baseline: "async-cache-dedupe",
    goals: atMost(0.5, "larder", "bentocache", "cacheable", "async-cache-dedupe"),
    calls: keyCount,
    unit: "ms",
    seconds: 3,
  }),
  inRedis("redis", "hit in Redis, none in memory, one after another, us a hit"),
  // Beside GET and JSON.parse, with schema, checksum, marks and times.
  inRedis("redis64", "hit in Redis, 64 in flight, us a hit", {
    shape: "inFlight",
    inFlight: 64,
    goals: atMost(1.8, "larder over redis", "ioredis"),
  }),
  inRedis("redis256", "hit in Redis, 256 in flight, us a hit", {
    shape: "inFlight",
    inFlight: 256,
    goals: atMost(1.8, "larder over redis", "ioredis"),
  }),
  inRedis("redisMany", "getMany of 100 from Redis, us a key", {
    shape: "many",
    variants: [each],
    entrants: plain(
      "larder over redis",
      "ioredis",
      "cacheable over redis",
      "cache-manager over redis",
      "layered-loader over redis",
    ),
    goals: atMost(2, "larder over redis", "ioredis"),
  }),
  // A checked read asks for the version alone, and decodes nothing.
  inRedis("checked", "memory hit whose version Redis confirms, one after another, us a hit", {
    entrants: checkedBeside,
    goals: atMost(3, "larder checked", "ioredis"),
  }),
  inRedis("checked64", "memory hit whose version Redis confirms, 64 in flight, us a hit", {
    shape: "inFlight",
    inFlight: 64,
    entrants: checkedBeside,
    goals: atMost(2, "larder checked", "ioredis"),
  }),
  inSqlite("sqlite", "hit in SQLite, none in memory, one after another, us a hit", {
    goals: atMost(2.5, "larder over sqlite", "node:sqlite"),
  }),
  inSqlite("sqliteMany", "getMany of 100 from SQLite, us a key", {
    shape: "many",
    variants: [each],
    goals: atMost(3, "larder over sqlite", "node:sqlite"),
  }),
]
