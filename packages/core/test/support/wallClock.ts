/** A clock whose time of day can be set, or stopped, while monotonic time runs on; and which goes on while nothing can run. */
import { type Clock, Effect } from "effect"

export interface WallClock {
  readonly clock: Clock.Clock
  /** Sets the time of day by so many milliseconds, back where negative. */
  readonly step: (millis: number) => void
  /** Stops the time of day. */
  readonly stop: () => void
  /** Time goes on by so many milliseconds without anything that sleeps being woken, as where the event loop is blocked. */
  readonly block: (millis: number) => void
  /** The clock as a process that starts now finds it: the same time of day, and nothing of before. */
  readonly again: () => Clock.Clock
}

export const wallClock: Effect.Effect<WallClock> = Effect.map(
  Effect.clockWith(Effect.succeed),
  (clock) => {
    let offset = 0
    let blocked = 0
    let stopped: number | undefined
    const millis = () => stopped ?? clock.currentTimeMillisUnsafe() + blocked + offset
    const nanos = () => BigInt(Math.floor(millis())) * 1_000_000n
    const monotonic = () => clock.monotonicTimeNanosUnsafe() + BigInt(blocked) * 1_000_000n
    const again = (): Clock.Clock => ({
      currentTimeMillisUnsafe: millis,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: monotonic,
      monotonicTimeNanos: Effect.sync(monotonic),
      sleep: (duration) => clock.sleep(duration),
    })
    return {
      clock: again(),
      again,
      step: (by) => {
        offset += by
      },
      block: (by) => {
        blocked += by
      },
      stop: () => {
        stopped = millis()
      },
    }
  },
)
