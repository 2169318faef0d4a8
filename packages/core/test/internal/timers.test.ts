import { expect, it } from "@effect/vitest"
import { Clock, Context, Effect } from "effect"
import { TestClock } from "effect/testing"
import { monotonicMillis } from "../../src/internal/monotonic.ts"
import { steadyOf } from "../../src/internal/steadyClock.ts"
import { Timers } from "../../src/internal/timers.ts"
import { wallClock } from "../support/wallClock.ts"

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

/** Timers on a clock of which time can go on while nothing runs. */
const onBusyNode = Effect.gen(function* () {
  const wall = yield* wallClock
  const context = Context.add(yield* Effect.context<never>(), Clock.Clock, wall.clock)
  const timers = new Timers(context)
  const ran: Array<string> = []
  const deadline = (millis: number, name: string) =>
    timers.deadline(monotonicMillis(wall.clock), millis, () => ran.push(name))
  return { deadline, ran, timers, wall }
})

it.effect("law 9: a deadline that is noticed late is put off once, by at most its own length", () =>
  Effect.gen(function* () {
    const { deadline, ran, wall } = yield* onBusyNode
    deadline(100, "late")
    deadline(1_000, "in time")
    wall.block(50)
    yield* TestClock.adjust(100)
    expect(ran).toEqual([])
    wall.block(30)
    yield* TestClock.adjust(49)
    expect(ran).toEqual([])
    yield* TestClock.adjust(1)
    expect(ran).toEqual(["late"])
    wall.block(5_000)
    yield* TestClock.adjust(770)
    yield* TestClock.adjust(999)
    expect(ran).toEqual(["late"])
    yield* TestClock.adjust(1)
    expect(ran).toEqual(["late", "in time"])
  }),
)

it.effect("one that was put off can be cancelled, and is given up with all others", () =>
  Effect.gen(function* () {
    const { deadline, ran, timers, wall } = yield* onBusyNode
    const cancelled = deadline(100, "cancelled")
    deadline(100, "put off")
    deadline(2_000, "due")
    wall.block(100)
    yield* TestClock.adjust(100)
    timers.cancel(cancelled)
    timers.cancel(cancelled)
    expect(ran).toEqual([])
    wall.block(5_000)
    timers.flush()
    expect(ran).toEqual(["put off", "due"])
    yield* TestClock.adjust("1 minute")
    expect(ran).toEqual(["put off", "due"])
  }),
)

it.effect("law 21: a clock that is set back puts no timer off", () =>
  Effect.gen(function* () {
    const { ran, timers, wall } = yield* onBusyNode
    const steady = steadyOf(wall.clock)
    steady.currentTimeMillisUnsafe()
    wall.step(-3_600_000)
    timers.schedule(steady.currentTimeMillisUnsafe() + 10, () => ran.push("a"))
    yield* TestClock.adjust(9)
    expect(ran).toEqual([])
    yield* TestClock.adjust(1)
    expect(ran).toEqual(["a"])
  }),
)
