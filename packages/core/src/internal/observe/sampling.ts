/**
 * Samples of the traffic. Their generators are seeded by a text: law 21, code that only observes draws
 * nothing of the larder's `Random`. Steps between samples are random, since a fixed step would follow
 * loops in the traffic.
 */
import * as Effect from "effect/Effect"
import * as Hash from "effect/Hash"
import * as Random from "effect/Random"
import { longestHitStep } from "../runtime/limits.ts"

/** The number of events from one sample to the next, itself included. */
export type Step = () => number

const generatorOf = (seed: string): Random.Random =>
  Effect.runSync(Random.withSeed(Random.Random, seed))

/**
 * One of 64 on average: steps from 1 to 127, each equally likely. By a linear congruential generator, which
 * every larder can afford; its high bits are the better ones.
 */
export const hitSteps = (seed: string): Step => {
  let state = Hash.string(seed)
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return 1 + ((state >>> 8) % longestHitStep)
  }
}

/** A share of all events, each taken independently of the others. `share` is above 0 and at most 1. */
export const shareSteps = (seed: string, share: number): Step => {
  const random = generatorOf(seed)
  const left = Math.log(1 - share)
  return () => 1 + Math.floor(Math.log(1 - random.nextDoubleUnsafe()) / left)
}

export class Sampler {
  readonly #next: Step
  #step: number
  #left: number

  constructor(next: Step) {
    this.#next = next
    this.#step = next()
    this.#left = this.#step
  }

  /** Counts one event. Returns how many a sample stands for, all since the last one; 0 for no sample. */
  take(): number {
    this.#left -= 1
    if (this.#left > 0) return 0
    const taken = this.#step
    this.#step = this.#next()
    this.#left = this.#step
    return taken
  }
}
