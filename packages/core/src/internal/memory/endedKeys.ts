/**
 * The keys whose last entry left memory because its life had ended: a miss of such a key is an expired one,
 * not one of a new key. It keeps hashes of 32 bits, of the keys that ended last, in buckets of four: about
 * 8 bytes for each key, and never more than for `endedKeys`.
 */
import { endedKeys } from "../runtime/limits.ts"

const perBucket = 4
const fewestBuckets = 16
/** The table doubles while half of it is in use, so that few buckets are full. */
const mostBuckets = (2 * endedKeys) / perBucket
/** Marks a free place. */
const free = 0

export class EndedKeys {
  /** By bucket; the hash that came last is first in its bucket. */
  #hashes = new Int32Array(0)
  #size = 0

  /** The keys that it knows. */
  get size(): number {
    return this.#size
  }

  has(hash: number): boolean {
    return this.#size > 0 && this.#find(kept(hash)) >= 0
  }

  /** Adds a key. Where its bucket is full, the key that came first is forgotten. */
  add(hash: number): void {
    const own = kept(hash)
    this.#forget(own)
    if (this.#size * 2 >= this.#hashes.length) this.#grow()
    this.#put(own)
  }

  delete(hash: number): void {
    if (this.#size > 0) this.#forget(kept(hash))
  }

  clear(): void {
    this.#hashes = new Int32Array(0)
    this.#size = 0
  }

  #put(own: number): void {
    const start = this.#bucketOf(own)
    const end = start + perBucket - 1
    if (this.#hashes[end] === free) this.#size += 1
    this.#hashes.copyWithin(start + 1, start, end)
    this.#hashes[start] = own
  }

  #forget(own: number): void {
    const at = this.#find(own)
    if (at < 0) return
    const end = at - (at % perBucket) + perBucket
    this.#hashes.copyWithin(at, at + 1, end)
    this.#hashes[end - 1] = free
    this.#size -= 1
  }

  #find(own: number): number {
    const start = this.#bucketOf(own)
    for (let at = start; at < start + perBucket; at += 1) if (this.#hashes[at] === own) return at
    return -1
  }

  #bucketOf(own: number): number {
    return (own & (this.#hashes.length / perBucket - 1)) * perBucket
  }

  #grow(): void {
    const before = this.#hashes
    const buckets = before.length / perBucket
    if (buckets >= mostBuckets) return
    this.#hashes = new Int32Array(Math.max(fewestBuckets, buckets * 2) * perBucket)
    this.#size = 0
    // The oldest first, so that each bucket keeps its order.
    for (let at = before.length - 1; at >= 0; at -= 1) {
      if (before[at] !== free) this.#put(before[at]!)
    }
  }
}

/** 0 is a free place: one key in four billion is taken for another one. */
const kept = (hash: number): number => (hash === free ? 1 : hash | 0)
