/** A limit on log lines by topic: a burst of 5, then 1 a second. The next line says how many were left out. */
import type * as Clock from "effect/Clock"
import { monotonicMillis } from "../runtime/monotonic.ts"
import { warningsAtOnce, warningRefillMillis } from "../runtime/limits.ts"

interface Bucket {
  left: number
  filledAt: number
  suppressed: number
}

export class LineLimit {
  readonly #clock: Clock.Clock
  readonly #buckets = new Map<string, Bucket>()

  constructor(clock: Clock.Clock) {
    this.#clock = clock
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
    const now = monotonicMillis(this.#clock)
    const bucket = this.#buckets.get(topic)
    if (bucket === undefined) {
      const full = { left: warningsAtOnce, filledAt: now, suppressed: 0 }
      this.#buckets.set(topic, full)
      return full
    }
    const earned = Math.floor((now - bucket.filledAt) / warningRefillMillis)
    bucket.left = Math.min(warningsAtOnce, bucket.left + earned)
    bucket.filledAt += earned * warningRefillMillis
    return bucket
  }
}
