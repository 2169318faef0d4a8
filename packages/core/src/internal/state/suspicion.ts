/**
 * What a node must not take for fresh any more, in memory and in the tiers between, until the arbiter has
 * confirmed it.
 */
import type { Engine } from "./engine.ts"

/** Suspects everything that the node has by now. `part`: of this server of the arbiter; undefined for all. */
export const suspectAll = (engine: Engine, part: string | undefined): void => {
  engine.gaps.begin(part, engine.stopwatch())
  for (const tier of engine.stack.farther) tier.copies.suspect()
}

/** Suspects one key. */
export const suspect = (engine: Engine, k: string): void => {
  engine.entries.suspect(k)
  for (const tier of engine.stack.farther) tier.copies.distrust(k)
}
