/**
 * Doubly linked lists of slot numbers, newest first. A list's own number marks
 * both of its ends, so that linking needs no case for an empty list.
 */
import { firstSlot, grown } from "./columns.ts"

export class SlotLists {
  /** Two numbers for each slot: its newer neighbour and its older one. */
  #links = new Int32Array(144)
  readonly #most: number

  /** `most`: the highest number of slots. The lists have the numbers 1 to 3. */
  constructor(most: number) {
    this.#most = most
    for (let list = 0; list < firstSlot; list += 1) {
      this.#links[list * 2] = list
      this.#links[list * 2 + 1] = list
    }
  }

  /** The newest slot; the list's own number when the list is empty. */
  newest(list: number): number {
    return this.#links[list * 2 + 1]!
  }

  /** The oldest slot; the list's own number when the list is empty. */
  oldest(list: number): number {
    return this.#links[list * 2]!
  }

  /** The next newer slot; the list's own number after the newest one. */
  newer(slot: number): number {
    return this.#links[slot * 2]!
  }

  /** The next older slot; the list's own number after the oldest one. */
  older(slot: number): number {
    return this.#links[slot * 2 + 1]!
  }

  push(list: number, slot: number): void {
    if (slot * 2 + 1 >= this.#links.length) this.#links = grown(this.#links, this.#most * 2)
    const links = this.#links
    const second = links[list * 2 + 1]!
    links[list * 2 + 1] = slot
    links[slot * 2] = list
    links[slot * 2 + 1] = second
    links[second * 2] = slot
  }

  remove(slot: number): void {
    const links = this.#links
    const newer = links[slot * 2]!
    const older = links[slot * 2 + 1]!
    links[newer * 2 + 1] = older
    links[older * 2] = newer
  }

  renew(list: number, slot: number): void {
    if (this.#links[list * 2 + 1] === slot) return
    this.remove(slot)
    this.push(list, slot)
  }
}
