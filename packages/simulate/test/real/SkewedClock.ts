import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

const nanosPerMilli = 1_000_000n

/** The clock of the system, with a time of day that is ahead by `skew`, ms. */
export class SkewedClock implements Clock.Clock {
  skew: number
  readonly #clock: Clock.Clock

  constructor(clock: Clock.Clock, skew: number) {
    this.#clock = clock
    this.skew = skew
  }

  currentTimeMillisUnsafe(): number {
    return this.#clock.currentTimeMillisUnsafe() + this.skew
  }
  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  currentTimeNanosUnsafe(): bigint {
    return this.#clock.currentTimeNanosUnsafe() + BigInt(this.skew) * nanosPerMilli
  }
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  monotonicTimeNanosUnsafe(): bigint {
    return this.#clock.monotonicTimeNanosUnsafe()
  }
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())
  readonly sleep: Clock.Clock["sleep"] = (duration) => this.#clock.sleep(duration)
}
