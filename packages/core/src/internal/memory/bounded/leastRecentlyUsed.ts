/** Evicts the least recently used entry. */
import { none } from "./columns.ts"
import type { EvictionPolicy } from "./evictionPolicy.ts"
import { SlotLists } from "./slotLists.ts"

const list = 1

export class LeastRecentlyUsed implements EvictionPolicy {
  readonly #slots: SlotLists

  /** `most`: the highest number of slots. */
  constructor(most: number) {
    this.#slots = new SlotLists(most)
  }

  added(slot: number): void {
    this.#slots.push(list, slot)
  }

  hit(slot: number): void {
    this.#slots.renew(list, slot)
  }

  reweighed(): void {}

  removed(slot: number): void {
    this.#slots.remove(slot)
  }

  victim(spared: number): number {
    const oldest = this.#slots.oldest(list)
    const victim = oldest === spared ? this.#slots.newer(oldest) : oldest
    return victim === list ? none : victim
  }

  /** It keeps nothing about keys that left. */
  remembers(): boolean {
    return false
  }

  *hottest(): Iterable<number> {
    for (let slot = this.#slots.newest(list); slot !== list; slot = this.#slots.older(slot)) {
      yield slot
    }
  }
}
