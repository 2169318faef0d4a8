/**
 * Cache tiers in the memory of this process: {@link layer} for values (L1), {@link layerShared} and
 * {@link layerSharedWith} as a shared tier for several nodes in one program.
 *
 * @module
 * @category tiers
 * @since 0.1.0
 */
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
import type { NamesOf } from "./internal/runtime/optionNames.ts"
import { millisOf } from "./internal/runtime/duration.ts"
import { type ObjectTier, Tier } from "./Tier.ts"

export {
  layerShared,
  layerSharedWith,
  sharedServer,
  type SharedOptions,
  type SharedServer,
} from "./internal/arbitrate/sharedTier.ts"
export type { Heartbeat, Network, Subscription } from "./internal/arbitrate/channel.ts"

/**
 * Options of {@link layer}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends MemoryBounds {
  /**
   * The weight of a value, in a unit of the user's choice such as bytes: an integer of at least 0.
   * Default 1 for every value.
   */
  readonly weigh?: ((value: unknown, key: string) => number) | undefined
  /**
   * The eviction policy. Default `"w-tinylfu"`, which evicts entries that were read least often
   * lately, with an adaptive window for new entries; `"lru"` evicts the least recently used entry.
   */
  readonly eviction?: Eviction | undefined
  /**
   * The longest an entry is fresh here, counted from when the tiers behind last confirmed it and
   * this node last asked them for invalidations. In front of a shared tier a short time bounds how
   * long a node can miss another node's change, also with a file tier between them; the node asks
   * for tag invalidations and clears every `markMaxAge` of the arbiter (5 seconds) anyway. Default:
   * as long as the policy says.
   */
  readonly maxFreshFor?: Duration.Input | undefined
}

const names: NamesOf<Options> = {
  maxEntries: true,
  maxWeight: true,
  weigh: true,
  eviction: true,
  maxFreshFor: true,
}

type Settings = Omit<ConstructorParameters<typeof MemoryStore>[0], "seed" | "onEvicted">

const checked = (options: Options): Result.Result<Settings, InvalidOptions> => {
  const mistake = InvalidOptions.ofNames({ module: "MemoryTier", names, got: options })
  if (mistake !== undefined) return Result.fail(mistake)
  const { eviction = "w-tinylfu", maxFreshFor: longest = Infinity, weigh = () => 1 } = options
  const problem = problemOf("MemoryTier", options, 1)
  if (problem !== undefined) return Result.fail(problem)
  const maxFreshFor = millisOf(longest)
  if (maxFreshFor === undefined || maxFreshFor === 0) {
    const must = 'be a duration above 0, such as "1 second"'
    const got = options.maxFreshFor
    return Result.fail(InvalidOptions.of({ module: "MemoryTier", field: "maxFreshFor", must, got }))
  }
  if (!isEviction(eviction)) return Result.fail(noEviction("MemoryTier", eviction))
  if (typeof weigh !== "function") {
    const must = "be a function from a value to its weight, or be left out"
    return Result.fail(
      InvalidOptions.of({ module: "MemoryTier", field: "weigh", must, got: weigh }),
    )
  }
  return Result.succeed({
    eviction,
    maxEntries: options.maxEntries ?? defaultBounds.maxEntries,
    maxWeight: options.maxWeight ?? defaultBounds.maxWeight,
    weigh,
    maxFreshFor,
  })
}

const tierOf = (settings: Settings): ObjectTier => ({
  kind: "objects",
  name: "memory",
  scope: "process",
  open: ({ onEvicted }) =>
    // A random seed for each larder: an attacker who does not know it cannot choose keys that collide.
    Effect.map(
      Random.nextIntBetween(-(2 ** 31), 2 ** 31 - 1),
      (seed) => new MemoryStore({ ...settings, seed, onEvicted }),
    ),
})

/**
 * Makes a tier of values in the memory of this process (L1), within bounds.
 *
 * **When to use**
 *
 * Use as the nearest tier of a stack, alone or in front of others.
 *
 * **Details**
 *
 * The bounds hold for each larder by itself, at every moment. Expired entries
 * are evicted first, then the entry worth least by {@link Options.eviction},
 * which may be the new one. An entry heavier than `maxWeight` is not stored, and
 * the previous entry of its key is removed.
 *
 * **Gotchas**
 *
 * Each call makes a tier of its own; one layer value built once is one tier.
 * The layer dies with `InvalidOptions` for an invalid bound.
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
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<Tier> =>
  Layer.effect(
    Tier,
    Effect.sync(() => tierOf(Result.getOrThrow(checked(options)))),
  )
