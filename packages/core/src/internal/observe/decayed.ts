/** Mean and deviation of a figure, in which the past weighs less the longer ago it is. */

/** What a figure has been so far. */
export interface Decayed {
  /** Seconds that were fed, less what they have lost by their age. */
  readonly weight: number
  /** Samples that were fed. */
  readonly samples: number
  readonly mean: number
  readonly variance: number
}

export const nothing: Decayed = { weight: 0, samples: 0, mean: 0, variance: 0 }

/**
 * The figure after some seconds in which it had a value, or none. A sample weighs its seconds, and loses
 * all but 1/e of its weight in `window` seconds. The first samples weigh the whole: there is no start value
 * that would have to wear off.
 */
export const after = (
  before: Decayed,
  value: number | undefined,
  seconds: number,
  window: number,
): Decayed => {
  const kept = before.weight * Math.exp(-seconds / window)
  if (value === undefined) return { ...before, weight: kept }
  const weight = kept + seconds
  const share = seconds / weight
  const from = value - before.mean
  return {
    weight,
    samples: before.samples + 1,
    mean: before.mean + share * from,
    variance: (1 - share) * (before.variance + share * from * from),
  }
}

export const deviationOf = ({ variance }: Decayed): number => Math.sqrt(variance)
