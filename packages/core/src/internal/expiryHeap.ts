/**
 * What ends first: a binary heap over `staleUntil` in which every slot knows its
 * place, so that removing or moving one costs O(log n) and no timer is needed.
 */
import type { Slot } from "./objectStore.ts"

const nowhere = -1

export class ExpiryHeap {
  readonly #slots: Array<Slot> = []

  first(): Slot | undefined {
    return this.#slots[0]
  }

  add(slot: Slot): void {
    this.#slots.push(slot)
    this.#rise(slot, this.#slots.length - 1)
  }

  remove(slot: Slot): void {
    const index = slot.heapIndex
    if (index === nowhere) return
    slot.heapIndex = nowhere
    const last = this.#slots.pop()
    if (last === undefined || last === slot) return
    this.#place(last, index)
  }

  /** After the slot's end has changed. */
  moved(slot: Slot): void {
    if (slot.heapIndex === nowhere) this.add(slot)
    else this.#place(slot, slot.heapIndex)
  }

  #place(slot: Slot, index: number): void {
    const parent = this.#slots[(index - 1) >> 1]
    if (index > 0 && parent !== undefined && ends(slot) < ends(parent)) this.#rise(slot, index)
    else this.#sink(slot, index)
  }

  #rise(slot: Slot, from: number): void {
    let index = from
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = this.#slots[parentIndex]!
      if (ends(parent) <= ends(slot)) break
      this.#set(parent, index)
      index = parentIndex
    }
    this.#set(slot, index)
  }

  #sink(slot: Slot, from: number): void {
    let index = from
    for (;;) {
      const left = 2 * index + 1
      if (left >= this.#slots.length) break
      const right = left + 1
      const child =
        right < this.#slots.length && ends(this.#slots[right]!) < ends(this.#slots[left]!)
          ? right
          : left
      if (ends(this.#slots[child]!) >= ends(slot)) break
      this.#set(this.#slots[child]!, index)
      index = child
    }
    this.#set(slot, index)
  }

  #set(slot: Slot, index: number): void {
    this.#slots[index] = slot
    slot.heapIndex = index
  }
}

const ends = (slot: Slot): number => slot.entry.staleUntil
