import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { RedisServerError } from "./redisError.ts"

/** Runs in real time, also in a test with a clock of its own: processes live in real time. */
export const inRealTime = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, Clock.Clock, Clock.Clock.defaultValue())

/**
 * Polls until the answer is true. An error counts as false; the timeout error carries the last one.
 */
export const eventually = <R>(
  what: string,
  ask: Effect.Effect<boolean, RedisServerError, R>,
  seconds = 15,
): Effect.Effect<void, RedisServerError, R> =>
  Effect.gen(function* () {
    const deadline = (yield* Clock.currentTimeMillis) + seconds * 1000
    let last = ""
    while ((yield* Clock.currentTimeMillis) < deadline) {
      const answer = yield* Effect.result(ask)
      if (answer._tag === "Success" && answer.success) return
      if (answer._tag === "Failure") last = answer.failure.message
      yield* Effect.sleep("15 millis")
    }
    return yield* new RedisServerError({
      reason: "TooSlow",
      detail: `still not true after ${seconds} seconds: ${what}`,
      log: last,
    })
  }).pipe(inRealTime)
