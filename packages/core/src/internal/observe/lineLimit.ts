/** A limit on log lines by topic: a burst, then one at intervals. The next line says how many were left out. */
import type * as Clock from "effect/Clock"
import { monotonicMillis } from "../runtime/monotonic.ts"
import { warningsAtOnce, warningRefillMillis } from "../runtime/limits.ts"

interface Bucket {
  left: number
  filledAt: number
  suppressed: number
}

export interface Rate {
  /** Lines at once. */
  readonly atOnce: number
  /** The time until one more line. */
  readonly refillMillis: number
}

const usualRate: Rate = { atOnce: warningsAtOnce, refillMillis: warningRefillMillis }

export class LineLimit {
  readonly #clock: Clock.Clock
  readonly #rate: Rate
  readonly #buckets = new Map<string, Bucket>()

  constructor(clock: Clock.Clock, rate: Rate = usualRate) {
    this.#clock = clock
    this.#rate = rate
  }

  /**
   * Takes a line of a topic. Returns how many were left out since the last one; undefined where this one
   * is left out too. Topics must be bounded by the code.
   */
  take(topic: string): number | undefined {
    const bucket = this.#filled(topic)
    if (bucket.left < 1) {
      bucket.suppressed += 1
      return undefined
    }
    const { suppressed } = bucket
    bucket.left -= 1
    bucket.suppressed = 0
    return suppressed
  }

  #filled(topic: string): Bucket {
    const { atOnce, refillMillis } = this.#rate
    const now = monotonicMillis(this.#clock)
    const bucket = this.#buckets.get(topic)
    if (bucket === undefined) {
      const full = { left: atOnce, filledAt: now, suppressed: 0 }
      this.#buckets.set(topic, full)
      return full
    }
    const earned = Math.floor((now - bucket.filledAt) / refillMillis)
    bucket.left = Math.min(atOnce, bucket.left + earned)
    bucket.filledAt += earned * refillMillis
    return bucket
  }
}
