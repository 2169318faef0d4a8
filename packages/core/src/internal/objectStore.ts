/** The entries one larder keeps in memory, each with what a hit needs beside it. */
import type * as Exit from "effect/Exit"
import * as BoundedMap from "../BoundedMap.ts"
import { type Entry, forever } from "../Entry.ts"
import type { Policy } from "../Policy.ts"
import type { EvictionCause } from "../Tier.ts"

/** What is kept of an entry. */
export interface Kept {
  readonly entry: Entry<unknown>
  /** The value as the effect that a hit returns. */
  readonly exit: Exit.Exit<unknown>
  /** Before this moment a read is a plain hit: the end of freshness, or the earliest early refresh. */
  readonly until: number
  /** The number of the last mark this entry was compared with. */
  readonly checkedAt: number
  /** The key as it was asked for, to refresh it without a caller. */
  readonly asked: unknown
  /** The policy of this value, so that a read asks nobody for it. */
  readonly policy: Policy
  /** The moment from which this tier's own bound, not the entry's, ends freshness. */
  readonly freshCap: number
}

/** One kept entry. Mutable only in what reads find out about it. */
export class Held implements Kept {
  readonly key: string
  readonly entry: Entry<unknown>
  readonly exit: Exit.Exit<unknown>
  until: number
  checkedAt: number
  readonly asked: unknown
  readonly policy: Policy
  readonly freshCap: number
  /** Whether somebody asked for it since it was kept. */
  wasRead: boolean

  constructor(key: string, kept: Kept, wasRead: boolean) {
    this.key = key
    this.entry = kept.entry
    this.exit = kept.exit
    this.until = kept.until
    this.checkedAt = kept.checkedAt
    this.asked = kept.asked
    this.policy = kept.policy
    this.freshCap = kept.freshCap
    this.wasRead = wasRead
  }
}

export interface Options extends BoundedMap.Bounds {
  readonly eviction: BoundedMap.Eviction
  readonly seed: number
  readonly weigh: (value: unknown, key: string) => number
  /** No entry is fresh here for longer than this many milliseconds. */
  readonly maxFreshFor: number
  readonly onEvicted: (key: string, cause: EvictionCause) => void
}

export class ObjectStore {
  readonly maxFreshFor: number
  readonly #weigh: Options["weigh"]
  readonly #map: BoundedMap.BoundedMap<Held>

  constructor(options: Options) {
    const { onEvicted } = options
    this.maxFreshFor = options.maxFreshFor
    this.#weigh = options.weigh
    this.#map = BoundedMap.make<Held>({
      ...options,
      onEvicted: (key, _, cause) => onEvicted(key, cause),
    })
  }

  get size(): number {
    return this.#map.size
  }

  get weight(): number {
    return this.#map.weight
  }

  /** The slot of a key, good until the next write; 0 when nothing is kept. No read. */
  find(key: string): number {
    return this.#map.find(key)
  }

  at(slot: number): Held {
    return this.#map.at(slot)
  }

  /** What is kept, expired or not; no read. */
  peek(key: string): Held | undefined {
    const slot = this.#map.find(key)
    return slot === 0 ? undefined : this.#map.at(slot)
  }

  /** Reports a read of a slot just found. */
  hit(slot: number, held: Held): void {
    held.wasRead = true
    this.#map.hit(slot)
  }

  /**
   * Keeps an entry in place of what is at the key; whether it is kept. It is not
   * when it is too heavy, has no life left, or is worth less than all the others:
   * what was at the key is gone then too.
   */
  put(key: string, kept: Kept, now: number): boolean {
    // Somebody asked for it when it came; a refresh nobody asked for.
    const wasRead = this.#map.find(key) === 0
    const { staleUntil, value } = kept.entry
    const weight = this.#weigh(value, key)
    const expiresAt = staleUntil < forever ? staleUntil : Infinity
    return this.#map.set(key, new Held(key, kept, wasRead), { weight, expiresAt, now })
  }

  delete(key: string): boolean {
    return this.#map.delete(key)
  }

  /** Drops everything, in one step whatever there is. */
  clear(): void {
    this.#map.clear()
  }

  /** Sets other bounds; what is over them goes by and by, with `shrink` at once. */
  resize(bounds: Partial<BoundedMap.Bounds>): void {
    this.#map.resize({ ...this.#map.bounds, ...bounds })
  }

  /** Gives up to `limit` entries up that are over lowered bounds; whether some still are. */
  shrink(limit: number): boolean {
    return this.#map.shrink(limit)
  }

  /** Of so many entries, those most worth keeping, the ones that were read since they were kept. */
  hot(limit: number): ReadonlyArray<Held> {
    const hot: Array<Held> = []
    let seen = 0
    for (const held of this.#map.hottest()) {
      if (held.wasRead) hot.push(held)
      seen += 1
      if (seen === limit) break
    }
    return hot
  }
}
