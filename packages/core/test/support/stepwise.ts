/**
 * Time that passes step by step: work on many keys takes turns of the event loop, which the
 * clock of a test does not wait for when it is adjusted in one jump.
 */
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"

/** Lets so many milliseconds pass. */
export const pass = (millis: number): Effect.Effect<void> =>
  Effect.forEach(Array.from({ length: millis }), () => TestClock.adjust(1), { discard: true })

/** Lets time pass until the effect has ended. */
export const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(1)
    return yield* Fiber.join(fiber)
  })
