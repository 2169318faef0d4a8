/**
 * A bounded map beside a naive one. The map chooses what it evicts; the naive one
 * fails when an eviction was not allowed, was missing, or was not reported.
 */
import {
  type Bounds,
  type BoundedMap,
  type Cause,
  make,
  type Options,
} from "../../src/BoundedMap.ts"

interface Kept {
  readonly value: number
  readonly weight: number
  readonly expiresAt: number
}

/** The write during which evictions are reported. */
interface Written {
  readonly key: string
  readonly value: number
  /** The key was there before, so it must stay. */
  readonly isAnew: boolean
  readonly fits: boolean
}

const expiredPerWrite = 8
const shrunkPerWrite = 64

const must = (isSo: boolean, what: string): void => {
  if (!isSo) throw new Error(what)
}

export class Watched {
  readonly map: BoundedMap<number>
  /** The entries, least recently used first. */
  readonly #kept = new Map<string, Kept>()
  readonly #isLru: boolean
  /** Whether the map is small enough to check all entries at every eviction. */
  readonly #isSmall: boolean
  #bounds: Bounds
  #weight = 0
  #now: number | undefined
  #written: Written | undefined
  #lastValue = 0
  #evicted = 0
  #expired = 0

  constructor(options: Options<number> & Bounds, isSmall: boolean) {
    const { maxEntries, maxWeight } = options
    this.#bounds = { maxEntries, maxWeight }
    this.#isLru = options.eviction === "lru"
    this.#isSmall = isSmall
    this.map = make<number>({
      ...options,
      onEvicted: (key, value, cause) => this.#onEvicted(key, value, cause),
    })
  }

  get(key: string, now: number): void {
    const kept = this.#kept.get(key)
    const expected = kept === undefined || kept.expiresAt <= now ? undefined : kept.value
    must(this.map.get(key, now) === expected, "get gives another value")
    if (kept !== undefined && expected !== undefined) this.#renew(key, kept)
  }

  hit(key: string): void {
    const kept = this.#kept.get(key)
    const slot = this.map.find(key)
    must(slot === 0 ? kept === undefined : this.map.at(slot) === kept?.value, "find is wrong")
    if (kept === undefined) return
    this.map.hit(slot)
    this.#renew(key, kept)
  }

  set(key: string, weight: number, expiresAt: number, now: number): void {
    const before = this.#kept.get(key)
    const { maxEntries, maxWeight } = this.#bounds
    const fits = maxEntries > 0 && weight <= maxWeight
    const value = (this.#lastValue += 1)
    const stays = fits && expiresAt > now
    if (before !== undefined) this.#weight -= before.weight
    if (stays) {
      // A write is no read: a replaced entry keeps its place.
      this.#kept.set(key, { value, weight, expiresAt })
      this.#weight += weight
    } else this.#kept.delete(key)
    this.#written = { key, value, isAnew: before !== undefined, fits }
    const wasKept = this.#changing(now, () => this.map.set(key, value, { weight, expiresAt, now }))
    this.#written = undefined
    must(wasKept === (this.#kept.get(key)?.value === value), "set says the wrong thing")
    if (!fits) must(this.#evicted === 1, "a refusal is reported once, and disturbs nothing")
    else if (!stays) must(this.#evicted === 0, "what has expired already disturbs nothing")
    else this.#madeRoom(now)
  }

  delete(key: string): void {
    const before = this.#kept.get(key)
    this.#kept.delete(key)
    this.#weight -= before?.weight ?? 0
    const wasThere = this.#changing(undefined, () => this.map.delete(key))
    must(wasThere === (before !== undefined) && this.#evicted === 0, "delete says the wrong thing")
  }

  clear(): void {
    this.#kept.clear()
    this.#weight = 0
    this.#changing(undefined, () => this.map.clear())
    must(this.#evicted === 0, "clear reports nothing")
  }

  resize(bounds: Bounds): void {
    this.#bounds = bounds
    this.#changing(undefined, () => this.map.resize(bounds))
    must(this.#evicted === 0, "resize gives nothing up by itself")
    const { maxEntries, maxWeight } = this.map.bounds
    must(maxEntries === bounds.maxEntries && maxWeight === bounds.maxWeight, "other bounds")
  }

  shrink(limit: number): void {
    const isOver = this.#changing(undefined, () => this.map.shrink(limit))
    must(isOver === this.#isOver(), "shrink says the wrong thing")
    must(isOver ? this.#evicted === limit : this.#evicted <= limit, "shrink gives up so many")
  }

  expire(now: number, limit: number): void {
    const hasMore = this.#changing(now, () => this.map.expire(now, limit))
    must(this.#evicted === this.#expired && this.#expired <= limit, "expire expires")
    must(!hasMore || this.#expired === limit, "expire gives up so many")
    must(hasMore === this.map.nextExpiry <= now, "expire says the wrong thing")
  }

  /** Compares both maps; `keys` are all keys that either may have. */
  compare(keys: ReadonlyArray<string>): void {
    for (const key of keys) {
      const slot = this.map.find(key)
      const value = slot === 0 ? undefined : this.map.at(slot)
      must(value === this.#kept.get(key)?.value, "other contents")
    }
    must(this.map.nextExpiry === this.#nextExpiry(), "another next expiry")
    const hottest = [...this.map.hottest()].map((slot) => this.map.at(slot))
    const kept = [...this.#kept.values()].map(({ value }) => value).toReversed()
    const order = this.#isLru ? hottest : hottest.toSorted((a, b) => b - a)
    const expected = this.#isLru ? kept : kept.toSorted((a, b) => b - a)
    must(order.length === expected.length, "hottest are all")
    must(
      order.every((value, i) => value === expected[i]),
      "hottest are these",
    )
  }

  #renew(key: string, kept: Kept): void {
    this.#kept.delete(key)
    this.#kept.set(key, kept)
  }

  #isOver(): boolean {
    return this.#kept.size > this.#bounds.maxEntries || this.#weight > this.#bounds.maxWeight
  }

  #nextExpiry(): number {
    let next = Infinity
    for (const { expiresAt } of this.#kept.values()) next = Math.min(next, expiresAt)
    return next
  }

  /** Runs an operation, and checks that the map does not exceed its bounds by more than before. */
  #changing<A>(now: number | undefined, change: () => A): A {
    const { size, weight } = this.map
    this.#now = now
    this.#evicted = 0
    this.#expired = 0
    const result = change()
    must(this.map.size === this.#kept.size, "another size")
    must(this.map.weight === this.#weight, "another weight")
    must(this.#kept.size <= Math.max(this.#bounds.maxEntries, size), "more entries than allowed")
    must(this.#weight <= Math.max(this.#bounds.maxWeight, weight), "more weight than allowed")
    return result
  }

  #madeRoom(now: number): void {
    must(!this.#isOver() || this.#evicted >= shrunkPerWrite, "lowered bounds are not approached")
    must(this.#expired >= expiredPerWrite || this.map.nextExpiry > now, "expired ones pile up")
  }

  #onEvicted(key: string, value: number, cause: Cause): void {
    this.#evicted += 1
    if (cause === "refused") {
      const { fits, ...written } = this.#written!
      return must(!fits && written.key === key && written.value === value, "refuses wrongly")
    }
    const kept = this.#kept.get(key)
    if (kept?.value !== value) throw new Error("gives up what is not there")
    if (cause === "expired") this.#checkExpired(kept)
    else this.#checkVictim(key, cause)
    this.#kept.delete(key)
    this.#weight -= kept.weight
  }

  #checkExpired({ expiresAt }: Kept): void {
    this.#expired += 1
    must(expiresAt <= this.#now!, "has not expired")
    if (this.#isSmall) must(expiresAt === this.#nextExpiry(), "expires another first")
  }

  #checkVictim(key: string, cause: "size" | "weight"): void {
    const { maxEntries, maxWeight } = this.#bounds
    const isDue = cause === "size" ? this.#kept.size > maxEntries : this.#weight > maxWeight
    must(isDue, "gives up more than it has to")
    const next = this.#isSmall ? this.#nextExpiry() : this.map.nextExpiry
    must(this.#now === undefined || next > this.#now, "gives up a victim before what has expired")
    const spared = this.#written?.isAnew === true ? this.#written.key : undefined
    must(key !== spared, "gives up what was just written anew")
    if (!this.#isLru) return
    for (const oldest of this.#kept.keys()) {
      if (oldest === spared) continue
      return must(key === oldest, "gives up another than was read longest ago")
    }
  }
}
