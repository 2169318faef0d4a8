/** Circuit breakers whose open time is measured by a clock that never steps back. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CircuitBreakerStore } from "effect/persistence/CircuitBreaker"
import { steadyClock } from "./steadyClock.ts"

/** Sets the clock ahead by this many ms for one call of a store, to cut an open time short. */
export const Ahead = Context.Reference<number>("@larder/core/internal/Ahead", {
  defaultValue: () => 0,
})

/**
 * A store that measures by a time of day that never steps back. Effect's store reads the caller's time
 * of day: a circuit that opened while the clock was ahead would stay open until the clock has caught
 * up.
 */
export const inSteadyTime = <E, R>(
  store: Layer.Layer<CircuitBreakerStore, E, R>,
): Layer.Layer<CircuitBreakerStore, E, R> =>
  Layer.effect(
    CircuitBreakerStore,
    Effect.gen(function* () {
      const clock = yield* steadyClock
      const { admit, record, state } = yield* CircuitBreakerStore
      const steadily = <A, E2, R2>(effect: Effect.Effect<A, E2, R2>) =>
        Effect.flatMap(Ahead, (ahead) =>
          Effect.provideService(effect, Clock.Clock, ahead === 0 ? clock : later(clock, ahead)),
        )
      return {
        admit: (key) => steadily(admit(key)),
        record: (outcome) => steadily(record(outcome)),
        state: (key) => steadily(state(key)),
      }
    }),
  ).pipe(Layer.provide(store))

/** The clock set ahead by `millis`. */
const later = (clock: Clock.Clock, millis: number): Clock.Clock => {
  const nanos = BigInt(Math.ceil(millis)) * 1_000_000n
  return {
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + millis,
    currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + millis),
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + nanos,
    currentTimeNanos: Effect.map(clock.currentTimeNanos, (now) => now + nanos),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe() + nanos,
    monotonicTimeNanos: Effect.map(clock.monotonicTimeNanos, (now) => now + nanos),
    sleep: (duration) => clock.sleep(duration),
  }
}
