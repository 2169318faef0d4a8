/** The seam between what a bounded map keeps and what it gives up first. */

/** What a policy may ask the map. */
export interface Kept {
  readonly hashOf: (slot: number) => number
  readonly weightOf: (slot: number) => number
  readonly size: () => number
  /** The share of the bounds that so many entries of such a weight together take. */
  readonly costOf: (entries: number, weight: number) => number
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
