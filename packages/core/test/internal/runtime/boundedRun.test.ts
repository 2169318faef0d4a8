import { expect, it } from "@effect/vitest"
import { Clock, Effect, Exit, type Fiber } from "effect"
import { TestClock } from "effect/testing"
import { BoundedRun } from "../../../src/internal/runtime/boundedRun.ts"
import { Timers } from "../../../src/internal/runtime/deadlines.ts"
import { monotonicMillis } from "../../../src/internal/runtime/monotonic.ts"

/** A run of which each report is recorded. */
class Watched extends BoundedRun<string, never> {
  readonly reports: Array<string> = []

  begin(fiber: Fiber.Fiber<string>, began: number, millis: number): this {
    this.watch(fiber, began, millis)
    return this
  }

  protected ended(exit: Exit.Exit<string>): void {
    this.reports.push(Exit.isSuccess(exit) ? exit.value : "interrupted")
  }

  protected late(fiber: Fiber.Fiber<string>): void {
    this.reports.push("late")
    fiber.interruptUnsafe()
  }
}

const watched = (effect: Effect.Effect<string>, millis: number) =>
  Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    const timers = new Timers(context)
    const began = monotonicMillis(yield* Clock.Clock)
    const run = new Watched(timers).begin(Effect.runForkWith(context)(effect), began, millis)
    return Object.assign(run, { waiting: () => timers.size })
  })

const after = (millis: number) => Effect.delay(Effect.succeed("done"), millis)

it.effect("an effect that ends at once is reported at once, and sets no timer", () =>
  Effect.gen(function* () {
    const run = yield* watched(Effect.succeed("done"), 100)
    expect([run.reports, run.waiting()]).toEqual([["done"], 0])
  }),
)

it.effect("the end is reported, and ends the timer", () =>
  Effect.gen(function* () {
    const run = yield* watched(after(99), 100)
    yield* TestClock.adjust(98)
    expect([run.reports, run.waiting()]).toEqual([[], 1])
    yield* TestClock.adjust(1)
    expect([run.reports, run.waiting()]).toEqual([["done"], 0])
    yield* TestClock.adjust("1 second")
    expect(run.reports).toEqual(["done"])
  }),
)

it.effect("the deadline is reported once, and the end after it is not", () =>
  Effect.gen(function* () {
    const run = yield* watched(Effect.uninterruptible(after(150)), 100)
    yield* TestClock.adjust(100)
    expect(run.reports).toEqual(["late"])
    yield* TestClock.adjust("1 second")
    expect([run.reports, run.leave()]).toEqual([["late"], false])
  }),
)

it.effect("nothing is reported after leaving, which says whether a report was due", () =>
  Effect.gen(function* () {
    const run = yield* watched(after(50), 100)
    expect([run.leave(), run.leave(), run.waiting()]).toEqual([true, false, 0])
    yield* TestClock.adjust("1 second")
    expect(run.reports).toEqual([])
    const ended = yield* watched(Effect.succeed("done"), 100)
    expect(ended.leave()).toBe(false)
  }),
)

it.effect("without a deadline it is reported when it ends", () =>
  Effect.gen(function* () {
    const run = yield* watched(after(500), Infinity)
    expect(run.waiting()).toBe(0)
    yield* TestClock.adjust(500)
    expect(run.reports).toEqual(["done"])
  }),
)
