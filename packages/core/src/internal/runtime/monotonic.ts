/** Monotonic time, for durations; not comparable with the time of day. */
import type * as Clock from "effect/Clock"

/** Milliseconds since some moment. */
export const monotonicMillis = (clock: Clock.Clock): number =>
  Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
