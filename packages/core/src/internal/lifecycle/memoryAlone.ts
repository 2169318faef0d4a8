/**
 * A larder over nothing but memory with the bounds that nobody chose. That is a good
 * cache for one process; it is also what a larder has whose stack was provided
 * somewhere else, which nothing else shows. Told at debug level: most such larders are
 * meant, and Effect's default logger prints what is above.
 */
import * as Effect from "effect/Effect"
import { defaultBounds } from "../memory/bounds.ts"
import type { Stack } from "../tier/openStack.ts"

/** Once for each name in this process; names that are made as the program runs must not fill memory. */
const maxNames = 1_000
const told = new Set<string>()

const isDefault = ({ farther, hasMemory, near }: Stack): boolean =>
  hasMemory &&
  farther.length === 0 &&
  near.bounds.maxEntries === defaultBounds.maxEntries &&
  near.bounds.maxWeight === defaultBounds.maxWeight

export const tell = (stack: Stack, name: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (!isDefault(stack) || told.has(name) || told.size >= maxNames) return Effect.void
    told.add(name)
    const text =
      `${name}: keeps its entries in memory alone, at most ${defaultBounds.maxEntries}: ` +
      "other processes do not see them, and a restart begins without them. " +
      "If tiers are meant to be behind memory, provide their TierStack where this larder is made"
    return Effect.annotateLogs(Effect.logDebug(text), { larder: name })
  })
