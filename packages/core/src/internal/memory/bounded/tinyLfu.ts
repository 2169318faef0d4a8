/**
 * W-TinyLFU eviction: a new entry enters a window. When the window is full, its
 * oldest entry stays only if it was requested more often than the entry that would
 * be evicted for it (G. Einziger, O. Eytan, R. Friedman, B. Manes, "Adaptive
 * Software Cache Management", Middleware 2018). The size of the window adapts: see
 * windowShare.ts.
 */
import { firstSlot, grown, none } from "./columns.ts"
import type { Costs, EvictionPolicy, Kept } from "./evictionPolicy.ts"
import { FrequencySketch } from "./frequencySketch.ts"
import { LruShadow } from "./lruShadow.ts"
import { SlotLists } from "./slotLists.ts"
import { finish } from "./stringHash.ts"
import { behindLru, initialShare, nextShare } from "./windowShare.ts"

const window = 1
const probation = 2
const guarded = 3
type Region = typeof window | typeof probation | typeof guarded

/** The regions in the order in which entries are evicted from them. */
const weakestFirst = [probation, guarded, window] as const

/** The share of the main region for entries that were read again after they left the window. */
const guardedShare = 0.8
/** The size of the window adapts after this many requests for each entry. */
const requestsPerSample = 4
/** The comparison with LRU runs more often: after this many requests for each entry. */
const requestsPerGlance = 0.25
const clearlyBehind = 2
/** Each request moves up to this many entries out of a region that is too large. */
const movesPerRequest = 16
/** A candidate that was requested more often than this and loses is a warm loser. */
const warm = 5
/** One warm loser in this many stays, so that an attacker cannot keep keys out by requesting others often. */
const losersPerLucky = 128

export class TinyLfu implements EvictionPolicy {
  readonly #kept: Kept
  readonly #costs: Costs
  readonly #most: number
  readonly #lists: SlotLists
  #regions = new Uint8Array(104)
  readonly #entries = [0, 0, 0, 0]
  readonly #weights = [0, 0, 0, 0]
  readonly #sketch = new FrequencySketch()
  readonly #shadow = new LruShadow()
  /** The entry that left the window last: it competes with the weakest entry at the next eviction. */
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
  /** False until half of the room is used: before that no eviction is near, and counting would be wasted. */
  #counts = false

  /** `most`: the highest number of slots. */
  constructor(kept: Kept, costs: Costs, most: number, seed: number) {
    this.#kept = kept
    this.#costs = costs
    this.#most = most
    this.#lists = new SlotLists(most)
    this.#luck = seed
  }

  added(slot: number): void {
    if (slot >= this.#regions.length) this.#regions = grown(this.#regions, this.#most)
    this.#candidate = none
    this.#countNewcomer(slot)
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
    if (this.#counts) this.#countHit(slot, region)
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
    if (wasTaken) this.#shadow.forget(this.#kept.hashOf(slot))
    if (slot === this.#candidate) this.#candidate = none
    this.#unlink(slot)
  }

  remembers(hash: number): boolean {
    return this.#sketch.of(hash) > 0
  }

  victim(spared: number): number {
    this.#gaveUp = true
    const weakest = this.#weakest(spared)
    const candidate = this.#candidate
    if (candidate === none || candidate === spared) return weakest
    return weakest !== none && this.#wins(candidate, weakest) ? weakest : candidate
  }

  *hottest(): Iterable<number> {
    for (const list of [guarded, window, probation]) {
      for (let slot = this.#lists.newest(list); slot !== list; slot = this.#lists.older(slot)) {
        yield slot
      }
    }
  }

  #weakest(spared: number): number {
    for (const list of weakestFirst) {
      let slot = this.#lists.oldest(list)
      while (slot === spared || slot === this.#candidate) slot = this.#lists.newer(slot)
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

  #countNewcomer(slot: number): void {
    const size = this.#size()
    if (!this.#counts) {
      const { perEntry, perWeight } = this.#costs
      this.#counts = size * perEntry + this.#weight() * perWeight >= 0.5
      if (!this.#counts) return
    }
    this.#sketch.ensure(size + 1)
    this.#count(slot, 0)
  }

  #countHit(slot: number, region: number): void {
    if (region === window) this.#windowHits += 1
    else this.#mainHits += 1
    this.#count(slot, 1)
  }

  /** Counts a request; `hits` is 1 for a hit and 0 for a miss. */
  #count(slot: number, hits: number): void {
    const hash = this.#kept.hashOf(slot)
    this.#sketch.add(hash)
    if (this.#shadow.isSampled(hash)) {
      this.#ownHits += hits
      this.#askShadow(slot, hash)
    }
    this.#requests += 1
    if (this.#requests >= this.#nextGlance) this.#glance()
  }

  #askShadow(slot: number, hash: number): void {
    const { perEntry, perWeight } = this.#costs
    const cost = perEntry + this.#kept.weightOf(slot) * perWeight
    const total = this.#size() * perEntry + this.#weight() * perWeight
    if (this.#shadow.request(hash, cost, total)) this.#shadowHits += 1
  }

  #glance(): void {
    const size = this.#size()
    const { perEntry, perWeight } = this.#costs
    const entries = this.#entries
    const weights = this.#weights
    const sample = {
      windowHits: this.#windowHits,
      windowCost: entries[window]! * perEntry + weights[window]! * perWeight,
      mainHits: this.#mainHits,
      mainCost:
        (entries[probation]! + entries[guarded]!) * perEntry +
        (weights[probation]! + weights[guarded]!) * perWeight,
      ownHits: this.#ownHits,
      shadowHits: this.#shadowHits,
    }
    const untilGlance = Math.floor(size * requestsPerGlance)
    const isWhole = this.#requests >= size * requestsPerSample
    this.#nextGlance = this.#requests + untilGlance
    if (!isWhole && behindLru(sample) < clearlyBehind) return
    // Without an eviction since the last decision, the hits say nothing about the size of the window.
    if (this.#gaveUp) this.#share = nextShare(this.#share, sample)
    this.#gaveUp = false
    this.#requests = 0
    this.#nextGlance = untilGlance
    this.#windowHits = 0
    this.#mainHits = 0
    this.#ownHits = 0
    this.#shadowHits = 0
  }

  #isTooLargeForWindow(slot: number): boolean {
    const { perEntry, perWeight } = this.#costs
    const weight = this.#kept.weightOf(slot)
    const size = this.#size() + 1
    const cost = perEntry + weight * perWeight
    const total = size * perEntry + (this.#weight() + weight) * perWeight
    // An entry of at most twice the average cost always fits: where all are large, the window holds one.
    return cost > this.#share * total && cost * size > 2 * total
  }

  #isWindowFull(): boolean {
    const { perEntry, perWeight } = this.#costs
    const entries = this.#entries[window]!
    if (entries < 2) return false
    const total = this.#size() * perEntry + this.#weight() * perWeight
    return entries * perEntry + this.#weights[window]! * perWeight > this.#share * total
  }

  #isGuardedFull(): boolean {
    const { perEntry, perWeight } = this.#costs
    const total = this.#size() * perEntry + this.#weight() * perWeight
    const cost = this.#entries[guarded]! * perEntry + this.#weights[guarded]! * perWeight
    return cost > guardedShare * (1 - this.#share) * total
  }

  #size(): number {
    return this.#entries[window]! + this.#entries[probation]! + this.#entries[guarded]!
  }

  #weight(): number {
    return this.#weights[window]! + this.#weights[probation]! + this.#weights[guarded]!
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
