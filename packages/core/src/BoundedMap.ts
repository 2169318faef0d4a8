/**
 * A map with string keys that stays within bounds and evicts the entries that are least likely to
 * be read again: the memory of a cache. It is a plain mutable data structure without Effect, clock
 * or timer: the same seed and the same calls give the same result.
 *
 * @module
 * @category building blocks
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { Bounded, checked } from "./internal/memory/bounded/bounded.ts"
import { defaultBounds, noEviction } from "./internal/memory/bounds.ts"
import type { NamesOf } from "./internal/runtime/optionNames.ts"
import { InvalidOptions } from "./InvalidOptions.ts"

/**
 * The eviction policy. `"w-tinylfu"` evicts entries that were read least often lately; a window for
 * new entries adapts to the access pattern. `"lru"` evicts the least recently used entry.
 *
 * @category models
 * @since 0.1.0
 */
export type Eviction = "w-tinylfu" | "lru"

/**
 * Whether a value from outside, such as a setting, names an eviction policy.
 *
 * **Example**
 *
 * ```ts
 * import { BoundedMap } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * assert.ok(BoundedMap.isEviction("lru"))
 * assert.ok(!BoundedMap.isEviction("fifo"))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isEviction = (u: unknown): u is Eviction => u === "w-tinylfu" || u === "lru"

/**
 * Why an entry left the map without `delete` or `clear`. `"refused"`: the map never kept it,
 * because it alone is heavier than `maxWeight`.
 *
 * @category models
 * @since 0.1.0
 */
export type Cause = "size" | "weight" | "expired" | "refused"

/**
 * The bounds of a map, as {@link make} and `resize` take them.
 *
 * @category options
 * @since 0.1.0
 */
export interface Bounds {
  /** The most entries: an integer of at least 0, or `Infinity`. */
  readonly maxEntries: number
  /**
   * The most weight of all entries together, in the unit of `weight`: an integer of at least 0, or
   * `Infinity`.
   */
  readonly maxWeight: number
}

/**
 * A listener for evictions. `slot` is the slot that the entry had; 0 when the map never kept it.
 *
 * @category models
 * @since 0.1.0
 */
export type OnEvicted<V> = (key: string, value: V, cause: Cause, slot: number) => void

/**
 * Options of {@link make}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<V> {
  /** The most entries. Default 10,000. */
  readonly maxEntries?: number | undefined
  /** The most weight of all entries together. Default `Infinity`. */
  readonly maxWeight?: number | undefined
  /** Default `"w-tinylfu"`. */
  readonly eviction?: Eviction | undefined
  /**
   * A 32-bit integer that seeds the hash of keys. Draw it at random where users choose the keys:
   * otherwise an attacker can choose keys with equal hashes. Default 0.
   */
  readonly seed?: number | undefined
  /**
   * The map calls it for every evicted entry, after the entry has left. The listener may call the
   * map. When it throws, the call that evicted the entry throws the error once it is done.
   */
  readonly onEvicted?: OnEvicted<V> | undefined
}

const names: NamesOf<Options<unknown>> = {
  maxEntries: true,
  maxWeight: true,
  eviction: true,
  seed: true,
  onEvicted: true,
}

/**
 * Options of one `set`.
 *
 * @category options
 * @since 0.1.0
 */
export interface SetOptions {
  /** The current time, in the unit and from the origin of `expiresAt`. Default 0. */
  readonly now?: number | undefined
  /**
   * The weight of the entry, in a unit of the user's choice: an integer of at least 0. Default 1.
   */
  readonly weight?: number | undefined
  /**
   * From this time on the entry is expired, and is evicted before any other. Default `Infinity`.
   */
  readonly expiresAt?: number | undefined
}

/**
 * A map that stays within its bounds; see {@link make}.
 *
 * **Details**
 *
 * A write costs the same with ten entries as with a million: no call rehashes, sweeps or copies the
 * whole map. An entry takes some 40 to 75 bytes beside its key and value. Replacing entries makes
 * no garbage.
 *
 * `find`, `at` and `hit` are the steps of `get`, for a caller that inspects a value before it counts
 * a read.
 *
 * **Gotchas**
 *
 * The map has no clock: an expired entry counts until the next write, and `at` still returns it. A
 * slot number is valid until the next write. The map may evict a new entry at once, when all others
 * are worth more. `resize` and `set` throw `InvalidOptions` for bounds and weights that are no
 * integers of at least 0; bounds may be `Infinity`.
 *
 * @category models
 * @since 0.1.0
 */
export interface BoundedMap<V> {
  /** The number of entries, expired ones included. */
  readonly size: number
  /** The weight of all entries together. */
  readonly weight: number
  /** The bounds that {@link make} or the last `resize` set. */
  readonly bounds: Bounds
  /**
   * Returns the value of a key that is kept and has not expired, and counts as a read. `now` is in
   * the unit of `expiresAt`; default 0.
   */
  readonly get: (key: string, now?: number) => V | undefined
  /** The slot of a key; 0 for an absent key. Does not count as a read. */
  readonly find: (key: string) => number
  /** The value in a slot that `find` returned, expired or not. */
  readonly at: (slot: number) => V
  /** The weight of the entry in a slot that `find` returned. */
  readonly weightOf: (slot: number) => number
  /** Counts a read of a slot that `find` returned. */
  readonly hit: (slot: number) => void
  /**
   * Stores a value in place of the one at the key; replacing a value does not count as a read.
   * Returns `false` when the value is not stored: the previous value is gone then too.
   */
  readonly set: (key: string, value: V, options?: SetOptions) => boolean
  /** Removes a key, and returns whether it was there. */
  readonly delete: (key: string) => boolean
  /** Removes all entries, in constant time. */
  readonly clear: () => void
  /**
   * Sets other bounds. When they are lower, the next writes evict the surplus, some entries each, so
   * that no call takes long; `shrink` evicts them at once.
   */
  readonly resize: (bounds: Bounds) => void
  /** Evicts up to `limit` surplus entries after lower bounds were set; returns whether more are left. */
  readonly shrink: (limit: number) => boolean
  /** Evicts up to `limit` entries that have expired at `now`; returns whether more are left. */
  readonly expire: (now: number, limit: number) => boolean
  /**
   * The time at which the next entry expires, in the unit of `expiresAt`; `Infinity` when no entry
   * expires.
   */
  readonly nextExpiry: number
  /** The slots, the entry most worth keeping first. */
  readonly hottest: () => Iterable<number>
}

/**
 * Makes an empty map: for values in memory that must stay within bounds where a larder is too much,
 * or for a cache of your own.
 *
 * **Gotchas**
 *
 * Throws `InvalidOptions` for bounds that are no integers of at least 0 or `Infinity`, and for an
 * unknown `eviction`; {@link makeResult} returns it.
 *
 * **Example**
 *
 * ```ts
 * import { BoundedMap } from "@larder/core"
 * import * as assert from "node:assert"
 *
 * const pages = BoundedMap.make<string>({ maxEntries: 1_000, maxWeight: 1_000_000 })
 * const body = "<h1>Jam</h1>"
 * pages.set("/jam", body, { weight: body.length, now: 0, expiresAt: 60_000 })
 * assert.strictEqual(pages.get("/jam", 59_999), body)
 * assert.strictEqual(pages.get("/jam", 60_000), undefined)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <V>(options?: Options<V>): BoundedMap<V> =>
  Result.getOrThrow(makeResult(options))

/**
 * {@link make} for options from outside: returns the `InvalidOptions` instead of throwing it.
 *
 * **Example**
 *
 * ```ts
 * import { BoundedMap } from "@larder/core"
 * import { Result } from "effect"
 * import * as assert from "node:assert"
 *
 * assert.ok(Result.isFailure(BoundedMap.makeResult({ maxEntries: -1 })))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeResult = <V>(
  options: Options<V> = {},
): Result.Result<BoundedMap<V>, InvalidOptions> => {
  const invalid = (field: keyof Options<V>, must: string, got: unknown) =>
    Result.fail(InvalidOptions.of({ module: "BoundedMap", field, must, got }))
  const mistake = InvalidOptions.ofNames({ module: "BoundedMap", names, got: options })
  if (mistake !== undefined) return Result.fail(mistake)
  const { eviction = "w-tinylfu", onEvicted = () => {}, seed = 0 } = options
  if (!isEviction(eviction)) return Result.fail(noEviction("BoundedMap", eviction))
  if (typeof onEvicted !== "function") {
    return invalid("onEvicted", "be a function, or be left out", onEvicted)
  }
  if (!Number.isFinite(seed)) return invalid("seed", "be a 32-bit integer", seed)
  const { maxEntries = defaultBounds.maxEntries, maxWeight = defaultBounds.maxWeight } = options
  return Result.map(
    checked({ maxEntries, maxWeight }),
    (bounds) => new Bounded<V>(bounds, eviction, seed | 0, onEvicted),
  )
}
