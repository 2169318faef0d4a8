import { expect, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { monotonicMillis } from "../../../src/internal/runtime/monotonic.ts"
import { steadyOf } from "../../../src/internal/runtime/steadyClock.ts"
import { putOff, Timers } from "../../../src/internal/runtime/deadlines.ts"
import { wallClock } from "../../support/wallClock.ts"

/** Timers, what has run, and how many sleeps there are. */
const makeThat = (rest: "stops" | "lingers") =>
  Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    const clock = yield* Effect.clockWith(Effect.succeed)
    let sleeping = 0
    /** In milliseconds, the sleeps that have begun. */
    const sleeps: Array<number> = []
    const counting: Clock.Clock = {
      ...clock,
      sleep: (duration) =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            sleeping += 1
            sleeps.push(Duration.toMillis(duration))
          }),
          () => clock.sleep(duration),
          () => Effect.sync(() => (sleeping -= 1)),
        ),
    }
    const timers = new Timers(Context.add(context, Clock.Clock, counting), rest)
    const ran: Array<string> = []
    const at = (millis: number, name: string) => timers.schedule(millis, () => ran.push(name))
    return { timers, ran, at, sleeps, sleeping: () => sleeping }
  })

const make = makeThat("stops")

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

it("law 9: a deadline is put off where it is noticed more than 10 ms late, by at most its length", () => {
  expect([0, 10, 11, 99, 100, 5_000].map((late) => putOff(late, 100))).toEqual([
    0, 0, 11, 99, 100, 100,
  ])
})

it.effect("one that is due already runs in the next turn", () =>
  Effect.gen(function* () {
    const { ran, sleeps, timers } = yield* make
    const clock = yield* Clock.Clock
    timers.after(monotonicMillis(clock) - 5, 0, () => ran.push("late"))
    timers.schedule(clock.currentTimeMillisUnsafe(), () => ran.push("now"))
    expect(ran).toEqual([])
    yield* Effect.yieldNow
    expect(ran).toEqual(["late", "now"])
    expect(sleeps).toEqual([])
  }),
)

it.effect("law 17: there is one sleep until the earliest deadline, whatever comes after it", () =>
  Effect.gen(function* () {
    const { at, ran, sleeps, timers } = yield* make
    at(60_000, "a")
    at(60_000, "b")
    at(70_000, "c")
    expect(sleeps).toEqual([60_000])
    timers.schedule(60_000, () => {
      for (let i = 9; i > 0; i -= 1) at(60_000 + 100 * i, `${i}`)
    })
    yield* TestClock.adjust(60_000)
    expect(sleeps).toEqual([60_000, 100])
    yield* TestClock.adjust(10_000)
    expect(ran).toEqual(["a", "b", "1", "2", "3", "4", "5", "6", "7", "8", "9", "c"])
  }),
)

it.effect(
  "where deadlines come one after the other and none passes, there is a sleep a second",
  () =>
    Effect.gen(function* () {
      const { at, ran, sleeping, sleeps, timers } = yield* makeThat("lingers")
      for (let i = 0; i < 200; i += 1) {
        timers.cancel(at(10 * i + 5_000, "never"))
        yield* TestClock.adjust(10)
      }
      expect(sleeps.length).toBeLessThanOrEqual(3)
      expect(Math.max(...sleeps)).toBeLessThanOrEqual(1_000)
      // And none any more a second after the last: it would hold up a program that has ended.
      yield* TestClock.adjust(1_000)
      expect(sleeping()).toBe(0)
      expect(ran).toEqual([])
    }),
)

it.effect("after a stop none of before runs, and others as if there had been none before", () =>
  Effect.gen(function* () {
    const { at, ran, sleeping, timers } = yield* make
    for (let i = 1; i <= 5; i += 1) at(i, `${i}`)
    const before = at(100, "before")
    yield* TestClock.adjust(50)
    timers.stop()
    expect(sleeping()).toBe(0)
    expect(timers.size).toBe(0)
    timers.cancel(before)
    at(60, "a")
    timers.cancel(at(80, "never"))
    yield* TestClock.adjust(100)
    expect(ran).toEqual(["1", "2", "3", "4", "5", "a"])
    at(1_000, "never")
    timers.stop()
    timers.cancel(at(1_000, "never"))
    expect(sleeping()).toBe(0)
  }),
)

it.effect("law 17: where one has run and the others were cancelled, nothing sleeps", () =>
  Effect.gen(function* () {
    const { at, ran, sleeping, timers } = yield* make
    const other = at(20, "never")
    at(10, "a")
    yield* TestClock.adjust(10)
    timers.cancel(other)
    expect(sleeping()).toBe(0)
    expect(ran).toEqual(["a"])
  }),
)

it.effect("a flush runs what waits as if it were due now", () =>
  Effect.gen(function* () {
    const { ran, sleeping, timers } = yield* make
    const clock = yield* Clock.Clock
    timers.schedule(1_000, () => ran.push("timer"))
    // Due now it is not late, so that it is not put off.
    timers.deadline(monotonicMillis(clock) - 5_000, 1_000, () => ran.push("deadline"))
    timers.flush()
    expect(ran.toSorted()).toEqual(["deadline", "timer"])
    expect(sleeping()).toBe(0)
  }),
)

it.effect("law 17: of those that were cancelled or have passed few are held", () =>
  Effect.gen(function* () {
    const { at, ran, timers } = yield* makeThat("lingers")
    at(1_000_000, "long")
    let most = 0
    for (let i = 0; i < 10_000; i += 1) {
      timers.cancel(at(2_000_000, "never"))
      most = Math.max(most, timers.size)
    }
    expect(most).toBeLessThanOrEqual(2 * 1 + 1_024 + 1)
    // Letting go takes as long as there are timers: only now and then.
    expect(most).toBeGreaterThan(1_000)
    const { size } = timers
    most = 0
    for (let i = 0; i < 5_000; i += 1) {
      at(10 * i + 10, "short")
      yield* TestClock.adjust(10)
      most = Math.max(most, timers.size - size)
    }
    expect(ran.length).toBe(5_000)
    expect(most).toBeLessThanOrEqual(1_024 + 1)
    expect(most).toBeGreaterThan(1_000)
    // Those that have passed do not count as waiting, nor do those that wait count as cancelled.
    const many = Array.from({ length: 3_000 }, () => at(2_000_000, "never"))
    expect(timers.size).toBeGreaterThan(3_000)
    for (const timer of many.slice(0, 2_900)) timers.cancel(timer)
    expect(timers.size).toBeLessThanOrEqual(2 * 101 + 1_024)
    timers.stop()
  }),
)

it.effect("deadlines that are due at once have several turns, where what they do takes long", () =>
  Effect.gen(function* () {
    const { block, clock } = yield* wallClock
    const context = Context.add(yield* Effect.context<never>(), Clock.Clock, clock)
    const timers = new Timers(context)
    let ran = 0
    const turns: Array<number> = []
    const began = monotonicMillis(clock)
    for (let i = 0; i < 8; i += 1) {
      timers.after(began, 10, () => {
        ran += 1
        block(1)
        if (ran % 3 === 1) setImmediate(() => turns.push(ran))
      })
    }
    yield* TestClock.adjust(10)
    yield* TestClock.adjust(1)
    expect(turns).toEqual([3, 6, 8])
  }),
)
