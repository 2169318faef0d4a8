/**
 * Warnings of one larder, rate-limited by topic: a burst of 5, then 1 a second. The next line says how
 * many were suppressed. No line shows a key, a value or a secret.
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { monotonicMillis } from "../runtime/monotonic.ts"
import { warningRefillMillis, warningsAtOnce } from "../runtime/limits.ts"

interface Bucket {
  left: number
  filledAt: number
  suppressed: number
}

export class Warnings {
  readonly #larder: string
  readonly #clock: Clock.Clock
  readonly #context: Context.Context<never>
  readonly #buckets = new Map<string, Bucket>()

  constructor(larder: string, clock: Clock.Clock, context: Context.Context<never>) {
    this.#larder = larder
    this.#clock = clock
    this.#context = context
  }

  /** Logs a warning unless its topic had too many recently. Topics must be bounded by the code. */
  warn(topic: string, text: string): void {
    const bucket = this.#filled(topic)
    if (bucket.left < 1) {
      bucket.suppressed += 1
      return
    }
    const { suppressed } = bucket
    bucket.left -= 1
    bucket.suppressed = 0
    const line = Effect.logWarning(`${this.#larder}: ${text}`)
    const annotations = { larder: this.#larder, ...(suppressed > 0 ? { suppressed } : undefined) }
    Effect.runForkWith(this.#context)(Effect.annotateLogs(line, annotations))
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
