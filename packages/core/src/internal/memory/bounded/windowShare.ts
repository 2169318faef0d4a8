/**
 * Decides the size of the window, as a share of the cost of all entries, by where
 * the hits were since the last decision.
 */

/** Counts of the requests since the last decision. */
export interface Sample {
  /** Hits in the window, and the cost of its entries. */
  readonly windowHits: number
  readonly windowCost: number
  /** Hits in the main region, and the cost of its entries. */
  readonly mainHits: number
  readonly mainCost: number
  /** Hits of the keys in the sample of the LRU shadow: in this cache, and in the shadow. */
  readonly ownHits: number
  readonly shadowHits: number
}

export const initialShare = 0.01
const least = 0.02
const most = 0.8
/** The bound where LRU has more hits: a cache that is nearly all window is an LRU cache. */
const mostAgainstLru = 0.99
const step = 0.1
const stepTowardsLru = 0.4

/** By about how many standard deviations a plain LRU cache had more hits. */
export const behindLru = ({ ownHits, shadowHits }: Sample): number =>
  (shadowHits - ownHits) / Math.sqrt(shadowHits + 1)

/**
 * Moves the share towards the region with more hits for its cost. Both regions are
 * compared within one sample: between two samples the workload may change, and the
 * hit ratio with it. Where LRU has more hits, the share moves towards LRU, in
 * larger steps.
 */
export const nextShare = (share: number, sample: Sample): number => {
  if (behindLru(sample) > 1) return Math.min(mostAgainstLru, share + stepTowardsLru)
  const window = density(sample.windowHits, sample.windowCost)
  const main = density(sample.mainHits, sample.mainCost)
  if (window + main === 0) return share
  const next = share + (step * (window - main)) / (window + main)
  return Math.min(Math.max(most, share), Math.max(least, next))
}

const density = (hits: number, cost: number): number => (cost > 0 ? hits / cost : 0)
