/** Reduces samples to a few figures. */

/** The figures of a set of samples, in their unit. */
export interface Summary {
  readonly samples: number
  readonly median: number
  readonly p99: number
  readonly min: number
}

/** The smallest sample with at least `share` of all samples at or below it (nearest rank). */
export const quantile = (sorted: ReadonlyArray<number>, share: number): number => {
  const sample = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  if (sample === undefined) throw new RangeError("a quantile needs at least one sample")
  return sample
}

export const summary = (samples: ReadonlyArray<number>): Summary => {
  const sorted = samples.toSorted((a, b) => a - b)
  return {
    samples: sorted.length,
    median: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    min: quantile(sorted, 0),
  }
}

/** One library against the baseline; below 1 is faster. */
export interface Comparison {
  /** Ratio of the medians over the samples of all rounds: the one that goals are judged by. */
  readonly ratio: number
  /** Ratio of the fastest samples: those that the machine disturbed least. */
  readonly byMin: number
  /** Lowest and highest ratio of medians among single rounds, whose processes ran next to each other. */
  readonly lowest: number
  readonly highest: number
}

/** Rounds of samples of a library and of the baseline, in the same order. */
export const compare = (
  rounds: ReadonlyArray<ReadonlyArray<number>>,
  baseline: ReadonlyArray<ReadonlyArray<number>>,
): Comparison => {
  const own = summary(rounds.flat())
  const base = summary(baseline.flat())
  const perRound = rounds.map(
    (samples, round) => summary(samples).median / summary(baseline[round]!).median,
  )
  return {
    ratio: own.median / base.median,
    byMin: own.min / base.min,
    lowest: Math.min(...perRound),
    highest: Math.max(...perRound),
  }
}
