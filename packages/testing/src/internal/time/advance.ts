/** Moves the clock of a test, and lets everything that is due run to its end. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { realMillis, realPauseMillis, turnsWithoutRest } from "../limits.ts"
import { Quiet, type QuietScheduler } from "./quietScheduler.ts"
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
export const idle = (asks: string): Effect.Effect<void> => atRest(asks, (quiet) => quiet.rest)

const atRest = (
  asks: string,
  rest: (quiet: QuietScheduler) => Effect.Effect<boolean>,
): Effect.Effect<void> =>
  Effect.flatMap(Quiet, (quiet) =>
    Effect.flatMap(quiet === undefined ? Effect.succeed(true) : rest(quiet), (isQuiet) =>
      isQuiet
        ? Effect.void
        : Effect.die(
            new NeverSettled({
              message: `${asks}: after ${turnsWithoutRest} turns of the event loop there is still work that needs no time to pass. A fiber may repeat without a pause`,
            }),
          ),
    ),
  )

interface Step {
  readonly asks: string
  readonly isOver: () => boolean
  /** ms. Time is not moved beyond it. */
  readonly deadline: number
}

/**
 * Waits until everything rests, and then moves time to the next sleeper, unless what this fiber, or another
 * that moves the clock, waits for is over. One fiber at a time does so.
 */
const step = (
  clock: VirtualClock,
  { asks, deadline, isOver }: Step,
): Effect.Effect<"over" | "moved" | "not moved" | "nothing sleeps" | "late"> =>
  clock.sleeps.moving.withPermit(
    Effect.gen(function* () {
      yield* atRest(asks, (quiet) => quiet.restOfAll)
      if (isOver()) return "over"
      if (clock.sleeps.isAnyOver()) return "not moved"
      const next = clock.sleeps.next()
      if (next === undefined) return "nothing sleeps"
      if (next > deadline) return "late"
      yield* clock.moveTo(next)
      return "moved"
    }),
  )

/** Moves time to `at` (ms), from one sleeper to the next, each time until everything rests. */
export const advanceTo = (clock: VirtualClock, at: number, asks: string): Effect.Effect<void> => {
  const isOver = () => clock.now() >= at
  const moves = Effect.repeat(step(clock, { asks, deadline: at, isOver }), {
    until: (stepped) => stepped === "over",
  })
  // A sleeper of its own, so that another fiber that moves the clock does not pass it by.
  return Effect.asVoid(clock.sleeps.during(at, clock.sleeps.movedUntil(isOver, moves)))
}

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

/** Runs an effect whose end no test waits for, and moves time as far as it needs. */
export const driven = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  asks: string,
): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const clock = yield* virtualClock(asks)
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    const isOver = () => fiber.pollUnsafe() !== undefined
    const move = step(clock, { asks, isOver, deadline: Infinity })
    const moves = Effect.gen(function* () {
      let stepped = yield* move
      while (stepped !== "over") {
        // What waits for the world outside takes the time that it takes.
        if (stepped === "nothing sleeps") yield* realWait(clock, isOver, asks)
        stepped = yield* move
      }
    })
    yield* clock.sleeps.movedUntil(isOver, moves)
    return yield* Fiber.join(fiber)
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
    const continues = () => isOver() || clock.sleeps.next() !== undefined
    const move = clock.sleeps.movedUntil(isOver, step(clock, { asks, deadline, isOver }))
    while (true) {
      const stepped = yield* move
      if (stepped === "over") return yield* Fiber.join(fiber)
      if (stepped === "late") {
        return yield* fail(`the effect has not ended within ${within} ms of virtual time`)
      }
      if (stepped === "nothing sleeps" && !(yield* realWait(clock, continues, asks))) {
        return yield* fail(
          "the effect has not ended, and nothing sleeps that the clock could wake. It waits for another fiber, or for the world outside",
        )
      }
    }
  })
