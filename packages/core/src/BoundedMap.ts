/**
 * A map by string keys that keeps within bounds, by giving up what is least
 * likely to be asked for again: the memory of a cache. A plain mutable data
 * structure: no Effect, no clock, no timer; the same seed and the same calls give
 * the same result.
 */
import * as Result from "effect/Result"
import { Bounded, checked } from "./internal/memory/bounded/bounded.ts"
import { defaultBounds, noEviction } from "./internal/memory/bounds.ts"
import type { InvalidOptions } from "./InvalidOptions.ts"

/**
 * What to give up first. `"w-tinylfu"`: what was asked for least often of late,
 * with a window for newcomers that adapts to how keys are asked for. `"lru"`: what
 * was asked for longest ago.
 */
export type Eviction = "w-tinylfu" | "lru"

/** Whether a setting from outside names a way to choose what goes. */
export const isEviction = (u: unknown): u is Eviction => u === "w-tinylfu" || u === "lru"

/** Why an entry left without having been deleted. `"refused"`: it was never kept, being heavier than all may be together. */
export type Cause = "size" | "weight" | "expired" | "refused"

export interface Bounds {
  /** The most entries: an integer of at least 0, or `Infinity`. */
  readonly maxEntries: number
  /** The most weight of all entries together: an integer of at least 0, or `Infinity`. */
  readonly maxWeight: number
}

export type OnEvicted<V> = (key: string, value: V, cause: Cause, slot: number) => void

export interface Options<V> {
  /** Default 10,000. */
  readonly maxEntries?: number | undefined
  /** Default `Infinity`. */
  readonly maxWeight?: number | undefined
  /** Default `"w-tinylfu"`. */
  readonly eviction?: Eviction | undefined
  /**
   * A 32-bit integer. Draw it at random where strangers choose the keys: it
   * keeps them from choosing keys whose hashes are the same. Default 0.
   */
  readonly seed?: number | undefined
  /**
   * Told of every entry that was given up, after it has gone, with the slot it
   * had: 0 when it was never kept. It may call the map;
   * what it throws comes out of the call that gave up, once that is done.
   */
  readonly onEvicted?: OnEvicted<V> | undefined
}

export interface SetOptions {
  /** The time, in the unit and from the origin of `expiresAt`. Default 0. */
  readonly now?: number | undefined
  /** An integer of at least 0. Default 1. */
  readonly weight?: number | undefined
  /** From this time on the entry is as good as gone, and goes before any other. Default `Infinity`. */
  readonly expiresAt?: number | undefined
}

/**
 * **When to use**
 *
 * Use for what has to stay within bounds in memory, where a whole larder is too
 * much, or to build a cache of one's own.
 *
 * **Details**
 *
 * A write costs the same whether there are ten entries or a million: nothing is
 * rehashed, swept or copied as a whole. Beyond keys and values an entry takes
 * some 40 to 75 bytes, and replacing entries by others makes no garbage.
 *
 * `find`, `at` and `hit` take `get` apart, for those who have to look at a value
 * before they know whether it is of use.
 *
 * **Gotchas**
 *
 * It knows no time but what it is told: an entry that has expired counts until
 * something is written, and `at` still gives it. A slot number is good until the
 * next write. A newcomer may be given up at once, when all others are worth more.
 * `make`, `resize` and `set` throw `InvalidOptions` for bounds and weights that are no
 * integers of at least 0 (bounds may be `Infinity`); {@link makeResult} returns it.
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
 */
export interface BoundedMap<V> {
  readonly size: number
  readonly weight: number
  readonly bounds: Bounds
  /** A read: what is kept and has not expired. */
  readonly get: (key: string, now?: number) => V | undefined
  /** The slot of a key, 0 when it is not there; no read. */
  readonly find: (key: string) => number
  /** What is in a slot that `find` gave. */
  readonly at: (slot: number) => V
  /** The weight of what is in a slot that `find` gave. */
  readonly weightOf: (slot: number) => number
  /** Reports a read of a slot that `find` gave. */
  readonly hit: (slot: number) => void
  /**
   * Keeps a value in place of what is at the key; a key that was there is thereby
   * not read. `false` when it was not kept: what was at the key is gone then too.
   */
  readonly set: (key: string, value: V, options?: SetOptions) => boolean
  /** Whether it was there. */
  readonly delete: (key: string) => boolean
  /** Drops everything, in one step whatever there is. */
  readonly clear: () => void
  /**
   * Sets other bounds. What is over lower ones goes with the next writes, some
   * at a time, so that no call takes long: `shrink` makes it go.
   */
  readonly resize: (bounds: Bounds) => void
  /** Gives up to `limit` entries up that are over lowered bounds; whether some still are. */
  readonly shrink: (limit: number) => boolean
  /** Gives up to `limit` entries up that have expired; whether there are more. */
  readonly expire: (now: number, limit: number) => boolean
  /** When the next entry expires; `Infinity` when none does. */
  readonly nextExpiry: number
  /** The slots, from what is most worth keeping to what is least. */
  readonly hottest: () => Iterable<number>
}

/** An empty map. */
export const make = <V>(options?: Options<V>): BoundedMap<V> =>
  Result.getOrThrow(makeResult(options))

/** {@link make} for options from outside: returns the `InvalidOptions` instead of throwing it. */
export const makeResult = <V>(
  options: Options<V> = {},
): Result.Result<BoundedMap<V>, InvalidOptions> => {
  const { eviction = "w-tinylfu", onEvicted = () => {}, seed = 0 } = options
  if (!isEviction(eviction)) return Result.fail(noEviction("BoundedMap", eviction))
  const { maxEntries = defaultBounds.maxEntries, maxWeight = defaultBounds.maxWeight } = options
  return Result.map(
    checked({ maxEntries, maxWeight }),
    (bounds) => new Bounded<V>(bounds, eviction, seed | 0, onEvicted),
  )
}
