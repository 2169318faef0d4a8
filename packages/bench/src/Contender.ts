/** A library under measurement: how its cache is set up, and how one sample is run through it. */
import type { Product, Source } from "./source.ts"

/**
 * What is done with the keys of a sample.
 *
 * - `fiber`: asked for one after another, inside one fiber where the library has fibers.
 * - `promise`: by one awaited promise each.
 * - `stampede`: all at once, inside fibers where the library has fibers.
 * - `together`: all at once, by one awaited promise each.
 * - `failing`: all at once, of a source that fails; every call has to tell so.
 * - `window64`, `window256`: so many in flight.
 * - `many`: a hundred by one call.
 * - `mixed`: one after another, each hundredth of them set.
 * - `tags`: dropped by their tag, then asked for one after another.
 */
export type Shape =
  | "fiber"
  | "promise"
  | "stampede"
  | "together"
  | "failing"
  | "window64"
  | "window256"
  | "many"
  | "mixed"
  | "tags"

/**
 * One sample: its time, the sum of the `number`s of the products it was given, and the last of them.
 * Where all calls fail as they should: no sum and no product.
 */
export interface Sample {
  readonly millis: number
  readonly sum: number
  readonly last: Product | undefined
}

/** A cache that is set up. */
export interface Subject {
  /** Only the calls themselves are within `millis`. A shape that a library does not have is left out. */
  readonly run: {
    readonly [S in Shape]?: (keys: ReadonlyArray<string>) => Promise<Sample>
  }
  readonly close: () => Promise<void>
}

/** How long values are fresh, and then given at once while they are refreshed behind. */
export interface Lifetimes {
  readonly freshMillis: number
  readonly graceMillis: number
}

export interface Setup {
  readonly source: Source
  /** Default: fresh far beyond a run. */
  readonly lifetimes?: Lifetimes | undefined
  /** A tag of every product. Default: none. */
  readonly tag?: string | undefined
}

/** Sets up a cold cache over the source, bounded by `maxEntries` of Case.ts. */
export type Contender = (setup: Setup) => Promise<Subject>

/** Whether `place` in a `mixed` sample is a write. */
export const isWrite = (place: number): boolean => place % 100 === 99
