/**
 * The entries one larder keeps in memory: bounded by entries and by weight at
 * every moment, expired entries given up first, without a timer.
 */
import type * as Exit from "effect/Exit"
import type { Entry } from "../Entry.ts"
import type { Policy } from "../Policy.ts"
import type { EvictionCause } from "../Tier.ts"
import type { EvictionPolicy } from "./evictionPolicy.ts"
import { ExpiryHeap } from "./expiryHeap.ts"

/**
 * One kept entry with what a hit needs beside it. The one mutable thing here: a
 * refresh replaces the entry in its slot, so that it is neither a hit nor an insertion.
 */
export class Slot {
  readonly key: string
  entry: Entry<unknown>
  /** The value as the effect that a hit returns. */
  exit: Exit.Exit<unknown>
  /** Before this moment a read is a plain hit: the end of freshness, or the earliest early refresh. */
  until: number
  /** The number of the last mark this entry was compared with. */
  checkedAt: number
  /** The key as it was asked for, to refresh it without a caller. */
  asked: unknown
  /** The policy of this value, so that a read asks nobody for it. */
  policy: Policy
  /** The moment from which this tier's own bound, not the entry's, ends freshness. */
  freshCap: number
  /** Whether somebody asked for it since it was kept; somebody did when it came. */
  wasRead = true
  weight: number
  heapIndex = -1
  newer: Slot | undefined = undefined
  older: Slot | undefined = undefined

  constructor(key: string, kept: Kept, weight: number) {
    this.key = key
    this.entry = kept.entry
    this.exit = kept.exit
    this.until = kept.until
    this.checkedAt = kept.checkedAt
    this.asked = kept.asked
    this.policy = kept.policy
    this.freshCap = kept.freshCap
    this.weight = weight
  }
}

export interface Kept {
  readonly entry: Entry<unknown>
  readonly exit: Exit.Exit<unknown>
  readonly until: number
  readonly checkedAt: number
  readonly asked: unknown
  readonly policy: Policy
  readonly freshCap: number
}

export interface ObjectStore {
  /** No entry is fresh here for longer than this many milliseconds. */
  readonly maxFreshFor: number
  readonly size: number
  readonly weight: number
  /** What is kept, expired or not; no read. */
  readonly peek: (key: string) => Slot | undefined
  /** Reports a read of a kept slot. */
  readonly hit: (slot: Slot) => void
  /**
   * Keeps an entry in place of what is at the key. Undefined when it is refused
   * (too heavy, or no life left): what was at the key is gone then too.
   */
  readonly put: (key: string, kept: Kept, now: number) => Slot | undefined
  readonly delete: (key: string) => boolean
  /** Drops everything, in one step whatever there is. */
  readonly clear: () => void
  /** Of so many slots, the most recently read first, those that were read since they were kept. */
  readonly hot: (limit: number) => ReadonlyArray<Slot>
}

export interface Bounds {
  readonly maxEntries: number
  readonly maxWeight: number
  readonly weigh: (value: unknown, key: string) => number
  readonly maxFreshFor: number
}

/** Expired entries removed with each write even when there is room, so that they do not pile up. */
const expiredPerWrite = 8

class MemoryStore implements ObjectStore {
  #slots = new Map<string, Slot>()
  #expiry = new ExpiryHeap()
  readonly #bounds: Bounds
  readonly #makePolicy: () => EvictionPolicy
  #policy: EvictionPolicy
  readonly #onEvicted: (key: string, cause: EvictionCause) => void
  #weight = 0

  constructor(
    bounds: Bounds,
    makePolicy: () => EvictionPolicy,
    onEvicted: (key: string, cause: EvictionCause) => void,
  ) {
    this.#bounds = bounds
    this.#makePolicy = makePolicy
    this.#policy = makePolicy()
    this.#onEvicted = onEvicted
  }

  get maxFreshFor(): number {
    return this.#bounds.maxFreshFor
  }

  get size(): number {
    return this.#slots.size
  }

  get weight(): number {
    return this.#weight
  }

  peek(key: string): Slot | undefined {
    return this.#slots.get(key)
  }

  hit(slot: Slot): void {
    slot.wasRead = true
    this.#policy.hit(slot)
  }

  put(key: string, kept: Kept, now: number): Slot | undefined {
    const weight = this.#weigh(kept.entry.value, key)
    const fits = this.#bounds.maxEntries >= 1 && weight <= this.#bounds.maxWeight
    if (!fits || kept.entry.staleUntil <= now) {
      if (!fits) this.#onEvicted(key, "refused")
      this.delete(key)
      return undefined
    }
    const present = this.#slots.get(key)
    if (present !== undefined) {
      this.#replace(present, kept, weight)
      this.#makeRoom(0, 0, now, present)
      return present
    }
    this.#makeRoom(1, weight, now, undefined)
    const slot = new Slot(key, kept, weight)
    this.#slots.set(key, slot)
    this.#weight += weight
    this.#policy.added(slot)
    this.#expiry.add(slot)
    return slot
  }

  delete(key: string): boolean {
    const slot = this.#slots.get(key)
    if (slot === undefined) return false
    this.#remove(slot)
    return true
  }

  clear(): void {
    // New ones instead of emptying the old: the collector takes its time, callers do not wait.
    this.#slots = new Map()
    this.#expiry = new ExpiryHeap()
    this.#policy = this.#makePolicy()
    this.#weight = 0
  }

  hot(limit: number): ReadonlyArray<Slot> {
    const hot: Array<Slot> = []
    let seen = 0
    for (const slot of this.#policy.recent()) {
      if (slot.wasRead) hot.push(slot)
      seen += 1
      if (seen === limit) break
    }
    return hot
  }

  #replace(slot: Slot, kept: Kept, weight: number): void {
    this.#weight += weight - slot.weight
    slot.weight = weight
    slot.entry = kept.entry
    slot.exit = kept.exit
    slot.until = kept.until
    slot.checkedAt = kept.checkedAt
    slot.asked = kept.asked
    slot.policy = kept.policy
    slot.freshCap = kept.freshCap
    slot.wasRead = false
    this.#expiry.moved(slot)
  }

  /** Makes room for what comes, expired entries first. `spared` is what was just written. */
  #makeRoom(entries: number, weight: number, now: number, spared: Slot | undefined): void {
    const { maxEntries, maxWeight } = this.#bounds
    const tooMany = () => this.#slots.size + entries > maxEntries
    const tooHeavy = () => this.#weight + weight > maxWeight
    for (let removed = 0; removed < expiredPerWrite || tooMany() || tooHeavy(); removed += 1) {
      const first = this.#expiry.first()
      if (first === undefined || first.entry.staleUntil > now) break
      this.#evict(first, "expired")
    }
    while (tooMany() || tooHeavy()) {
      const cause = tooMany() ? "size" : "weight"
      const victim = this.#policy.victim(spared)
      if (victim === undefined) return
      this.#evict(victim, cause)
    }
  }

  #evict(slot: Slot, cause: EvictionCause): void {
    this.#remove(slot)
    this.#onEvicted(slot.key, cause)
  }

  #remove(slot: Slot): void {
    this.#slots.delete(slot.key)
    this.#weight -= slot.weight
    this.#policy.removed(slot)
    this.#expiry.remove(slot)
  }

  #weigh(value: unknown, key: string): number {
    const weight = this.#bounds.weigh(value, key)
    if (Number.isSafeInteger(weight) && weight >= 0) return weight
    throw new RangeError(
      `MemoryTier weigh gave ${String(weight)} for ${JSON.stringify(key)}; a weight is an integer of at least 0`,
    )
  }
}

export const make = (
  bounds: Bounds,
  policy: () => EvictionPolicy,
  onEvicted: (key: string, cause: EvictionCause) => void,
): ObjectStore => new MemoryStore(bounds, policy, onEvicted)
