/** A map from string keys to values within bounds: the class behind `BoundedMap`. */
import * as Result from "effect/Result"
import type {
  BoundedMap,
  Bounds,
  Cause,
  Eviction,
  OnEvicted,
  SetOptions,
} from "../../../BoundedMap.ts"
import { InvalidOptions } from "../../../InvalidOptions.ts"
import { isCount, problemOf } from "../bounds.ts"
import { firstSlot, grown, none, Pairs } from "./columns.ts"
import type { Costs, EvictionPolicy, Kept } from "./evictionPolicy.ts"
import { ExpiryHeap } from "./expiryHeap.ts"
import { HashIndex } from "./hashIndex.ts"
import { LeastRecentlyUsed } from "./leastRecentlyUsed.ts"
import { type HashKey, hashKey, stringHash } from "./stringHash.ts"
import { TinyLfu } from "./tinyLfu.ts"

/** Each write removes up to this many expired entries, also while there is room, so that they do not pile up. */
const expiredPerWrite = 8
/** After bounds were lowered, each write evicts up to this many entries until the map fits. */
const shrunkPerWrite = 64
/** Hits are reported to the policy in batches of this many: on the hot path a hit stores one number. */
const hitsLogged = 128

const noOptions: SetOptions = {}

export class Bounded<V> implements BoundedMap<V> {
  readonly #hashKey: HashKey
  readonly #makePolicy: (most: number) => EvictionPolicy
  readonly #onEvicted: OnEvicted<V>
  readonly #costs: Costs
  #wanted: Bounds
  /** The bounds in force: above the wanted ones while a map that was resized does not fit yet. */
  #maxEntries: number
  #maxWeight: number
  #index: HashIndex
  #pairs: Pairs<V>
  #expiry: ExpiryHeap
  #policy: EvictionPolicy
  /** Undefined while all entries have the weight 1. */
  #weights: Float64Array<ArrayBuffer> | undefined
  #weight = 0
  readonly #log = new Int32Array(hitsLogged)
  #logged = 0
  /** The first error that `onEvicted` threw in the current call, which throws it when the map fits. */
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
    return this.findHashed(key, this.hashOf(key))
  }

  hashOf(key: string): number {
    return stringHash(key, this.#hashKey)
  }

  /** As `find`, for a caller that has the hash of the key. */
  findHashed(key: string, hash: number): number {
    let slot = this.#index.first(hash)
    while (slot !== none && this.#pairs.key(slot) !== key) slot = this.#index.following(slot)
    return slot
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

  set(key: string, value: V, options: SetOptions = noOptions): boolean {
    const hash = this.hashOf(key)
    return this.put(key, hash, this.findHashed(key, hash), value, options) !== none
  }

  /**
   * As `set`, for a caller that has the hash of the key and the slot that `findHashed` returned.
   * Returns the slot of the key, or `none`.
   */
  put(
    key: string,
    hash: number,
    present: number,
    value: V,
    { expiresAt = Infinity, now = 0, weight = 1 }: SetOptions,
  ): number {
    if (!isCount(weight)) throw noWeight(weight)
    this.#tellHits()
    const fits = this.#wanted.maxEntries >= 1 && weight <= this.#wanted.maxWeight
    if (!fits || !(expiresAt > now)) {
      if (present !== none) this.#remove(present, true)
      if (!fits) this.#onEvicted(key, value, "refused", none)
      return none
    }
    if (present === none) this.#add(key, hash, value, weight, expiresAt)
    else this.#replace(present, value, weight, expiresAt)
    this.#makeRoom(now, present)
    this.#throwFailure()
    return this.findHashed(key, hash)
  }

  delete(key: string): boolean {
    const slot = this.find(key)
    if (slot === none) return false
    this.#remove(slot, true)
    return true
  }

  clear(): void {
    // New objects: emptying the old ones takes time that callers would wait for.
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
    this.#wanted = Result.getOrThrow(checked(bounds))
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

  /** Whether the key with this hash was requested lately; also for a key that has left. */
  remembersHashed(hash: number): boolean {
    return this.#policy.remembers(hash)
  }

  /** 1 more than the highest slot that an entry has had. An entry keeps its slot until it leaves. */
  get slots(): number {
    return this.#index.slots
  }

  hottest(): Iterable<number> {
    this.#tellHits()
    return this.#policy.hottest()
  }

  #mostSlots(): number {
    // One more than fits: a new entry takes its slot before another one is evicted.
    return this.#wanted.maxEntries + firstSlot + 1
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

  /**
   * Evicts until the map fits the bounds in force, and some entries more after bounds were lowered.
   * `spared` is the slot of the value that was just replaced: it stays.
   */
  #makeRoom(now: number, spared: number): void {
    for (let gone = 0; gone < expiredPerWrite && this.#expiry.hasEnded(now); gone += 1) {
      this.#evict(this.#expiry.first(), "expired")
    }
    while (this.size > this.#maxEntries || this.#weight > this.#maxWeight) {
      if (!this.#giveUp(now, spared)) break
    }
    if (this.#isLowered()) this.#shrink(shrunkPerWrite, now, spared)
  }

  /** Evicts up to `limit` entries after bounds were lowered; returns whether the map still does not fit. */
  #shrink(limit: number, now: number, spared: number): boolean {
    for (let left = limit; left > 0 && this.#isUnwanted(); left -= 1) {
      if (!this.#giveUp(now, spared)) break
    }
    const { maxEntries, maxWeight } = this.#wanted
    this.#maxEntries = Math.max(maxEntries, Math.min(this.#maxEntries, this.size))
    this.#maxWeight = Math.max(maxWeight, Math.min(this.#maxWeight, this.#weight))
    return this.#isUnwanted()
  }

  /** Whether bounds were lowered and the map does not fit yet. */
  #isLowered(): boolean {
    return this.#maxEntries > this.#wanted.maxEntries || this.#maxWeight > this.#wanted.maxWeight
  }

  #isUnwanted(): boolean {
    return this.size > this.#wanted.maxEntries || this.#weight > this.#wanted.maxWeight
  }

  /** Evicts one entry, an expired one first; returns `false` when there is none but `spared`. */
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
    // `onEvicted` may have read entries. Report these hits now, while all slots in the log are in use.
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

/** Returns a copy, so that later changes of the caller's object have no effect. */
export const checked = ({
  maxEntries,
  maxWeight,
}: Bounds): Result.Result<Bounds, InvalidOptions> => {
  const bounds = { maxEntries, maxWeight }
  const problem = problemOf("BoundedMap", bounds, 0)
  return problem === undefined ? Result.succeed(bounds) : Result.fail(problem)
}

const costsOf = ({ maxEntries, maxWeight }: Bounds): Costs => ({
  perEntry: 1 / Math.max(1, maxEntries),
  perWeight: 1 / Math.max(1, maxWeight),
})

const noWeight = (got: unknown): InvalidOptions =>
  InvalidOptions.of({
    module: "BoundedMap",
    field: "weight",
    must: "be an integer of at least 0",
    got,
  })
