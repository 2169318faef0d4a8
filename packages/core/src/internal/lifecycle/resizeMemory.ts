/** `resizeMemory`: changes the bounds of memory while it is in use. */
import * as Effect from "effect/Effect"
import type { Engine } from "../state/engine.ts"
import { InvalidOptions } from "../../InvalidOptions.ts"
import { invalidOption } from "../state/settings.ts"
import { type MemoryBounds, problemOf } from "../memory/bounds.ts"
import { entriesEvictedPerTurn } from "../runtime/limits.ts"
import type { NamesOf } from "../runtime/optionNames.ts"

const names: NamesOf<MemoryBounds> = { maxEntries: true, maxWeight: true }

const shrink = (engine: Engine): Effect.Effect<void> =>
  Effect.suspend(() =>
    engine.near.shrink(entriesEvictedPerTurn, engine.now())
      ? Effect.andThen(Effect.yieldNow, shrink(engine))
      : Effect.void,
  )

/** Sets the bounds, and ends when memory is within them. */
export const resize = (engine: Engine, bounds: MemoryBounds): Effect.Effect<void, InvalidOptions> =>
  Effect.suspend(() => {
    const problem = engine.stack.hasMemory ? boundsProblem(bounds) : noMemory(engine)
    if (problem !== undefined) return Effect.fail(problem)
    const { maxEntries, maxWeight } = engine.near.bounds
    engine.near.resize({
      maxEntries: bounds.maxEntries ?? maxEntries,
      maxWeight: bounds.maxWeight ?? maxWeight,
    })
    engine.onResized()
    return shrink(engine)
  })

const boundsProblem = (bounds: MemoryBounds): InvalidOptions | undefined =>
  InvalidOptions.ofNames({ module: "MemoryTier", names, got: bounds }) ??
  problemOf("MemoryTier", bounds, 1)

const noMemory = ({ settings, stack }: Engine): InvalidOptions =>
  invalidOption(
    settings.name,
    "resizeMemory",
    "have a MemoryTier as the first tier of the TierStack",
    stack.farther[0]?.name,
  )
