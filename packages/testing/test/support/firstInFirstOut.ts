/**
 * A tier of values written from `Tier.ObjectStore` alone: a map that
 * evicts its oldest entry, and walks over all entries where the tier of the package does not.
 */
import { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

interface Kept {
  readonly held: Tier.MemoryEntry
  readonly weight: number
  stamp: Tier.Stamp
  isRead: boolean
}

type Bounds = Tier.ObjectStore["bounds"]
type OnEvicted = Parameters<Tier.ObjectTier["open"]>[0]["onEvicted"]

class FirstInFirstOut implements Tier.ObjectStore {
  readonly maxFreshFor = Infinity
  bounds: Bounds
  readonly #onEvicted: OnEvicted
  /** The slot of a key is its place in `#kept`; the first one stays empty. */
  readonly #slots = new Map<string, number>()
  readonly #kept: Array<Kept | undefined> = [undefined]

  constructor(bounds: Bounds, onEvicted: OnEvicted) {
    this.bounds = bounds
    this.#onEvicted = onEvicted
  }

  get size(): number {
    return this.#slots.size
  }

  get weight(): number {
    return this.#all().reduce((sum, { weight }) => sum + weight, 0)
  }

  find(key: string): number {
    return this.#slots.get(key) ?? 0
  }

  at(slot: number): Tier.MemoryEntry {
    return this.#at(slot).held
  }

  exit(slot: number): Tier.MemoryEntry["exit"] {
    return this.at(slot).exit
  }

  weightOf(slot: number): number {
    return this.#at(slot).weight
  }

  peek(key: string): Tier.MemoryEntry | undefined {
    const slot = this.find(key)
    return slot === 0 ? undefined : this.at(slot)
  }

  hit(slot: number): void {
    this.#at(slot).isRead = true
  }

  isPlain(slot: number, now: number, lastMark: number): boolean {
    return now < this.#at(slot).stamp.until && this.isStampedAt(slot, lastMark)
  }

  isStampedAt(slot: number, mark: number): boolean {
    return this.#at(slot).stamp.checkedAt === mark
  }

  stamp(slot: number, stamp: Tier.Stamp): void {
    this.#at(slot).stamp = stamp
  }

  replace(slot: number, held: Tier.MemoryEntry, stamp: Tier.Stamp): void {
    this.#kept[slot] = { ...this.#at(slot), held, stamp }
  }

  forgetStamp(key: string): void {
    const slot = this.find(key)
    if (slot !== 0) this.stamp(slot, { until: 0, checkedAt: -1 })
  }

  put(held: Tier.MemoryEntry, weight: number, stamp: Tier.Stamp, now: number): boolean {
    const { entry, key } = held
    const present = this.peek(key)
    if (present !== undefined && present.entry.version > entry.version) return false
    const isNew = !this.delete(key)
    const fits = weight <= this.bounds.maxWeight && this.bounds.maxEntries >= 1
    if (!fits) this.#onEvicted(key, "refused")
    if (!fits || entry.staleUntil <= now) return false
    this.#slots.set(key, this.#kept.push({ held, weight, stamp, isRead: isNew }) - 1)
    this.shrink(Infinity, now)
    return this.find(key) !== 0
  }

  weigh(): number {
    return 1
  }

  delete(key: string): boolean {
    const slot = this.find(key)
    this.#kept[slot] = undefined
    return this.#slots.delete(key)
  }

  clear(): void {
    this.#slots.clear()
    this.#kept.length = 1
  }

  resize(bounds: Bounds): void {
    this.bounds = bounds
  }

  shrink(limit: number, now: number): boolean {
    for (let left = limit; this.#isOver && left > 0; left--) {
      const all = this.#all()
      const expired = all.find(({ held }) => held.entry.staleUntil <= now)
      const { held } = expired ?? all[0]!
      this.delete(held.key)
      this.#onEvicted(held.key, expired === undefined ? "size" : "expired")
    }
    return this.#isOver
  }

  entries(): ReadonlyArray<Tier.MemoryEntry> {
    return this.#all().map(({ held }) => held)
  }

  hot(limit: number): ReadonlyArray<Tier.MemoryEntry> {
    const read = this.#all().filter(({ isRead }) => isRead)
    return read.slice(0, limit).map(({ held }) => held)
  }

  get #isOver(): boolean {
    return this.size > this.bounds.maxEntries || this.weight > this.bounds.maxWeight
  }

  #at(slot: number): Kept {
    const kept = this.#kept[slot]
    if (kept === undefined) throw new Error(`there is nothing in slot ${slot}`)
    return kept
  }

  #all(): ReadonlyArray<Kept> {
    return this.#kept.filter((kept) => kept !== undefined)
  }
}

export const layer = (bounds: Bounds): Layer.Layer<Tier.Tier> =>
  Layer.succeed(Tier.Tier, {
    kind: "objects",
    name: "first in, first out",
    scope: "process",
    open: ({ onEvicted }) => Effect.sync(() => new FirstInFirstOut(bounds, onEvicted)),
  })
