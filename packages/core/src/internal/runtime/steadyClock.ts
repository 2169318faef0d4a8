/**
 * A time of day that never steps back. Every time that a process keeps (ends of
 * lives, remembered failures, caps, leases) is measured by it, so that none of
 * them lasts longer than its duration of monotonic time.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { monotonicMillis } from "./monotonic.ts"
import { forBackground, systemClock } from "./processLife.ts"

/**
 * Readings of the system clock within one of its milliseconds that share one
 * reading of monotonic time, which takes several times as long and makes garbage.
 */
const readingsPerMilli = 64

const nanosPerMilli = 1_000_000n

/**
 * The given clock, but for its time of day: monotonic time plus the most that
 * the given time of day was ever ahead of it. A step forward is followed at once;
 * a step back is not, nor a time of day that stands still.
 */
export class SteadyClock implements Clock.Clock {
  readonly #clock: Clock.Clock
  /** Whether it is Effect's own, in real time. */
  readonly isSystem: boolean
  /** Readings that share one of monotonic time: none but the system clock is known to be so fine. */
  readonly #shared: number
  #ahead = -Infinity
  #now = -Infinity
  /** The given time of day that `#now` was made of. */
  #wall = Number.NaN
  /** Whether `#now` is the given time of day. */
  #follows = true
  /** Readings that may still be answered with `#now`. */
  #left = 0

  constructor(clock: Clock.Clock) {
    this.#clock = clock
    this.isSystem = clock === systemClock
    this.#shared = this.isSystem ? readingsPerMilli : 0
  }

  currentTimeMillisUnsafe(): number {
    const wall = this.#clock.currentTimeMillisUnsafe()
    if (wall !== this.#wall || this.#left === 0) return this.#read(wall)
    this.#left -= 1
    // The number just read, where it is right: a field's would be a new object for each hit.
    return this.#follows ? wall : this.#now
  }

  #read(wall: number): number {
    // After the time of day: a pause between the two makes it seem less ahead, never more.
    const monotonic = monotonicMillis(this.#clock)
    const ahead = wall - monotonic
    if (ahead > this.#ahead) this.#ahead = ahead
    this.#now = Math.floor(monotonic + this.#ahead)
    this.#wall = wall
    this.#follows = this.#now === wall
    this.#left = this.#shared
    return this.#follows ? wall : this.#now
  }

  /** For how many milliseconds the given time of day has been set back: 0 unless it was. */
  behindUnsafe(): number {
    const now = this.currentTimeMillisUnsafe()
    // Before the time of day: a pause between the two must not look like a step back.
    return Math.max(0, now - this.#clock.currentTimeMillisUnsafe())
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
 * One for each clock, so that larders, tiers and breakers of one process agree,
 * whichever was there before the clock was set back.
 */
export const steadyOf = (clock: Clock.Clock): SteadyClock => {
  if (clock instanceof SteadyClock) return clock
  const found = known.get(clock)
  if (found !== undefined) return found
  const made = new SteadyClock(clock)
  known.set(clock, made)
  return made
}

/** That of the clock of where it is asked for. */
export const steadyClock: Effect.Effect<SteadyClock> = Effect.map(Clock.Clock, steadyOf)
