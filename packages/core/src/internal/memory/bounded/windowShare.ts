/**
 * How large the window is, as a share of all that is kept: decided from time to
 * time by where the hits were. Pure.
 */

/** Of the requests since the last decision. */
export interface Sample {
  /** Hits in the window, and what it costs to keep. */
  readonly windowHits: number
  readonly windowCost: number
  /** Hits in the main region, and what it costs to keep. */
  readonly mainHits: number
  readonly mainCost: number
  /** Hits among the keys of the LRU shadow's sample: here, and in the shadow. */
  readonly ownHits: number
  readonly shadowHits: number
}

export const initialShare = 0.01
const least = 0.02
const most = 0.8
/** Where LRU does better than all else, nearly all is window: that is LRU. */
const mostAgainstLru = 0.99
const step = 0.1
const stepTowardsLru = 0.4

/** By how many standard deviations, or so, a plain LRU cache had more hits. */
export const behindLru = ({ ownHits, shadowHits }: Sample): number =>
  (shadowHits - ownHits) / Math.sqrt(shadowHits + 1)

/**
 * Towards the region with more hits for what it costs. Comparing them within one
 * sample is not fooled by phases, as comparing the hit rates of two samples is.
 * Where LRU has more hits, towards LRU, and faster.
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
