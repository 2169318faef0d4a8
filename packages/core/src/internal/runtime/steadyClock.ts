/**
 * A time of day that never steps back. All stored times (TTLs, remembered failures, caps, leases) use
 * it, so that none lasts longer than its duration in monotonic time.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { monotonicMillis } from "./monotonic.ts"
import { forBackground, systemClock } from "./processLife.ts"

/**
 * Readings of the system clock within one millisecond that share one reading of monotonic time, which
 * takes several times as long and allocates.
 */
const readingsPerMilli = 64

const nanosPerMilli = 1_000_000n

/** A difference of two moments that a number keeps for thousands of years. */
const leastMillis = 1 / 1_024

/**
 * The given clock with another time of day: monotonic time plus the largest lead that the given time
 * of day ever had over it. Follows a step forward at once; ignores a step back, and a time of day that
 * stands still.
 */
export class SteadyClock implements Clock.Clock {
  readonly #clock: Clock.Clock
  /** Whether the given clock is Effect's own, in real time. */
  readonly isSystem: boolean
  /** Readings that share one of monotonic time: 0 for other clocks, which may be coarser. */
  readonly #shared: number
  #ahead = -Infinity
  #now = -Infinity
  /** The given time of day at the last reading of monotonic time. */
  #wall = Number.NaN
  /** Whether `#now` is the given time of day. */
  #follows = true
  /** Readings that may still be answered with `#now`. */
  #left = 0
  #moment = -Infinity

  constructor(clock: Clock.Clock) {
    this.#clock = clock
    this.isSystem = clock === systemClock
    this.#shared = this.isSystem ? readingsPerMilli : 0
  }

  currentTimeMillisUnsafe(): number {
    const wall = this.#clock.currentTimeMillisUnsafe()
    if (wall !== this.#wall || this.#left === 0) return this.#read(wall)
    this.#left -= 1
    // The number just read, if equal: reading a field would allocate for each hit.
    return this.#follows ? wall : this.#now
  }

  #read(wall: number): number {
    // Read after the time of day: a pause in between makes the lead smaller, never larger.
    const monotonic = monotonicMillis(this.#clock)
    const ahead = wall - monotonic
    if (ahead > this.#ahead) this.#ahead = ahead
    this.#now = Math.floor(monotonic + this.#ahead)
    this.#wall = wall
    this.#follows = this.#now === wall
    this.#left = this.#shared
    return this.#follows ? wall : this.#now
  }

  /** By how many milliseconds the given time of day was set back; 0 if it was not. */
  behindUnsafe(): number {
    const now = this.currentTimeMillisUnsafe()
    // Read before the time of day: a pause in between must not look like a step back.
    return Math.max(0, now - this.#clock.currentTimeMillisUnsafe())
  }

  /**
   * Monotonic time in ms, later than every earlier moment, also where the clock stands still: orders
   * checked reads and requests to the arbiter.
   */
  moment(): number {
    this.#moment = Math.max(monotonicMillis(this.#clock), this.#moment + leastMillis)
    return this.#moment
  }

  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())

  currentTimeNanosUnsafe(): bigint {
    return BigInt(this.currentTimeMillisUnsafe()) * nanosPerMilli
  }

  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())

  monotonicTimeNanosUnsafe(): bigint {
    return this.#clock.monotonicTimeNanosUnsafe()
  }

  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  sleep: Clock.Clock["sleep"] = (duration) => this.#clock.sleep(duration)

  /** Sleeps without keeping the process alive, for work that no caller waits for. */
  pause: Clock.Clock["sleep"] = (duration) => forBackground(this.#clock).sleep(duration)
}

const known = new WeakMap<Clock.Clock, SteadyClock>()

/**
 * One steady clock for each clock, so that all larders, tiers and breakers of a process agree, also
 * those made after the clock was set back.
 */
export const steadyOf = (clock: Clock.Clock): SteadyClock => {
  if (clock instanceof SteadyClock) return clock
  const found = known.get(clock)
  if (found !== undefined) return found
  const made = new SteadyClock(clock)
  known.set(clock, made)
  return made
}

/** The steady clock of the current fiber's clock. */
export const steadyClock: Effect.Effect<SteadyClock> = Effect.map(Clock.Clock, steadyOf)
