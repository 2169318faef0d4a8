/** The bounds of values in memory, and their checks. */
import { InvalidOptions } from "../../InvalidOptions.ts"
import { memoryEntries } from "../runtime/limits.ts"

export interface MemoryBounds {
  /** The most entries kept per larder: an integer of at least 1, or `Infinity`. */
  readonly maxEntries?: number | undefined
  /** The most weight kept per larder, in the unit of `weigh`: an integer of at least 1, or `Infinity`. */
  readonly maxWeight?: number | undefined
}

/** The bounds of a memory tier without options. */
export const defaultBounds = { maxEntries: memoryEntries, maxWeight: Infinity } as const

/** Whether a value is an integer of at least 0. */
export const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0

/** The error for the first bound that is neither an integer of at least `least` nor `Infinity`. */
export const problemOf = (
  module: string,
  bounds: MemoryBounds,
  least: number,
): InvalidOptions | undefined => {
  for (const field of ["maxEntries", "maxWeight"] as const) {
    const got = bounds[field]
    if (got === undefined || got === Infinity || (isCount(got) && got >= least)) continue
    const must = `be an integer of at least ${least} or Infinity`
    return InvalidOptions.of({ module, field, must, got })
  }
  return undefined
}

/** The error for an eviction that does not exist. */
export const noEviction = (module: string, got: unknown): InvalidOptions =>
  InvalidOptions.of({ module, field: "eviction", must: 'be "w-tinylfu" or "lru"', got })
