import { expect, it } from "@effect/vitest"
import { Clock, Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Timers } from "../../src/internal/timers.ts"

/** Timers, what has run, and how many sleeps there are. */
const make = Effect.gen(function* () {
  const context = yield* Effect.context<never>()
  const clock = yield* Effect.clockWith(Effect.succeed)
  let sleeping = 0
  const counting: Clock.Clock = {
    ...clock,
    sleep: (duration) =>
      Effect.acquireUseRelease(
        Effect.sync(() => (sleeping += 1)),
        () => clock.sleep(duration),
        () => Effect.sync(() => (sleeping -= 1)),
      ),
  }
  const timers = new Timers(Context.add(context, Clock.Clock, counting))
  const ran: Array<string> = []
  const at = (millis: number, name: string) => timers.schedule(millis, () => ran.push(name))
  return { timers, ran, at, sleeping: () => sleeping }
})

it.effect("deadlines run in the order of their times, whatever the order they came in", () =>
  Effect.gen(function* () {
    const { at, ran, sleeping } = yield* make
    at(30, "c")
    at(10, "a")
    at(20, "b")
    at(20, "b2")
    expect(sleeping()).toBe(1)
    yield* TestClock.adjust(10)
    expect(ran).toEqual(["a"])
    yield* TestClock.adjust(10)
    expect(ran).toEqual(["a", "b", "b2"])
    yield* TestClock.adjust(100)
    expect(ran).toEqual(["a", "b", "b2", "c"])
    expect(sleeping()).toBe(0)
  }),
)

it.effect("law 17: where no deadline is left, nothing sleeps", () =>
  Effect.gen(function* () {
    const { at, ran, sleeping, timers } = yield* make
    const one = at(10, "a")
    const other = at(20, "b")
    timers.cancel(one)
    expect(sleeping()).toBe(1)
    timers.cancel(other)
    timers.cancel(other)
    yield* Effect.yieldNow
    expect(sleeping()).toBe(0)
    yield* TestClock.adjust(100)
    expect(ran).toEqual([])
    at(110, "c")
    yield* TestClock.adjust(10)
    expect(ran).toEqual(["c"])
  }),
)

it.effect("a deadline may set and cancel others while it runs", () =>
  Effect.gen(function* () {
    const { at, ran, timers } = yield* make
    const later = at(20, "never")
    timers.schedule(10, () => {
      timers.cancel(later)
      at(10, "at once")
      at(15, "soon")
    })
    yield* TestClock.adjust(30)
    expect(ran).toEqual(["at once", "soon"])
  }),
)

it.effect("thousands that are cancelled leave the rest in order", () =>
  Effect.gen(function* () {
    const { at, ran, timers } = yield* make
    const many = Array.from({ length: 5_000 }, (_, i) => at(1_000 + i, `${i}`))
    for (const [i, timer] of many.entries()) if (i % 1_000 !== 999) timers.cancel(timer)
    yield* TestClock.adjust(10_000)
    expect(ran).toEqual(["999", "1999", "2999", "3999", "4999"])
  }),
)

it.effect(
  "one that waits long keeps none of those that were cancelled after it, and all others run",
  () =>
    Effect.gen(function* () {
      const timers = new Timers(yield* Effect.context<never>(), "lingers")
      const ran: Array<string> = []
      timers.schedule(60_000, () => ran.push("long"))
      for (let i = 0; i < 10_000; i += 1) {
        const timer = timers.schedule(30_000 + (i % 7), () => ran.push(`cancelled ${i}`))
        if (i % 2_500 === 0) timers.schedule(40_000 - i, () => ran.push(`${i}`))
        timers.cancel(timer)
      }
      yield* TestClock.adjust("1 minute")
      expect(ran).toEqual(["7500", "5000", "2500", "0", "long"])
      timers.stop()
    }),
)
