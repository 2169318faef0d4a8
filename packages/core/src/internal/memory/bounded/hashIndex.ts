/**
 * Slots by hash: a hash table with chains that splits one bucket at a time as
 * slots are added (W. Litwin, "Linear Hashing", VLDB 1980), so that no write ever
 * rehashes all keys. A JavaScript `Map` of a million keys rehashes now and then,
 * also while its size does not change, and blocks the process for a tenth of a
 * second and more.
 */
import { firstSlot, grown, none } from "./columns.ts"

/** Keeps chains short: a search that finds its key reads 1.25 slots on average. */
const bucketsPerSlot = 2
const fewestBuckets = 16

export class HashIndex {
  /** The first slot of each bucket's chain. */
  #heads = new Int32Array(fewestBuckets * 1.5)
  #buckets = fewestBuckets
  /** Bit masks: 1 less than the highest power of two that is at most `#buckets`, and 1 less than the next one. */
  #lower = fewestBuckets - 1
  #upper = fewestBuckets * 2 - 1
  #size = 0
  /** Two numbers for each slot: its hash, and the next slot of its chain. */
  #links = new Int32Array(128)
  /** The first free slot; free slots form a chain too. */
  #free: number = none
  #next = firstSlot
  readonly #most: number

  /** `most`: the highest number of slots. */
  constructor(most: number) {
    this.#most = most
  }

  hashOf(slot: number): number {
    return this.#links[slot * 2]!
  }

  /** The first slot with this hash; `none` if there is none. */
  first(hash: number): number {
    const links = this.#links
    let slot = this.#heads[this.#bucketOf(hash)]!
    while (slot !== none && links[slot * 2] !== hash) slot = links[slot * 2 + 1]!
    return slot
  }

  /** The next slot with the same hash; `none` if there is none. */
  following(slot: number): number {
    const links = this.#links
    const hash = links[slot * 2]!
    let next = links[slot * 2 + 1]!
    while (next !== none && links[next * 2] !== hash) next = links[next * 2 + 1]!
    return next
  }

  get size(): number {
    return this.#size
  }

  /** 1 more than the highest slot that was ever taken. */
  get slots(): number {
    return this.#next
  }

  /** Takes a slot: a free one, or the next new one. */
  add(hash: number): number {
    const slot = this.#take()
    this.#size += 1
    while (this.#buckets < this.#size * bucketsPerSlot) this.#split()
    this.#push(this.#bucketOf(hash), slot, hash)
    return slot
  }

  #take(): number {
    const freed = this.#free
    if (freed !== none) {
      this.#free = this.#links[freed * 2 + 1]!
      return freed
    }
    const slot = this.#next
    this.#next += 1
    if (slot * 2 + 1 >= this.#links.length) this.#links = grown(this.#links, this.#most * 2)
    return slot
  }

  /** Frees the slot. */
  remove(slot: number): void {
    const links = this.#links
    const bucket = this.#bucketOf(links[slot * 2]!)
    let before: number = none
    for (let at = this.#heads[bucket]!; at !== slot; at = links[at * 2 + 1]!) before = at
    const next = links[slot * 2 + 1]!
    if (before === none) this.#heads[bucket] = next
    else links[before * 2 + 1] = next
    links[slot * 2 + 1] = this.#free
    this.#free = slot
    this.#size -= 1
  }

  #bucketOf(hash: number): number {
    const bucket = hash & this.#upper
    return bucket < this.#buckets ? bucket : bucket & this.#lower
  }

  #push(bucket: number, slot: number, hash: number): void {
    this.#links[slot * 2] = hash
    this.#links[slot * 2 + 1] = this.#heads[bucket]!
    this.#heads[bucket] = slot
  }

  #split(): void {
    const opened = this.#buckets
    if (opened === this.#heads.length) {
      this.#heads = grown(this.#heads, this.#most * bucketsPerSlot)
    }
    const from = opened & this.#lower
    let slot = this.#heads[from]!
    this.#heads[from] = none
    this.#heads[opened] = none
    this.#buckets += 1
    while (slot !== none) {
      const next = this.#links[slot * 2 + 1]!
      const hash = this.#links[slot * 2]!
      this.#push((hash & this.#upper) === opened ? opened : from, slot, hash)
      slot = next
    }
    if (this.#buckets > this.#upper) {
      this.#lower = this.#upper
      this.#upper = this.#upper * 2 + 1
    }
  }
}
