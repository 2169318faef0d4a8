import * as RedisClient from "../../src/RedisClient.ts"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

/** Short times, so that what takes one of them does not take long. */
export const times = {
  commandTimeout: "250 millis",
  connectTimeout: "500 millis",
  reconnect: { base: "20 millis", max: "200 millis" },
  heartbeat: "250 millis",
} as const

const quiet = Logger.layer([])

/** A client in the scope of the test, without its log lines. */
export const connect = (options: RedisClient.Options) =>
  Layer.build(RedisClient.layer({ ...times, ...options }).pipe(Layer.provide(quiet))).pipe(
    Effect.map((context) => Context.get(context, RedisClient.RedisClient)),
  )

/** The time, ms, until the effect succeeds with the expected result. */
export const until = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  isIt: (value: A) => boolean = () => true,
): Effect.Effect<number, never, R> =>
  Effect.gen(function* () {
    const begin = yield* Clock.currentTimeMillis
    let last: unknown = "nothing yet"
    while (true) {
      const now = (yield* Clock.currentTimeMillis) - begin
      if (now > 15_000) {
        return yield* Effect.die(
          new Error(`not within 15 s; at last: ${JSON.stringify(last) ?? String(last)}`),
        )
      }
      const result = yield* Effect.result(effect)
      if (result._tag === "Success" && isIt(result.success)) return now
      last = result._tag === "Success" ? result.success : result.failure
      yield* Effect.sleep("10 millis")
    }
  })
