/** What a memory tier can be held to. */
import * as Schema from "effect/Schema"

/** A bound that cannot be meant. `field` is the option, `reason` says what was given and what would do. */
export class InvalidMemoryTier extends Schema.TaggedError<InvalidMemoryTier>()(
  "InvalidMemoryTier",
  { field: Schema.String, reason: Schema.String },
) {
  override get message(): string {
    return `MemoryTier ${this.field}: ${this.reason}`
  }
}

export interface MemoryBounds {
  /** The most entries kept per larder: an integer of at least 1, or `Infinity`. */
  readonly maxEntries?: number | undefined
  /** The most weight kept per larder, in the unit of `weigh`: an integer of at least 1, or `Infinity`. */
  readonly maxWeight?: number | undefined
}

/** Of a memory tier for which nothing else was chosen. */
export const defaultBounds = { maxEntries: 10_000, maxWeight: Infinity } as const

/** Why these are no bounds; undefined when they are. */
export const invalid = (bounds: MemoryBounds): InvalidMemoryTier | undefined => {
  for (const field of ["maxEntries", "maxWeight"] as const) {
    const value = bounds[field]
    if (value === undefined || value === Infinity) continue
    if (Number.isSafeInteger(value) && value >= 1) continue
    const reason = `${value} is no bound; give an integer of at least 1, or Infinity`
    return new InvalidMemoryTier({ field, reason })
  }
  return undefined
}
