/**
 * A debug line for a larder over memory alone with default bounds. That is a good cache for one
 * process. It is also the sign of a `TierStack` that was provided in the wrong place. At debug level,
 * since most such larders are intended, and Effect's default logger hides debug lines.
 */
import { defaultBounds } from "../memory/bounds.ts"
import { namesTold } from "../runtime/limits.ts"
import type { Engine } from "../state/engine.ts"
import type { Stack } from "../tier/openStack.ts"

const told = new Set<string>()

const isDefault = ({ farther, hasMemory, near }: Stack): boolean =>
  hasMemory &&
  farther.length === 0 &&
  near.bounds.maxEntries === defaultBounds.maxEntries &&
  near.bounds.maxWeight === defaultBounds.maxWeight

export const tell = ({ settings: { name }, stack, warnings }: Engine): void => {
  if (!isDefault(stack) || told.has(name) || told.size >= namesTold) return
  told.add(name)
  warnings.debug(
    "memory alone",
    `stores its entries only in memory, at most ${defaultBounds.maxEntries}: ` +
      "other processes do not see them, and a restart loses them. " +
      "If there should be tiers behind memory, provide their TierStack where this larder is made",
  )
}
