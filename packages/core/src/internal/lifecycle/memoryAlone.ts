/**
 * A debug line for a larder over memory alone with default bounds. That is a good cache for one
 * process. It is also the sign of a `TierStack` that was provided in the wrong place. At debug level,
 * since most such larders are intended, and Effect's default logger hides debug lines.
 */
import * as Effect from "effect/Effect"
import { defaultBounds } from "../memory/bounds.ts"
import type { Stack } from "../tier/openStack.ts"
import { namesTold } from "../runtime/limits.ts"

const told = new Set<string>()

const isDefault = ({ farther, hasMemory, near }: Stack): boolean =>
  hasMemory &&
  farther.length === 0 &&
  near.bounds.maxEntries === defaultBounds.maxEntries &&
  near.bounds.maxWeight === defaultBounds.maxWeight

export const tell = (stack: Stack, name: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (!isDefault(stack) || told.has(name) || told.size >= namesTold) return Effect.void
    told.add(name)
    const text =
      `${name}: stores its entries only in memory, at most ${defaultBounds.maxEntries}: ` +
      "other processes do not see them, and a restart loses them. " +
      "If there should be tiers behind memory, provide their TierStack where this larder is made"
    return Effect.annotateLogs(Effect.logDebug(text), { larder: name })
  })
