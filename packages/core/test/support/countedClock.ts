/** A clock that counts the sleeps on it. */
import { Clock, Effect } from "effect"

export interface Sleeps {
  /** Begun so far. */
  begun: number
  /** Not ended yet. */
  running: number
}

/** The clock of the fiber, watched. */
export const countedClock = Effect.map(Clock.Clock, (clock) => {
  const sleeps: Sleeps = { begun: 0, running: 0 }
  const counted: Clock.Clock = {
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
    currentTimeMillis: clock.currentTimeMillis,
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
    currentTimeNanos: clock.currentTimeNanos,
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          sleeps.begun += 1
          sleeps.running += 1
        }),
        () => clock.sleep(duration),
        () => Effect.sync(() => (sleeps.running -= 1)),
      ),
  }
  return { clock: counted, sleeps }
})
