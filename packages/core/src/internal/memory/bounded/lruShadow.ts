/**
 * Simulates a plain LRU cache of the same size, to count the hits it would have:
 * for a sample of the keys, chosen by hash, in a cache smaller by the same factor
 * (C. Waldspurger et al., "Efficient MRC Construction with SHARDS", FAST 2015).
 */

/**
 * The most keys in the sample: above it the sample is halved. A few hundred keys are enough. Once the
 * sample is one key in 32, more keys are allowed: they cost a large cache next to nothing.
 */
const sampledOfFew = 384
const sampledOfMany = 4_096
const maskOfMany = 31

export class LruShadow {
  /** Costs by hash; the least recently used hash is first. */
  #costs = new Map<number, number>()
  #cost = 0
  /** One key in `#mask + 1` is in the sample. */
  #mask = 3

  isSampled(hash: number): boolean {
    return ((hash >>> 8) & this.#mask) === 0
  }

  /** Counts a request of a sampled key; returns whether it hits in the LRU cache. `total`: the cost of all entries kept. */
  request(hash: number, cost: number, total: number): boolean {
    const before = this.#costs.get(hash)
    if (before !== undefined) this.forget(hash)
    this.#costs.set(hash, cost)
    this.#cost += cost
    const room = total / (this.#mask + 1)
    for (const oldest of this.#costs.keys()) {
      if (this.#cost <= room || this.#costs.size === 1) break
      this.forget(oldest)
    }
    const most = this.#mask < maskOfMany ? sampledOfFew : sampledOfMany
    if (this.#costs.size > most) this.#thin()
    return before !== undefined
  }

  /** Removes a key, also one that the real cache dropped without an eviction: then neither cache can have it. */
  forget(hash: number): void {
    const cost = this.#costs.get(hash)
    if (cost === undefined) return
    this.#costs.delete(hash)
    this.#cost -= cost
  }

  #thin(): void {
    this.#mask = this.#mask * 2 + 1
    for (const hash of this.#costs.keys()) if (!this.isSampled(hash)) this.forget(hash)
  }
}
