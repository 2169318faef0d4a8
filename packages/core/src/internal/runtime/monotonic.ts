/** Time that never steps back, for how long something takes; not comparable with the time of day. */
import type * as Clock from "effect/Clock"

/** Milliseconds since some moment. */
export const monotonicMillis = (clock: Clock.Clock): number =>
  Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
