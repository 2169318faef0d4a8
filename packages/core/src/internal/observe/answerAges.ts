/**
 * The ages of the values that callers got. Plain hits are sampled: to read the age of each would cost
 * half a hit, since it is beside the entry and not beside the value.
 */
import { Histogram, ages } from "./histogram.ts"
import { hitSteps, type Step } from "./sampling.ts"

export class AnswerAges {
  readonly histogram = new Histogram(ages)
  /** Answers younger than the objective, of the same sample. */
  within = 0
  /** Plain hits until the next sample. */
  left: number
  readonly #youngerThan: number
  readonly #next: Step
  #step: number

  /** `youngerThan`: of the objective, ms; undefined without one. */
  constructor(larder: string, youngerThan = 0) {
    this.#youngerThan = youngerThan
    this.#next = hitSteps(larder)
    this.#step = this.#next()
    this.left = this.#step
  }

  /** Records an age in ms, for `weight` answers. */
  record(millis: number, weight = 1): void {
    this.histogram.record(millis / 1_000, weight)
    if (millis < this.#youngerThan) this.within += weight
  }

  /** Records the age of a plain hit for all hits since the last sample, and begins the next step. */
  sample(millis: number): void {
    this.record(millis, this.#step)
    this.#step = this.#next()
    this.left = this.#step
  }
}
