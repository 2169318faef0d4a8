/** The entries one larder keeps in memory, each with what a hit needs beside it. */
import type * as Exit from "effect/Exit"
import * as BoundedMap from "../../BoundedMap.ts"
import { type Entry, forever } from "../../Entry.ts"
import type { Policy } from "../../Policy.ts"
import type { EvictionCause } from "../../Tier.ts"
import { grown, Objects } from "./bounded/columns.ts"

/** What is kept of an entry. */
export interface Held {
  readonly key: string
  readonly entry: Entry<unknown>
  /** The value as the effect that a hit returns. */
  readonly exit: Exit.Exit<unknown>
  /** The key as it was asked for, to refresh it without a caller. */
  readonly asked: unknown
  /** The policy of this value, so that a read asks nobody for it. */
  readonly policy: Policy
  /** The moment from which this tier's own bound, not the entry's, ends freshness. */
  readonly freshCap: number
}

/** When a read is a plain hit. */
export interface Stamp {
  /** Before this moment: the end of freshness, or the earliest early refresh. */
  readonly until: number
  /** While this is the number of the last mark: the entry was compared with it. */
  readonly checkedAt: number
}

/** Of what no read may take without a second look. */
export const neverPlain: Stamp = { until: 0, checkedAt: -1 }

export interface Options extends BoundedMap.Bounds {
  readonly eviction: BoundedMap.Eviction
  readonly seed: number
  readonly weigh: (value: unknown, key: string) => number
  /** No entry is fresh here for longer than this many milliseconds. */
  readonly maxFreshFor: number
  readonly onEvicted: (key: string, cause: EvictionCause) => void
}

/**
 * A hit reads the exit, which lies beside the key, and the stamp, which lies
 * beside those of others: it does not touch the entry, which most likely is not
 * in the processor's cache.
 */
export class ObjectStore {
  readonly maxFreshFor: number
  readonly #weigh: Options["weigh"]
  readonly #exits: BoundedMap.BoundedMap<Exit.Exit<unknown>>
  #held = new Objects<Held | undefined>(undefined)
  /** By slot, side by side: `until` and `checkedAt`. */
  #stamps = new Float64Array(160)
  /** By slot: whether somebody asked for it since it was kept. */
  #read = new Uint8Array(72)

  constructor(options: Options) {
    const { onEvicted } = options
    this.maxFreshFor = options.maxFreshFor
    this.#weigh = options.weigh
    this.#exits = BoundedMap.make<Exit.Exit<unknown>>({
      ...options,
      onEvicted: (key, _, cause, slot) => {
        if (slot !== 0) this.#held.set(slot, undefined)
        onEvicted(key, cause)
      },
    })
  }

  get size(): number {
    return this.#exits.size
  }

  get weight(): number {
    return this.#exits.weight
  }

  /** The slot of a key, good until the next write; 0 when nothing is kept. No read. */
  find(key: string): number {
    return this.#exits.find(key)
  }

  /** Whether a read of what is in a slot is a plain hit. */
  isPlain(slot: number, now: number, lastMark: number): boolean {
    return now < this.#stamps[slot * 2]! && this.#stamps[slot * 2 + 1] === lastMark
  }

  isStampedAt(slot: number, mark: number): boolean {
    return this.#stamps[slot * 2 + 1] === mark
  }

  stamp(slot: number, { checkedAt, until }: Stamp): void {
    this.#stamps[slot * 2] = until
    this.#stamps[slot * 2 + 1] = checkedAt
  }

  /** No read of the key is a plain hit until it is judged once more. */
  forgetStamp(key: string): void {
    const slot = this.#exits.find(key)
    if (slot !== 0) this.stamp(slot, neverPlain)
  }

  exit(slot: number): Exit.Exit<unknown> {
    return this.#exits.at(slot)
  }

  at(slot: number): Held {
    return this.#held.get(slot)!
  }

  /** What is kept, expired or not; no read. */
  peek(key: string): Held | undefined {
    const slot = this.#exits.find(key)
    return slot === 0 ? undefined : this.at(slot)
  }

  /** Reports a read of a slot just found. */
  hit(slot: number): void {
    this.#read[slot] = 1
    this.#exits.hit(slot)
  }

  /**
   * Keeps an entry in place of what is at the key; whether it is kept. It is not
   * when it is too heavy, has no life left, or is worth less than all the others:
   * what was at the key is gone then too.
   */
  put(held: Held, weight: number, stamp: Stamp, now: number): boolean {
    const { entry, exit, key } = held
    const { staleUntil } = entry
    const expiresAt = staleUntil >= forever ? Infinity : staleUntil
    const present = this.#exits.find(key)
    if (present !== 0) this.#held.set(present, undefined)
    if (!this.#exits.set(key, exit, { weight, expiresAt, now })) return false
    const slot = present === 0 ? this.#exits.find(key) : present
    this.#held.set(slot, held)
    while (slot * 2 + 1 >= this.#stamps.length) this.#stamps = grown(this.#stamps, Infinity)
    while (slot >= this.#read.length) this.#read = grown(this.#read, Infinity)
    this.stamp(slot, stamp)
    // Somebody asked for it when it came; a refresh nobody asked for.
    this.#read[slot] = present === 0 ? 1 : 0
    return true
  }

  /** The weight of a value, by the user's function; throws what it throws, and a `RangeError` for what is no weight. */
  weigh(value: unknown, key: string): number {
    const weight = this.#weigh(value, key)
    BoundedMap.checkWeight(weight, key)
    return weight
  }

  /** The weight of what is in a slot. */
  weightOf(slot: number): number {
    return this.#exits.weightOf(slot)
  }

  delete(key: string): boolean {
    const slot = this.#exits.find(key)
    if (slot === 0) return false
    this.#held.set(slot, undefined)
    return this.#exits.delete(key)
  }

  /** Drops everything, in one step whatever there is. */
  clear(): void {
    this.#exits.clear()
    this.#held = new Objects<Held | undefined>(undefined)
  }

  get bounds(): BoundedMap.Bounds {
    return this.#exits.bounds
  }

  /** Sets other bounds; what is over them goes by and by, with `shrink` at once. */
  resize(bounds: BoundedMap.Bounds): void {
    this.#exits.resize(bounds)
  }

  /** Gives up so many entries that have expired or are over lowered bounds; whether there are more. */
  shrink(limit: number, now: number): boolean {
    return this.#exits.expire(now, limit) || this.#exits.shrink(limit)
  }

  /** Of so many entries, those most worth keeping, the ones that were read since they were kept. */
  hot(limit: number): ReadonlyArray<Held> {
    const hot: Array<Held> = []
    let seen = 0
    for (const slot of this.#exits.hottest()) {
      if (this.#read[slot] === 1) hot.push(this.at(slot))
      seen += 1
      if (seen === limit) break
    }
    return hot
  }
}
