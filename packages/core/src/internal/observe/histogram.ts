/** A histogram as plain counts, which a registry reads on demand. */
import type { HistogramState } from "effect/Metric"

export class Histogram {
  readonly bounds: ReadonlyArray<number>
  /** By bucket, not cumulative; the last one is for values above all bounds. */
  readonly #counts: Array<number>
  #sum = 0
  #min = Infinity
  #max = -Infinity
  /** The state since the last value: most histograms have no new one from one read to the next. */
  #state: HistogramState | undefined

  /** `bounds`: the highest value of each bucket, ascending. */
  constructor(bounds: ReadonlyArray<number>) {
    this.bounds = bounds
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  /** `weight`: the number of values that this one stands for. */
  record(value: number, weight = 1): void {
    let i = 0
    while (i < this.bounds.length && value > this.bounds[i]!) i += 1
    this.#counts[i]! += weight
    this.#sum += value * weight
    this.#min = Math.min(this.#min, value)
    this.#max = Math.max(this.#max, value)
    this.#state = undefined
  }

  /** Adds all that another histogram of the same bounds has. */
  add(other: Histogram): void {
    for (const [i, count] of other.#counts.entries()) this.#counts[i]! += count
    this.#sum += other.#sum
    this.#min = Math.min(this.#min, other.#min)
    this.#max = Math.max(this.#max, other.#max)
    this.#state = undefined
  }

  get count(): number {
    let count = 0
    for (const each of this.#counts) count += each
    return count
  }

  get isEmpty(): boolean {
    return this.#max === -Infinity
  }

  get state(): HistogramState {
    return (this.#state ??= this.#stateNow())
  }

  #stateNow(): HistogramState {
    let count = 0
    const buckets = this.bounds.map((bound, i): [number, number] => {
      count += this.#counts[i]!
      return [bound, count]
    })
    count += this.#counts.at(-1)!
    const { isEmpty } = this
    return {
      buckets,
      count,
      sum: this.#sum,
      min: isEmpty ? 0 : this.#min,
      max: isEmpty ? 0 : this.#max,
    }
  }
}

/** Seconds: the buckets of all durations. */
export const durations: ReadonlyArray<number> = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]
/** Seconds: the buckets of all ages. */
export const ages: ReadonlyArray<number> = [
  1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400,
]
/** Calls: the buckets of the calls that one lookup answers. */
export const callers: ReadonlyArray<number> = [1, 2, 5, 10, 25, 50, 100, 250, 1_000]
