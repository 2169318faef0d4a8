/**
 * W-TinyLFU written down plainly: regions are arrays, newest first, and every sum
 * is made anew. The sketch, the LRU shadow and the next share are those of the
 * policy, which have tests of their own.
 */
import { none } from "../../src/internal/memory/bounded/columns.ts"
import type {
  Costs,
  EvictionPolicy,
  Kept,
} from "../../src/internal/memory/bounded/evictionPolicy.ts"
import { FrequencySketch } from "../../src/internal/memory/bounded/frequencySketch.ts"
import { LruShadow } from "../../src/internal/memory/bounded/lruShadow.ts"
import { finish } from "../../src/internal/memory/bounded/stringHash.ts"
import { behindLru, nextShare, type Sample } from "../../src/internal/memory/bounded/windowShare.ts"

type Region = "window" | "probation" | "guarded"

const noHits = { windowHits: 0, mainHits: 0, ownHits: 0, shadowHits: 0 }

export class PlainTinyLfu implements EvictionPolicy {
  readonly #kept: Kept
  readonly #costs: Costs
  readonly #regions: Record<Region, Array<number>> = { window: [], probation: [], guarded: [] }
  readonly #sketch = new FrequencySketch()
  readonly #shadow = new LruShadow()
  #candidate: number = none
  #share = 0.01
  #luck: number
  #counts = false
  #gaveUp = false
  #requests = 0
  #nextGlance = 0
  #hits = { ...noHits }

  constructor(kept: Kept, costs: Costs, seed: number) {
    this.#kept = kept
    this.#costs = costs
    this.#luck = seed
  }

  /** The share of the window. */
  get share(): number {
    return this.#share
  }

  added(slot: number): void {
    const { guarded, probation, window } = this.#regions
    this.#candidate = none
    this.#counts ||= this.#total() >= 0.5
    if (this.#counts) {
      this.#sketch.ensure(window.length + probation.length + guarded.length + 1)
      this.#count(slot, false)
    }
    const cost = this.#cost([slot])
    const all = [...window, ...probation, ...guarded, slot]
    const total = this.#cost(all)
    // Larger than the window, and than two of the others.
    if (cost > this.#share * total && cost * all.length > 2 * total) {
      probation.unshift(slot)
      this.#candidate = slot
      return
    }
    window.unshift(slot)
    for (let moves = 0; moves < 16; moves += 1) {
      if (window.length < 2 || this.#cost(window) <= this.#share * this.#total()) break
      this.#candidate = window.pop()!
      probation.unshift(this.#candidate)
    }
  }

  remembers(hash: number): boolean {
    return this.#sketch.of(hash) > 0
  }

  hit(slot: number): void {
    const { guarded, probation } = this.#regions
    const region = this.#regionOf(slot)
    if (this.#counts) {
      this.#hits[region === "window" ? "windowHits" : "mainHits"] += 1
      this.#count(slot, true)
    }
    this.#drop(slot)
    if (region !== "probation") return void this.#regions[region].unshift(slot)
    guarded.unshift(slot)
    for (let moves = 0; moves < 16; moves += 1) {
      if (this.#cost(guarded) <= 0.8 * (1 - this.#share) * this.#total()) break
      probation.unshift(guarded.pop()!)
    }
  }

  reweighed(): void {
    this.#candidate = none
  }

  removed(slot: number, wasTaken: boolean): void {
    if (wasTaken) this.#shadow.forget(this.#kept.hashOf(slot))
    if (slot === this.#candidate) this.#candidate = none
    this.#drop(slot)
  }

  victim(spared: number): number {
    this.#gaveUp = true
    const { guarded, probation, window } = this.#regions
    const candidate = this.#candidate
    const weakestFirst = [probation, guarded, window].flatMap((region) => region.toReversed())
    const weakest = weakestFirst.find((slot) => slot !== spared && slot !== candidate) ?? none
    if (candidate === none || candidate === spared) return weakest
    return weakest !== none && this.#wins(candidate, weakest) ? weakest : candidate
  }

  hottest(): Array<number> {
    const { guarded, probation, window } = this.#regions
    return [...guarded, ...window, ...probation]
  }

  #wins(candidate: number, weakest: number): boolean {
    const [own, other] = [candidate, weakest].map((slot) =>
      this.#sketch.of(this.#kept.hashOf(slot)),
    ) as [number, number]
    if (own > other) return true
    if (own <= 5) return false
    this.#luck = (this.#luck + 0x9e3779b9) | 0
    return finish(this.#luck) % 128 === 0
  }

  #count(slot: number, isHit: boolean): void {
    const hash = this.#kept.hashOf(slot)
    this.#sketch.add(hash)
    if (this.#shadow.isSampled(hash)) {
      if (isHit) this.#hits.ownHits += 1
      if (this.#shadow.request(hash, this.#cost([slot]), this.#total())) this.#hits.shadowHits += 1
    }
    this.#requests += 1
    if (this.#requests >= this.#nextGlance) this.#glance()
  }

  #glance(): void {
    const { guarded, probation, window } = this.#regions
    const size = window.length + probation.length + guarded.length
    const sample: Sample = {
      ...this.#hits,
      windowCost: this.#cost(window),
      mainCost: this.#cost([...probation, ...guarded]),
    }
    this.#nextGlance = this.#requests + Math.floor(size / 4)
    if (this.#requests < 4 * size && behindLru(sample) < 2) return
    if (this.#gaveUp) this.#share = nextShare(this.#share, sample)
    this.#gaveUp = false
    this.#requests = 0
    this.#nextGlance = Math.floor(size / 4)
    this.#hits = { ...noHits }
  }

  #regionOf(slot: number): Region {
    const { guarded, window } = this.#regions
    if (window.includes(slot)) return "window"
    return guarded.includes(slot) ? "guarded" : "probation"
  }

  #drop(slot: number): void {
    const region = this.#regions[this.#regionOf(slot)]
    region.splice(region.indexOf(slot), 1)
  }

  #total(): number {
    const { guarded, probation, window } = this.#regions
    return this.#cost([...window, ...probation, ...guarded])
  }

  #cost(slots: ReadonlyArray<number>): number {
    const weight = slots.reduce((sum, slot) => sum + this.#kept.weightOf(slot), 0)
    return slots.length * this.#costs.perEntry + weight * this.#costs.perWeight
  }
}
