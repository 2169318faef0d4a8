import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { RedisServerError } from "./redisError.ts"

/** A process lives in real time, also where the test that started it has a clock of its own. */
export const inRealTime = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, Clock.Clock, Clock.Clock.defaultValue())

/** Asks until the answer is yes. An error counts as no; after the bound it is in the error. */
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
      detail: `not within ${seconds} seconds: ${what}`,
      log: last,
    })
  }).pipe(inRealTime)
