/** A confidence interval for a share in a sample. */

export interface Interval {
  readonly low: number
  readonly high: number
}

/** The 97.5 % quantile of the standard normal distribution. */
const z = 1.959964

/** Wilson's score interval at 95 % for the share of `successes` among `trials`. */
export const wilson = (successes: number, trials: number): Interval => {
  if (trials === 0) return { low: 0, high: 1 }
  const share = successes / trials
  const spread = z ** 2 / trials
  const centre = share + spread / 2
  const margin = z * Math.sqrt((share * (1 - share)) / trials + spread / (4 * trials))
  return {
    low: Math.max(0, (centre - margin) / (1 + spread)),
    high: Math.min(1, (centre + margin) / (1 + spread)),
  }
}
