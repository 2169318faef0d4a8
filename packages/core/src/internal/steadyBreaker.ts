/** Circuit breakers whose open time is monotonic. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CircuitBreakerStore } from "effect/persistence/CircuitBreaker"
import { steadyClock } from "./steadyClock.ts"

/**
 * A store in the memory of this process, by a time of day that never steps back:
 * Effect's reads the time of day of its caller, so that a circuit which opened
 * while the clock was ahead would stay open until the clock is there again.
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
        Effect.provideService(effect, Clock.Clock, clock)
      return {
        admit: (key) => steadily(admit(key)),
        record: (outcome) => steadily(record(outcome)),
        state: (key) => steadily(state(key)),
      }
    }),
  ).pipe(Layer.provide(store))
