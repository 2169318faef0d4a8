/** The stacks of a run of writes, the configuration of its processes, and their commands. */

/** A source, and the outbox before it. */
export const combos = ["sqlite", "postgres", "redis", "memory"] as const
export type ComboName = (typeof combos)[number]

export interface Combo {
  readonly source: "sqlite" | "postgres" | "redis"
  readonly outbox: "sqlite" | "postgres" | "redis" | "memory"
}

export const comboOf: Readonly<Record<ComboName, Combo>> = {
  sqlite: { source: "sqlite", outbox: "sqlite" },
  postgres: { source: "postgres", outbox: "postgres" },
  redis: { source: "redis", outbox: "redis" },
  memory: { source: "sqlite", outbox: "memory" },
}

/**
 * What a process does: a writer writes and flushes, a putter leaves the flushing to others, a flusher
 * writes nothing of its own.
 */
export type Role = "writer" | "putter" | "flusher"

export const roles: Readonly<Record<string, Role>> = {
  A: "writer",
  B: "writer",
  C: "putter",
  D: "flusher",
}

export interface Config {
  readonly node: string
  /** The n-th process of the node. */
  readonly process: string
  readonly role: Role
  readonly seed: number
  readonly log: string
  readonly folder: string
  readonly redisPort: number
  readonly postgresUrl: string | undefined
  readonly combos: ReadonlyArray<ComboName>
}

/** How long a value is fresh, ms. */
export const freshFor = 8_000
/** How long memory may take a value for fresh, ms. */
export const maxFreshFor = 300
/** The longest lookup, ms. */
export const hardTimeout = 2_000
/** A flush begins after half of it, ms. */
export const maxLag = 400
/** How long the writes of a flusher that was killed are left alone, ms. */
export const lock = 1_500
/** The keys that may wait in an outbox in memory. */
export const maxPending = 16

export type Command =
  | { readonly _tag: "Stop" }
  /** Writes everything that waits. */
  | { readonly _tag: "Flush" }
  /** The last reads. */
  | { readonly _tag: "Final" }

export type Reply =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Stopped" }
  | { readonly _tag: "Flushed" }
  | { readonly _tag: "Done" }
