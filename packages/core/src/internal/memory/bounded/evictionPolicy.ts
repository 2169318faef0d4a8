/** The seam between what a bounded map keeps and what it gives up first. */

/** What a policy may ask the map. */
export interface Kept {
  readonly hashOf: (slot: number) => number
  readonly weightOf: (slot: number) => number
}

/**
 * What keeping costs, as a share of the bounds: of an entry, and of each unit of
 * weight. 0 where there is no bound. Plain numbers, since a number with a fraction
 * that a function gives back may be garbage.
 */
export interface Costs {
  perEntry: number
  perWeight: number
}

export interface EvictionPolicy {
  /** A key that was looked up, missed and kept. */
  readonly added: (slot: number) => void
  /** A read. A refresh of a kept key is no read and is not reported. */
  readonly hit: (slot: number) => void
  /** Before the weight of a kept slot changes by so much. */
  readonly reweighed: (slot: number, by: number) => void
  /** Before a slot goes. Not by this policy's choice where it `wasTaken`. */
  readonly removed: (slot: number, wasTaken: boolean) => void
  /** What to give up next, other than `spared`; `none` when nothing else is kept. */
  readonly victim: (spared: number) => number
  /** From what is most worth keeping to what is least. */
  readonly hottest: () => Iterable<number>
}
