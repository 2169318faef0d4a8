/** The seam between what a memory store keeps and what it gives up first. */
import type { Slot } from "./objectStore.ts"

export interface EvictionPolicy {
  readonly added: (slot: Slot) => void
  /** A read. A refresh of a kept key is no read and is not reported. */
  readonly hit: (slot: Slot) => void
  readonly removed: (slot: Slot) => void
  /** What to give up next, other than `spared`; undefined when nothing else is kept. */
  readonly victim: (spared: Slot | undefined) => Slot | undefined
  /** From the most to the least recently read. */
  readonly recent: () => Iterable<Slot>
}

/**
 * Least recently used: an intrusive list, so that a hit moves four links and
 * allocates nothing.
 */
export const lru = (): EvictionPolicy => {
  let newest: Slot | undefined
  let oldest: Slot | undefined

  const unlink = (slot: Slot) => {
    if (slot.newer === undefined) newest = slot.older
    else slot.newer.older = slot.older
    if (slot.older === undefined) oldest = slot.newer
    else slot.older.newer = slot.newer
    slot.newer = undefined
    slot.older = undefined
  }
  const linkNewest = (slot: Slot) => {
    slot.older = newest
    if (newest === undefined) oldest = slot
    else newest.newer = slot
    newest = slot
  }

  return {
    added: linkNewest,
    hit: (slot) => {
      if (slot === newest) return
      unlink(slot)
      linkNewest(slot)
    },
    removed: unlink,
    victim: (spared) => (oldest === spared ? oldest?.newer : oldest),
    *recent() {
      for (let slot = newest; slot !== undefined; slot = slot.older) yield slot
    },
  }
}
