/**
 * Slots by expiry: a 4-ary heap that knows the place of every slot. Adding the slot
 * that expires last takes one step, every other operation O(log n) steps. A timer
 * wheel takes less on average, but finds expired entries only at its ticks, and
 * moves a million entries at once when they share a tick.
 */
import { grown, none } from "./columns.ts"

const arity = 4

export class ExpiryHeap {
  /** Slots in heap order: the slot that expires first is at 0. */
  #order = new Int32Array(80)
  #size = 0
  /** For each slot, its place in the order plus 1; 0 for a slot that does not expire. */
  #places = new Int32Array(88)
  #ends = new Float64Array(96)
  readonly #most: number

  /** `most`: the highest number of slots. */
  constructor(most: number) {
    this.#most = most
  }

  /** The slot that expires first; `none` when no slot expires. */
  first(): number {
    return this.#size === 0 ? none : this.#order[0]!
  }

  /** Whether `first` has expired. */
  hasEnded(now: number): boolean {
    return this.#size > 0 && this.#ends[this.#order[0]!]! <= now
  }

  /** `Infinity` for a slot that does not expire. */
  endOf(slot: number): number {
    return this.#contains(slot) ? this.#ends[slot]! : Infinity
  }

  /** Sets or changes the time at which a slot expires. */
  set(slot: number, end: number): void {
    if (end === Infinity) return this.remove(slot)
    while (slot >= this.#places.length) this.#places = grown(this.#places, this.#most)
    while (slot >= this.#ends.length) this.#ends = grown(this.#ends, this.#most)
    this.#ends[slot] = end
    const place = this.#places[slot]! - 1
    if (place >= 0) return this.#settle(slot, place)
    if (this.#size === this.#order.length) this.#order = grown(this.#order, this.#most)
    this.#size += 1
    return this.#rise(slot, this.#size - 1)
  }

  remove(slot: number): void {
    if (!this.#contains(slot)) return
    const place = this.#places[slot]! - 1
    this.#places[slot] = 0
    this.#size -= 1
    const last = this.#order[this.#size]!
    if (last !== slot) this.#settle(last, place)
  }

  #contains(slot: number): boolean {
    return this.#size > 0 && slot < this.#places.length && this.#places[slot]! > 0
  }

  #settle(slot: number, place: number): void {
    const parent = this.#order[Math.floor((place - 1) / arity)]
    const rises = place > 0 && this.#ends[slot]! < this.#ends[parent!]!
    if (rises) this.#rise(slot, place)
    else this.#sink(slot, place)
  }

  #rise(slot: number, from: number): void {
    const ends = this.#ends
    const end = ends[slot]!
    let place = from
    while (place > 0) {
      const above = Math.floor((place - 1) / arity)
      const parent = this.#order[above]!
      if (ends[parent]! <= end) break
      this.#put(parent, place)
      place = above
    }
    this.#put(slot, place)
  }

  #sink(slot: number, from: number): void {
    const ends = this.#ends
    const order = this.#order
    const end = ends[slot]!
    let place = from
    for (;;) {
      const below = place * arity + 1
      const beyond = Math.min(below + arity, this.#size)
      let least = -1
      let leastEnd = end
      for (let child = below; child < beyond; child += 1) {
        const childEnd = ends[order[child]!]!
        if (childEnd < leastEnd) {
          least = child
          leastEnd = childEnd
        }
      }
      if (least < 0) break
      this.#put(order[least]!, place)
      place = least
    }
    this.#put(slot, place)
  }

  #put(slot: number, place: number): void {
    this.#order[place] = slot
    this.#places[slot] = place + 1
  }
}
