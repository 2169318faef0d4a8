/** The interface between a bounded map and the policy that chooses what it evicts. */

/** The properties of slots that a policy may read from the map. */
export interface Kept {
  readonly hashOf: (slot: number) => number
  readonly weightOf: (slot: number) => number
}

/**
 * The cost of an entry and of a unit of weight, as a share of the bounds: 1 divided
 * by the bound, and 0 without a bound. Fields and not a function: V8 may allocate
 * a number with a fraction that a function returns.
 */
export interface Costs {
  perEntry: number
  perWeight: number
}

export interface EvictionPolicy {
  /** The map has stored a new key. */
  readonly added: (slot: number) => void
  /** A caller has read the slot. A refresh of a stored key is not reported: it is no read. */
  readonly hit: (slot: number) => void
  /** The map is about to change the weight of a slot by this much. */
  readonly reweighed: (slot: number, by: number) => void
  /** The map is about to remove a slot. `wasTaken`: deleted or expired, not evicted as this policy's victim. */
  readonly removed: (slot: number, wasTaken: boolean) => void
  /** The slot to evict next, other than `spared`; `none` when there is no other. */
  readonly victim: (spared: number) => number
  /** Whether a key with this hash was requested lately, as far as the policy remembers keys that left. */
  readonly remembers: (hash: number) => boolean
  /** All slots, the one most worth keeping first. */
  readonly hottest: () => Iterable<number>
}
