/**
 * A map by string keys that keeps within bounds, by giving up what is least
 * likely to be asked for again: the memory of a cache. A plain mutable data
 * structure: no Effect, no clock, no timer; the same seed and the same calls give
 * the same result.
 */
import { firstSlot, grown, none, Pairs } from "./internal/memory/bounded/columns.ts"
import type { Costs, EvictionPolicy, Kept } from "./internal/memory/bounded/evictionPolicy.ts"
import { ExpiryHeap } from "./internal/memory/bounded/expiryHeap.ts"
import { HashIndex } from "./internal/memory/bounded/hashIndex.ts"
import { LeastRecentlyUsed } from "./internal/memory/bounded/leastRecentlyUsed.ts"
import { type HashKey, hashKey, stringHash } from "./internal/memory/bounded/stringHash.ts"
import { TinyLfu } from "./internal/memory/bounded/tinyLfu.ts"

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
 * Throws a `RangeError` for bounds and weights that cannot be meant.
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

/** Expired entries that go with each write even when there is room, so that they do not pile up. */
const expiredPerWrite = 8
/** Entries that go with each write while bounds that were lowered are not reached. */
const shrunkPerWrite = 64
/** Hits that are remembered before the policy is told: on the hot path a hit is one number stored. */
const hitsLogged = 128

const noOptions: SetOptions = {}

class Bounded<V> implements BoundedMap<V> {
  readonly #hashKey: HashKey
  readonly #makePolicy: (most: number) => EvictionPolicy
  readonly #onEvicted: OnEvicted<V>
  readonly #costs: Costs
  #wanted: Bounds
  /** What is held to: the wanted bounds, unless these were lowered and are not reached yet. */
  #maxEntries: number
  #maxWeight: number
  #index: HashIndex
  #pairs: Pairs<V>
  #expiry: ExpiryHeap
  #policy: EvictionPolicy
  /** Made once an entry has another weight than 1. */
  #weights: Float64Array<ArrayBuffer> | undefined
  #weight = 0
  readonly #log = new Int32Array(hitsLogged)
  #logged = 0
  /** What `onEvicted` threw first during a call that is still giving up. */
  #failure: { readonly error: unknown } | undefined

  constructor(bounds: Bounds, eviction: Eviction, seed: number, onEvicted: OnEvicted<V>) {
    this.#wanted = bounds
    this.#costs = costsOf(bounds)
    this.#maxEntries = bounds.maxEntries
    this.#maxWeight = bounds.maxWeight
    this.#hashKey = hashKey(seed)
    this.#onEvicted = onEvicted
    const kept: Kept = {
      hashOf: (slot) => this.#index.hashOf(slot),
      weightOf: (slot) => this.weightOf(slot),
    }
    this.#makePolicy =
      eviction === "lru"
        ? (most) => new LeastRecentlyUsed(most)
        : (most) => new TinyLfu(kept, this.#costs, most, seed)
    const most = this.#mostSlots()
    this.#index = new HashIndex(most)
    this.#pairs = new Pairs<V>()
    this.#expiry = new ExpiryHeap(most)
    this.#policy = this.#makePolicy(most)
  }

  get size(): number {
    return this.#index.size
  }

  get weight(): number {
    return this.#weight
  }

  get bounds(): Bounds {
    return this.#wanted
  }

  get(key: string, now = 0): V | undefined {
    const slot = this.find(key)
    if (slot === none || this.#expiry.endOf(slot) <= now) return undefined
    this.hit(slot)
    return this.at(slot)
  }

  find(key: string): number {
    return this.#find(key, stringHash(key, this.#hashKey))
  }

  at(slot: number): V {
    return this.#pairs.value(slot)
  }

  hit(slot: number): void {
    if (slot === none) return
    this.#log[this.#logged] = slot
    this.#logged += 1
    if (this.#logged === hitsLogged) this.#tellHits()
  }

  set(
    key: string,
    value: V,
    { expiresAt = Infinity, now = 0, weight = 1 }: SetOptions = noOptions,
  ): boolean {
    checkWeight(weight, key)
    this.#tellHits()
    const hash = stringHash(key, this.#hashKey)
    const present = this.#find(key, hash)
    const fits = this.#wanted.maxEntries >= 1 && weight <= this.#wanted.maxWeight
    if (!fits || !(expiresAt > now)) {
      if (present !== none) this.#remove(present, true)
      if (!fits) this.#onEvicted(key, value, "refused", none)
      return false
    }
    if (present === none) this.#add(key, hash, value, weight, expiresAt)
    else this.#replace(present, value, weight, expiresAt)
    this.#makeRoom(now, present)
    this.#throwFailure()
    return this.#find(key, hash) !== none
  }

  delete(key: string): boolean {
    const slot = this.find(key)
    if (slot === none) return false
    this.#remove(slot, true)
    return true
  }

  clear(): void {
    // New ones instead of emptying the old: the collector takes its time, callers do not wait.
    const most = this.#mostSlots()
    this.#index = new HashIndex(most)
    this.#pairs = new Pairs<V>()
    this.#expiry = new ExpiryHeap(most)
    this.#policy = this.#makePolicy(most)
    this.#weights = undefined
    this.#weight = 0
    this.#logged = 0
  }

  resize(bounds: Bounds): void {
    this.#wanted = checked(bounds)
    Object.assign(this.#costs, costsOf(bounds))
    this.#maxEntries = Math.max(bounds.maxEntries, Math.min(this.#maxEntries, this.size))
    this.#maxWeight = Math.max(bounds.maxWeight, Math.min(this.#maxWeight, this.#weight))
  }

  shrink(limit: number): boolean {
    this.#tellHits()
    const isOver = this.#shrink(limit, -Infinity, none)
    this.#throwFailure()
    return isOver
  }

  expire(now: number, limit: number): boolean {
    for (let left = limit; left > 0 && this.#expiry.hasEnded(now); left -= 1) {
      this.#evict(this.#expiry.first(), "expired")
    }
    this.#throwFailure()
    return this.#expiry.hasEnded(now)
  }

  get nextExpiry(): number {
    return this.#expiry.endOf(this.#expiry.first())
  }

  hottest(): Iterable<number> {
    this.#tellHits()
    return this.#policy.hottest()
  }

  #mostSlots(): number {
    // One more than fits, since a newcomer takes its slot before another goes.
    return this.#wanted.maxEntries + firstSlot + 1
  }

  #find(key: string, hash: number): number {
    let slot = this.#index.first(hash)
    while (slot !== none && this.#pairs.key(slot) !== key) slot = this.#index.following(slot)
    return slot
  }

  #add(key: string, hash: number, value: V, weight: number, expiresAt: number): void {
    const slot = this.#index.add(hash)
    this.#pairs.set(slot, key, value)
    this.#setWeight(slot, weight)
    this.#weight += weight
    this.#expiry.set(slot, expiresAt)
    this.#policy.added(slot)
  }

  #replace(slot: number, value: V, weight: number, expiresAt: number): void {
    const by = weight - this.weightOf(slot)
    if (by !== 0) {
      this.#policy.reweighed(slot, by)
      this.#setWeight(slot, weight)
      this.#weight += by
    }
    this.#pairs.setValue(slot, value)
    this.#expiry.set(slot, expiresAt)
  }

  /** Back within the bounds, and closer to lowered ones. `spared` stays, being what was just written anew. */
  #makeRoom(now: number, spared: number): void {
    for (let gone = 0; gone < expiredPerWrite && this.#expiry.hasEnded(now); gone += 1) {
      this.#evict(this.#expiry.first(), "expired")
    }
    while (this.size > this.#maxEntries || this.#weight > this.#maxWeight) {
      if (!this.#giveUp(now, spared)) break
    }
    if (this.#isLowered()) this.#shrink(shrunkPerWrite, now, spared)
  }

  /** Closer to lowered bounds; whether there is still more than is wanted. */
  #shrink(limit: number, now: number, spared: number): boolean {
    for (let left = limit; left > 0 && this.#isUnwanted(); left -= 1) {
      if (!this.#giveUp(now, spared)) break
    }
    const { maxEntries, maxWeight } = this.#wanted
    this.#maxEntries = Math.max(maxEntries, Math.min(this.#maxEntries, this.size))
    this.#maxWeight = Math.max(maxWeight, Math.min(this.#maxWeight, this.#weight))
    return this.#isUnwanted()
  }

  /** Whether bounds were lowered and are not reached yet. */
  #isLowered(): boolean {
    return this.#maxEntries > this.#wanted.maxEntries || this.#maxWeight > this.#wanted.maxWeight
  }

  #isUnwanted(): boolean {
    return this.size > this.#wanted.maxEntries || this.#weight > this.#wanted.maxWeight
  }

  /** One entry that is too many, an expired one if there is any; `false` when there is none but `spared`. */
  #giveUp(now: number, spared: number): boolean {
    const isExpired = this.#expiry.hasEnded(now)
    const slot = isExpired ? this.#expiry.first() : this.#policy.victim(spared)
    if (slot === none) return false
    const cause = this.size > this.#wanted.maxEntries ? "size" : "weight"
    this.#evict(slot, isExpired ? "expired" : cause)
    return true
  }

  #evict(slot: number, cause: Cause): void {
    const key = this.#pairs.key(slot)
    const value = this.at(slot)
    this.#remove(slot, cause === "expired")
    try {
      this.#onEvicted(key, value, cause, slot)
    } catch (error) {
      this.#failure ??= { error }
    }
  }

  #throwFailure(): void {
    const failure = this.#failure
    if (failure === undefined) return
    this.#failure = undefined
    throw failure.error
  }

  #remove(slot: number, wasTaken: boolean): void {
    // Hits may have come while evictions were told: what is in the log has to be there.
    this.#tellHits()
    this.#policy.removed(slot, wasTaken)
    this.#expiry.remove(slot)
    this.#weight -= this.weightOf(slot)
    this.#index.remove(slot)
    this.#pairs.delete(slot)
  }

  #tellHits(): void {
    const policy = this.#policy
    for (let i = 0; i < this.#logged; i += 1) policy.hit(this.#log[i]!)
    this.#logged = 0
  }

  weightOf(slot: number): number {
    return this.#weights === undefined ? 1 : this.#weights[slot]!
  }

  #setWeight(slot: number, weight: number): void {
    if (this.#weights === undefined) {
      if (weight === 1) return
      this.#weights = new Float64Array(Math.max(112, this.#index.slots)).fill(1)
    }
    while (slot >= this.#weights.length) {
      this.#weights = grown(this.#weights, this.#mostSlots())
    }
    this.#weights[slot] = weight
  }
}

/** An empty map. */
export const make = <V>(options: Options<V> = {}): BoundedMap<V> => {
  const { eviction = "w-tinylfu", maxEntries = 10_000, maxWeight = Infinity, seed = 0 } = options
  if (!isEviction(eviction)) {
    throw new RangeError(`eviction ${String(eviction)}: give "w-tinylfu" or "lru"`)
  }
  const onEvicted = options.onEvicted ?? (() => {})
  return new Bounded<V>(checked({ maxEntries, maxWeight }), eviction, seed | 0, onEvicted)
}

const checked = ({ maxEntries, maxWeight }: Bounds): Bounds => {
  const bounds = { maxEntries, maxWeight }
  for (const field of ["maxEntries", "maxWeight"] as const) {
    const value = bounds[field]
    if (value === Infinity || isCount(value)) continue
    throw new RangeError(
      `${field} ${String(value)} is no bound; give an integer of at least 0, or Infinity`,
    )
  }
  return bounds
}

const costsOf = ({ maxEntries, maxWeight }: Bounds): Costs => ({
  perEntry: 1 / Math.max(1, maxEntries),
  perWeight: 1 / Math.max(1, maxWeight),
})

/** Throws a `RangeError` for what is no weight. */
export const checkWeight = (weight: number, key: string): void => {
  if (isCount(weight)) return
  throw new RangeError(
    `the weight of ${JSON.stringify(key)} is ${String(weight)}; a weight is an integer of at least 0`,
  )
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0
