/** Moves the clock of a test, and lets everything that is due run to its end. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { realMillis, realPauseMillis, turnsWithoutRest } from "../limits.ts"
import { Quiet } from "./quietScheduler.ts"
import { VirtualClock } from "./virtualClock.ts"

/**
 * The defect of an effect that moves the clock of `LarderTest.layer`, and runs with another clock.
 *
 * **Example**
 *
 * ```ts
 * import { LarderTest } from "@larder/testing"
 * import * as assert from "node:assert"
 *
 * const error = new LarderTest.NoVirtualTime({ message: "no clock" })
 * assert.strictEqual(error._tag, "NoVirtualTime")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class NoVirtualTime extends Schema.TaggedError<NoVirtualTime>()("NoVirtualTime", {
  message: Schema.String,
}) {}

/**
 * The defect of work that does not end: within its virtual time, or because nothing can wake it.
 *
 * **Example**
 *
 * ```ts
 * import { LarderTest } from "@larder/testing"
 * import * as assert from "node:assert"
 *
 * const error = new LarderTest.NeverSettled({ message: "the effect has not ended" })
 * assert.strictEqual(error._tag, "NeverSettled")
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class NeverSettled extends Schema.TaggedError<NeverSettled>()("NeverSettled", {
  message: Schema.String,
}) {}

/** The clock of the test, whichever node asks. */
export const virtualClock = (asks: string): Effect.Effect<VirtualClock> =>
  Effect.clockWith((clock) =>
    clock instanceof VirtualClock
      ? Effect.succeed(clock)
      : Effect.die(
          new NoVirtualTime({
            message: `${asks} moves the clock of LarderTest.layer, and this effect runs with another clock. Provide LarderTest.layer around the whole test: Layer.provideMerge(Products.layer, LarderTest.layer), not Layer.provide`,
          }),
        ),
  )

/** Waits until nothing can run without time passing. */
export const idle = (asks: string): Effect.Effect<void> =>
  Effect.flatMap(Quiet, (quiet) =>
    Effect.flatMap(quiet === undefined ? Effect.succeed(true) : quiet.rest, (isQuiet) =>
      isQuiet
        ? Effect.void
        : Effect.die(
            new NeverSettled({
              message: `${asks}: after ${turnsWithoutRest} turns of the event loop there is still work that needs no time to pass. A fiber may repeat without a pause`,
            }),
          ),
    ),
  )

/** Moves time to `at` (ms), from one sleeper to the next, each time until everything rests. */
export const advanceTo = (clock: VirtualClock, at: number, asks: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* idle(asks)
    let next = clock.sleeps.next()
    while (next !== undefined && next <= at) {
      yield* clock.moveTo(next)
      yield* idle(asks)
      next = clock.sleeps.next()
    }
    yield* clock.moveTo(at)
    yield* idle(asks)
  })

/** Waits in real time for what no virtual clock moves. */
const realWait = (
  clock: VirtualClock,
  isOver: () => boolean,
  asks: string,
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    for (let waited = 0; waited < realMillis; waited += realPauseMillis) {
      yield* clock.withLive(Effect.sleep(Duration.millis(realPauseMillis)))
      yield* idle(asks)
      if (isOver()) return true
    }
    return false
  })

export interface Waiting {
  /** ms. */
  readonly within: number
  readonly asks: string
  /** The rest of the message of a failure: what has been waited for. */
  readonly found: Effect.Effect<string>
}

/** Runs an effect, and moves time whenever everything rests, until the effect has ended. */
export const settled = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  { asks, found, within }: Waiting,
): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const clock = yield* virtualClock(asks)
    const deadline = clock.now() + within
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    const isOver = () => fiber.pollUnsafe() !== undefined
    const fail = (message: string) =>
      Effect.flatMap(found, (rest) => {
        fiber.interruptUnsafe()
        return Effect.die(new NeverSettled({ message: `${asks}: ${message}${rest}` }))
      })
    yield* idle(asks)
    while (!isOver()) {
      const next = clock.sleeps.next()
      if (next === undefined) {
        const continues = () => isOver() || clock.sleeps.next() !== undefined
        if (!(yield* realWait(clock, continues, asks))) {
          return yield* fail(
            "the effect has not ended, and nothing sleeps that the clock could wake. It waits for another fiber, or for the world outside",
          )
        }
        continue
      }
      if (next > deadline) {
        return yield* fail(`the effect has not ended within ${within} ms of virtual time`)
      }
      yield* clock.moveTo(next)
      yield* idle(asks)
    }
    return yield* Fiber.join(fiber)
  })
