/** Wakes a reader when the database tells of changes, and when it may have missed such a word. */
import * as Effect from "effect/Effect"
import type * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import { firstRetryMillis, longestRetryMillis } from "../limits.ts"
import type { Listen } from "./options.ts"

/** One connection's time, until it is lost. `connected` is called once it listens. */
const listening = (
  listen: Listen,
  channel: string,
  signal: Latch.Latch,
  connected: () => void,
): Effect.Effect<never, unknown> =>
  Effect.scoped(
    Effect.flatMap(listen(channel), (queue) => {
      connected()
      // Nothing is replayed: what was told before is only in the table.
      const woken = Effect.andThen(signal.open, Queue.take(queue))
      return Effect.forever(woken)
    }),
  )

/** Never ends: a lost connection is opened again. */
export const wakeUps = (
  listen: Listen,
  channel: string,
  signal: Latch.Latch,
): Effect.Effect<never> =>
  Effect.suspend(() => {
    let pause = firstRetryMillis
    const connected = (): void => {
      pause = firstRetryMillis
    }
    const lost = Effect.suspend(() => {
      const millis = pause
      pause = Math.min(2 * pause, longestRetryMillis)
      return Effect.sleep(millis)
    })
    const once = Effect.catchCause(listening(listen, channel, signal, connected), (cause) =>
      Effect.andThen(
        Effect.logDebug(`${channel}: not listening, polling until it does again`, cause),
        lost,
      ),
    )
    return Effect.forever(once)
  })
