/** A library under measurement: how its cache is set up, and how one sample is run through it. */
import type { Product, Source } from "./source.ts"

/**
 * How the keys of a sample are asked for.
 *
 * - `fiber`: one after another, inside one fiber where the library has fibers.
 * - `promise`: one awaited promise each.
 * - `stampede`: all at once.
 * - `window64`, `window256`: so many in flight.
 * - `many`: a hundred by one call.
 */
export type Shape = "fiber" | "promise" | "stampede" | "window64" | "window256" | "many"

/** One sample: its time, the sum of the `number`s of the products it was given, and the last of them. */
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

export interface Contender {
  /** The name shown in tables. */
  readonly title: string
  /** A cold cache over the source, bounded by `maxEntries` of Case.ts, with lifetimes far beyond a run. */
  readonly setup: (source: Source) => Promise<Subject>
}
