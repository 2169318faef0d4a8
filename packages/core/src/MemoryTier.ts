/** Tiers in the memory of this process. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import { type Eviction, isEviction } from "./BoundedMap.ts"
import { InvalidOptions } from "./InvalidOptions.ts"
import {
  defaultBounds,
  type MemoryBounds,
  noEviction,
  problemOf,
} from "./internal/memory/bounds.ts"
import { MemoryStore } from "./internal/memory/memoryStore.ts"
import { millisOf } from "./internal/runtime/duration.ts"
import { type ObjectTier, Tier } from "./Tier.ts"

export { layerShared } from "./internal/arbitrate/sharedTier.ts"

/** `maxEntries` is 10,000 by default, `maxWeight` is `Infinity`. */
export interface Options extends MemoryBounds {
  /** The weight of a value: an integer of at least 0. Default 1 for every value. */
  readonly weigh?: ((value: unknown, key: string) => number) | undefined
  /**
   * What goes first when there is no room. Default `"w-tinylfu"`: what was asked
   * for least often of late, with a window for newcomers that adapts; `"lru"`:
   * what was asked for longest ago.
   */
  readonly eviction?: Eviction | undefined
  /**
   * The longest an entry is fresh here since the tiers behind were last seen to
   * have it, and since this node asked them for invalidations. Short times in front
   * of a shared tier bound how long a node can miss what another one has changed or
   * invalidated, also where a file lies between; tag invalidations and clears are
   * asked for every 5 seconds anyway. Default: as long as the policy says.
   */
  readonly maxFreshFor?: Duration.Input | undefined
}

type Settings = Omit<ConstructorParameters<typeof MemoryStore>[0], "seed" | "onEvicted">

const checked = (options: Options): Result.Result<Settings, InvalidOptions> => {
  const { eviction = "w-tinylfu" } = options
  const problem = problemOf("MemoryTier", options, 1)
  if (problem !== undefined) return Result.fail(problem)
  const maxFreshFor = millisOf(options.maxFreshFor ?? Infinity)
  if (maxFreshFor === undefined || maxFreshFor === 0) {
    const must = 'be a duration above 0, such as "1 second"'
    const got = options.maxFreshFor
    return Result.fail(InvalidOptions.of({ module: "MemoryTier", field: "maxFreshFor", must, got }))
  }
  if (!isEviction(eviction)) return Result.fail(noEviction("MemoryTier", eviction))
  return Result.succeed({
    eviction,
    maxEntries: options.maxEntries ?? defaultBounds.maxEntries,
    maxWeight: options.maxWeight ?? defaultBounds.maxWeight,
    weigh: options.weigh ?? (() => 1),
    maxFreshFor,
  })
}

const tierOf = (settings: Settings): ObjectTier => ({
  kind: "objects",
  name: "memory",
  scope: "process",
  open: ({ onEvicted }) =>
    // Drawn anew each time: who does not know the seed can not choose keys that collide.
    Effect.map(
      Random.nextIntBetween(-(2 ** 31), 2 ** 31 - 1),
      (seed) => new MemoryStore({ ...settings, seed, onEvicted }),
    ),
})

/**
 * Values in the memory of this process, bounded.
 *
 * **When to use**
 *
 * Use as the nearest tier of a stack, alone or in front of others.
 *
 * **Details**
 *
 * The bounds hold for each larder by itself, at every moment. Expired entries
 * go first; then what is worth least by {@link Options.eviction}, which may be
 * the newcomer. An entry heavier than `maxWeight` is not kept, and what was at
 * its key goes.
 *
 * **Gotchas**
 *
 * Each call makes a tier of its own; one layer value built once is one tier.
 * The layer dies with `InvalidOptions` for a bound that cannot be meant.
 *
 * **Example**
 *
 * ```ts
 * import { MemoryTier, TierStack } from "@larder/core"
 *
 * export const stack = TierStack.layer(MemoryTier.layer({
 *   maxEntries: 50_000,
 *   maxWeight: 64 * 1024 * 1024,
 *   weigh: (value) => typeof value === "string" ? value.length * 2 : 64
 * }))
 * ```
 */
export const layer = (options: Options = {}): Layer.Layer<Tier> =>
  Layer.effect(
    Tier,
    Effect.sync(() => tierOf(Result.getOrThrow(checked(options)))),
  )
