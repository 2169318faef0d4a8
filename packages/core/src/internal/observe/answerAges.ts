/**
 * The ages of the values that callers got. Plain hits are sampled: to read the age of each would cost
 * half a hit, since it is beside the entry and not beside the value.
 *
 * The steps between two samples are random, since a fixed step would follow loops in the traffic. They
 * are drawn by a generator of this module alone: law 21, measuring draws nothing of the larder's `Random`.
 */
import * as Hash from "effect/Hash"
import { longestSampleStep } from "../runtime/limits.ts"
import { Histogram, ages } from "./histogram.ts"

export class AnswerAges {
  readonly histogram = new Histogram(ages)
  /** Answers younger than the objective, of the same sample. */
  within = 0
  /** Plain hits until the next sample. */
  left: number
  readonly #youngerThan: number
  #state: number
  #step: number

  /** `youngerThan`: of the objective, ms; undefined without one. */
  constructor(larder: string, youngerThan = 0) {
    this.#youngerThan = youngerThan
    this.#state = Hash.string(larder)
    this.#step = this.#draw()
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
    this.#step = this.#draw()
    this.left = this.#step
  }

  /** A step from 1 on, by a linear congruential generator, whose high bits are the better ones. */
  #draw(): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) | 0
    return 1 + ((this.#state >>> 8) % longestSampleStep)
  }
}
