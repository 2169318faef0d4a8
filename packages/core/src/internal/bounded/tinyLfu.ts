/**
 * W-TinyLFU: newcomers enter a window; what falls out of it stays only if it was
 * asked for more often than what would have to go for it (G. Einziger, O.
 * Eytan, R. Friedman, B. Manes, "Adaptive Software Cache Management", Middleware
 * 2018). The window's size adapts: see windowShare.ts.
 */
import { firstSlot, grown, none } from "./columns.ts"
import type { EvictionPolicy, Kept } from "./evictionPolicy.ts"
import { FrequencySketch } from "./frequencySketch.ts"
import { LruShadow } from "./lruShadow.ts"
import { SlotLists } from "./slotLists.ts"
import { finish } from "./stringHash.ts"
import { initialShare, isBehindLru, nextShare } from "./windowShare.ts"

const window = 1
const probation = 2
const guarded = 3
type Region = typeof window | typeof probation | typeof guarded

/** Of the main region: what was read again after it left the window. */
const guardedShare = 0.8
/** The window is adapted after so many requests for each kept entry. */
const requestsPerSample = 4
/** Whether LRU does better is looked at more often. */
const requestsPerGlance = 0.25
/** A region that has become too large shrinks by so many with each request. */
const movesPerRequest = 16
/** A loser that was asked for more often than this is warm. */
const warm = 5
/** One warm loser in so many is let in, so that nobody can keep keys out by making theirs look popular. */
const losersPerLucky = 128

export class TinyLfu implements EvictionPolicy {
  readonly #kept: Kept
  readonly #most: number
  readonly #lists: SlotLists
  #regions = new Uint8Array(104)
  readonly #entries = [0, 0, 0, 0]
  readonly #weights = [0, 0, 0, 0]
  readonly #sketch = new FrequencySketch()
  readonly #shadow = new LruShadow()
  /** What left the window last, and has yet to win its place. */
  #candidate: number = none
  #share = initialShare
  #luck: number
  #requests = 0
  #nextGlance = 0
  #windowHits = 0
  #mainHits = 0
  #ownHits = 0
  #shadowHits = 0
  #gaveUp = false

  /** `most`: the number of slots there can be. */
  constructor(kept: Kept, most: number, seed: number) {
    this.#kept = kept
    this.#most = most
    this.#lists = new SlotLists(most)
    this.#luck = seed
  }

  added(slot: number): void {
    if (slot >= this.#regions.length) this.#regions = grown(this.#regions, this.#most)
    this.#sketch.ensure(this.#kept.size())
    this.#candidate = none
    this.#count(slot, false)
    if (this.#isTooLargeForWindow(slot)) {
      this.#link(probation, slot)
      this.#candidate = slot
      return
    }
    this.#link(window, slot)
    for (let moves = 0; moves < movesPerRequest && this.#isWindowFull(); moves += 1) {
      this.#candidate = this.#lists.oldest(window)
      this.#move(this.#candidate, probation)
    }
  }

  hit(slot: number): void {
    const region = this.#regions[slot]!
    if (region === window) this.#windowHits += 1
    else this.#mainHits += 1
    this.#count(slot, true)
    if (region !== probation) return this.#lists.renew(region, slot)
    this.#move(slot, guarded)
    for (let moves = 0; moves < movesPerRequest && this.#isGuardedFull(); moves += 1) {
      this.#move(this.#lists.oldest(guarded), probation)
    }
  }

  reweighed(slot: number, by: number): void {
    this.#candidate = none
    this.#weights[this.#regions[slot]!]! += by
  }

  removed(slot: number, wasTaken: boolean): void {
    const hash = this.#kept.hashOf(slot)
    if (wasTaken && this.#shadow.isSampled(hash)) this.#shadow.forget(hash)
    if (slot === this.#candidate) this.#candidate = none
    this.#unlink(slot)
  }

  victim(spared: number): number {
    this.#gaveUp = true
    const weakest = this.#weakest(spared)
    const candidate = this.#candidate
    if (candidate === none || weakest === none) return weakest
    if (this.#wins(candidate, weakest)) return weakest
    this.#candidate = none
    return candidate
  }

  *hottest(): Iterable<number> {
    for (const list of [guarded, window, probation]) {
      for (let slot = this.#lists.newest(list); slot !== list; slot = this.#lists.older(slot)) {
        yield slot
      }
    }
  }

  #weakest(spared: number): number {
    for (const list of [probation, guarded, window]) {
      let slot = this.#lists.oldest(list)
      while (slot >= firstSlot && (slot === spared || slot === this.#candidate)) {
        slot = this.#lists.newer(slot)
      }
      if (slot >= firstSlot) return slot
    }
    return none
  }

  #wins(candidate: number, weakest: number): boolean {
    const own = this.#sketch.of(this.#kept.hashOf(candidate))
    if (own > this.#sketch.of(this.#kept.hashOf(weakest))) return true
    return own > warm && this.#isLucky()
  }

  #isLucky(): boolean {
    this.#luck = (this.#luck + 0x9e3779b9) | 0
    return finish(this.#luck) % losersPerLucky === 0
  }

  #count(slot: number, isHit: boolean): void {
    const hash = this.#kept.hashOf(slot)
    this.#sketch.add(hash)
    this.#requests += 1
    if (this.#shadow.isSampled(hash)) {
      const cost = this.#kept.costOf(1, this.#kept.weightOf(slot))
      if (isHit) this.#ownHits += 1
      if (this.#shadow.request(hash, cost, this.#total())) this.#shadowHits += 1
    }
    if (this.#requests >= this.#nextGlance) this.#glance()
  }

  #glance(): void {
    const size = this.#kept.size()
    const sample = {
      windowHits: this.#windowHits,
      windowCost: this.#costOf(window),
      mainHits: this.#mainHits,
      mainCost: this.#costOf(probation) + this.#costOf(guarded),
      ownHits: this.#ownHits,
      shadowHits: this.#shadowHits,
    }
    const isWhole = this.#requests >= size * requestsPerSample
    this.#nextGlance = this.#requests + Math.max(1, size * requestsPerGlance)
    if (!isWhole && !isBehindLru(sample)) return
    // As long as all is kept there is nothing to be learnt.
    if (this.#gaveUp) this.#share = nextShare(this.#share, sample)
    this.#gaveUp = false
    this.#requests = 0
    this.#nextGlance = Math.max(1, size * requestsPerGlance)
    this.#windowHits = 0
    this.#mainHits = 0
    this.#ownHits = 0
    this.#shadowHits = 0
  }

  #isTooLargeForWindow(slot: number): boolean {
    const cost = this.#kept.costOf(1, this.#kept.weightOf(slot))
    const total = this.#total()
    // Where all are as large as this one, the window has room for one of them nevertheless.
    return cost > this.#share * total && cost * this.#kept.size() > 2 * total
  }

  #isWindowFull(): boolean {
    return this.#entries[window]! > 1 && this.#costOf(window) > this.#share * this.#total()
  }

  #isGuardedFull(): boolean {
    return this.#costOf(guarded) > guardedShare * (1 - this.#share) * this.#total()
  }

  #total(): number {
    return this.#costOf(window) + this.#costOf(probation) + this.#costOf(guarded)
  }

  #costOf(region: Region): number {
    return this.#kept.costOf(this.#entries[region]!, this.#weights[region]!)
  }

  #move(slot: number, to: Region): void {
    this.#unlink(slot)
    this.#link(to, slot)
  }

  #link(region: Region, slot: number): void {
    this.#lists.push(region, slot)
    this.#regions[slot] = region
    this.#entries[region]! += 1
    this.#weights[region]! += this.#kept.weightOf(slot)
  }

  #unlink(slot: number): void {
    const region = this.#regions[slot]!
    this.#lists.remove(slot)
    this.#entries[region]! -= 1
    this.#weights[region]! -= this.#kept.weightOf(slot)
  }
}
