/** A library under measurement: how to set up its cache, and how to run one sample through it. */
import type { Product, Source } from "./source.ts"

/**
 * How the keys of a sample are requested.
 *
 * - `fiber`: one after another, inside one fiber where the library has fibers.
 * - `promise`: by one awaited promise each.
 * - `inFlight`: several at once, inside fibers where the library has fibers.
 * - `together`: several at once, by one awaited promise each.
 * - `many`: a hundred by one call.
 * - `tags`: dropped by their tag, then requested one after another.
 */
export type Shape = "fiber" | "promise" | "inFlight" | "together" | "many" | "tags"

/**
 * One sample: its time, the sum of the `number`s of the returned products, and the last of them.
 */
export interface Sample {
  readonly millis: number
  readonly sum: number
  readonly last: Product | undefined
}

export type Run = (keys: ReadonlyArray<string>) => Promise<Sample>

/**
 * A cache that is set up; it ends with its process. Only the calls themselves count in `millis`. A
 * shape that a library does not have is absent.
 */
export type Subject = { readonly [S in Shape]?: Run }

/**
 * How long values are fresh, and how long after that they are served stale while a refresh runs.
 */
export interface Lifetimes {
  readonly freshMillis: number
  readonly graceMillis: number
}

export interface Setup {
  readonly source: Source
  /** How many calls are made at once, in the shapes that have several. */
  readonly inFlight: number
  /** The URL of the round's Redis server; empty in a case without one. */
  readonly redis: string
  /** Default: fresh far beyond the end of a run. */
  readonly lifetimes?: Lifetimes | undefined
  /** A tag of every product. Default: none. */
  readonly tag?: string | undefined
}

/** Sets up a cold cache over the source, bounded by `maxEntries`. */
export type Contender = (setup: Setup) => Promise<Subject>
