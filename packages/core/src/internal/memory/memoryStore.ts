/** The entries of one larder in memory. */
import type * as Exit from "effect/Exit"
import type * as BoundedMap from "../../BoundedMap.ts"
import { forever } from "../../Entry.ts"
import type {
  Absence,
  EvictionCause,
  MemoryEntry,
  ObjectStore,
  Removal,
  Stamp,
} from "../../Tier.ts"
import { InvalidOptions } from "../../InvalidOptions.ts"
import { shown } from "../runtime/shownValue.ts"
import { Bounded } from "./bounded/bounded.ts"
import { firstSlot, grown, Objects } from "./bounded/columns.ts"
import { isCount } from "./bounds.ts"
import { EndedKeys } from "./endedKeys.ts"

// Of an entry since it was stored: not asked for; asked for when it was new; a hit.
const [wasNotRead, wasNew, wasHit] = [0, 1, 2] as const

/** The stamp of an entry that every read must judge: no plain hit. */
export const neverPlain: Stamp = { until: 0, checkedAt: -1 }

export interface Options extends BoundedMap.Bounds {
  readonly eviction: BoundedMap.Eviction
  readonly seed: number
  readonly weigh: (value: unknown, key: string) => number
  /** No entry is fresh here for longer than this many milliseconds. */
  readonly maxFreshFor: number
  /** `wasHit`: whether a caller got the entry since it was stored; undefined for one that was not stored. */
  readonly onEvicted: (key: string, cause: EvictionCause, wasHit?: boolean) => void
}

/**
 * A plain hit reads the exit, which lies beside the key, and the stamp, which
 * lies in an array of all stamps. It does not read the entry, which is most
 * likely not in the processor's cache.
 */
export class MemoryStore implements ObjectStore {
  readonly maxFreshFor: number
  readonly #weigh: Options["weigh"]
  readonly #exits: Bounded<Exit.Exit<unknown>>
  /** Entries by slot. Slot 0 stays empty: `find` returns 0 for an absent key. */
  #held = new Objects<MemoryEntry | undefined>(undefined)
  /** Two numbers for each slot: `until` and `checkedAt`. */
  #stamps = new Float64Array(160)
  readonly #ended = new EndedKeys()
  /** For each slot, whether a caller has asked for the entry since it was stored, and whether it was a hit. */
  #read = new Uint8Array(72)

  constructor(options: Options) {
    const { eviction, maxEntries, maxWeight, onEvicted, seed } = options
    this.maxFreshFor = options.maxFreshFor
    this.#weigh = options.weigh
    this.#exits = new Bounded({ maxEntries, maxWeight }, eviction, seed, (key, _, cause, slot) => {
      this.#held.set(slot, undefined)
      const isHit = slot === 0 ? undefined : this.#read[slot] === wasHit
      // Race: the next entry of the slot may be evicted before `put` has marked it as new.
      this.#read[slot] = wasNotRead
      if (cause === "expired") this.#ended.add(this.#exits.hashOf(key))
      onEvicted(key, cause, isHit)
    })
  }

  get size(): number {
    return this.#exits.size
  }

  get weight(): number {
    return this.#exits.weight
  }

  find(key: string): number {
    return this.#exits.find(key)
  }

  isPlain(slot: number, now: number, generation: number): boolean {
    return now < this.#stamps[slot * 2]! && this.#stamps[slot * 2 + 1] === generation
  }

  isStampedAt(slot: number, generation: number): boolean {
    return this.#stamps[slot * 2 + 1] === generation
  }

  stamp(slot: number, { checkedAt, until }: Stamp): void {
    this.#stamps[slot * 2] = until
    this.#stamps[slot * 2 + 1] = checkedAt
  }

  forgetStamp(key: string): void {
    this.stamp(this.#exits.find(key), neverPlain)
  }

  exit(slot: number): Exit.Exit<unknown> {
    return this.#exits.at(slot)
  }

  at(slot: number): MemoryEntry {
    return this.#held.get(slot)!
  }

  peek(key: string): MemoryEntry | undefined {
    const slot = this.#exits.find(key)
    return slot === 0 ? undefined : this.at(slot)
  }

  hit(slot: number): void {
    this.#read[slot] = wasHit
    this.#exits.hit(slot)
  }

  put(held: MemoryEntry, weight: number, stamp: Stamp, now: number): boolean {
    const { entry, exit, key } = held
    const { staleUntil } = entry
    const expiresAt = staleUntil >= forever ? Infinity : staleUntil
    const hash = this.#exits.hashOf(key)
    const present = this.#exits.findHashed(key, hash)
    if (present !== 0 && this.at(present).entry.version > entry.version) return false
    // Throws for what is no weight: what is at the key stays then.
    const slot = this.#exits.put(key, hash, present, exit, { weight, expiresAt, now })
    if (slot !== present) this.#held.set(present, undefined)
    if (slot === 0) return false
    if (present === 0) this.#ended.delete(hash)
    this.#held.set(slot, held)
    while (slot * 2 + 1 >= this.#stamps.length) this.#stamps = grown(this.#stamps, Infinity)
    while (slot >= this.#read.length) this.#read = grown(this.#read, Infinity)
    this.stamp(slot, stamp)
    // A caller asked for a new key. A value that replaces another one may come from a background refresh.
    this.#read[slot] = present === 0 ? wasNew : wasNotRead
    return true
  }

  replace(slot: number, held: MemoryEntry, stamp: Stamp): void {
    this.#held.set(slot, held)
    this.stamp(slot, stamp)
  }

  weigh(value: unknown, key: string): number {
    const weight = this.#weigh(value, key)
    if (isCount(weight)) return weight
    throw InvalidOptions.of({
      module: "MemoryTier",
      field: "weigh",
      must: `return an integer of at least 0 for the key ${shown(key)}`,
      got: weight,
    })
  }

  weightOf(slot: number): number {
    return this.#exits.weightOf(slot)
  }

  delete(key: string, why: Removal = "changed"): boolean {
    const hash = this.#exits.hashOf(key)
    const slot = this.#exits.findHashed(key, hash)
    if (why === "changed") this.#ended.delete(hash)
    else if (slot !== 0) this.#ended.add(hash)
    this.#held.set(slot, undefined)
    this.#read[slot] = wasNotRead
    return this.#exits.delete(key)
  }

  /** Drops everything in one step, however many entries there are. */
  clear(): void {
    this.#exits.clear()
    this.#ended.clear()
    this.#held = new Objects<MemoryEntry | undefined>(undefined)
    this.#read = new Uint8Array(72)
  }

  get bounds(): BoundedMap.Bounds {
    return this.#exits.bounds
  }

  resize(bounds: BoundedMap.Bounds): void {
    this.#exits.resize(bounds)
  }

  shrink(limit: number, now: number): boolean {
    return this.#exits.expire(now, limit) || this.#exits.shrink(limit)
  }

  whyAbsent(key: string): Absence {
    const hash = this.#exits.hashOf(key)
    if (this.#ended.has(hash)) return "expired"
    return this.#exits.remembersHashed(hash) ? "evicted" : "new"
  }

  *entries(): Iterable<MemoryEntry> {
    // By slot: an entry keeps its own until it leaves, while every hit moves it in the policy's order.
    for (let slot = firstSlot; slot < this.#exits.slots; slot += 1) {
      const held = this.#held.get(slot)
      if (held !== undefined) yield held
    }
  }

  hot(limit: number): ReadonlyArray<MemoryEntry> {
    const hot: Array<MemoryEntry> = []
    let seen = 0
    for (const slot of this.#exits.hottest()) {
      if (this.#read[slot] !== wasNotRead) hot.push(this.at(slot))
      seen += 1
      if (seen === limit) break
    }
    return hot
  }
}
