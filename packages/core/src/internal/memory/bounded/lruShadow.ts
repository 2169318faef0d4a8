/**
 * What a plain LRU cache of the same size would have: simulated for a sample of
 * the keys, chosen by their hash, in a cache smaller by the same factor (C.
 * Waldspurger et al., "Efficient MRC Construction with SHARDS", FAST 2015).
 */

/** The sample is thinned out above so many entries: a few suffice, but of a large cache one key in 32 costs nothing. */
const sampledOfFew = 384
const sampledOfMany = 4_096
const maskOfMany = 31

export class LruShadow {
  /** Costs by hash, least recently used first. */
  #costs = new Map<number, number>()
  #cost = 0
  /** One key of `#mask + 1` is in the sample. */
  #mask = 3

  isSampled(hash: number): boolean {
    return ((hash >>> 8) & this.#mask) === 0
  }

  /** A request in the sample: whether the LRU cache would have had it. `total` is what all that is kept costs. */
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

  /** Neither cache can have what was taken out of both. */
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
