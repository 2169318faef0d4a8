/** The rest before the next attempt, from a schedule that is replayed: attempts may be in several processes. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"

/** ms after this many attempts; undefined where the schedule is over. */
export const retryDelay = <E>(
  schedule: Schedule.Schedule<unknown, E>,
  attempts: number,
  error: E,
): Effect.Effect<number | undefined> =>
  Effect.gen(function* () {
    const step = yield* Schedule.toStep(schedule)
    let now = 0
    let millis = 0
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const next = yield* Pull.catchDone(step(now, error), () => Effect.undefined)
      if (next === undefined) return undefined
      millis = Duration.toMillis(next[1])
      now += millis
    }
    return millis
  })
