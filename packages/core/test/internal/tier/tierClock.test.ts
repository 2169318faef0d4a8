/** A node's knowledge of a tier's time: never beyond an answer, and not lowered by a slow one. */
import { expect, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { monotonicMillis } from "../../../src/internal/runtime/monotonic.ts"
import { steadyOf } from "../../../src/internal/runtime/steadyClock.ts"
import { TierTime } from "../../../src/internal/tier/tierClock.ts"
import { wallClock } from "../../support/wallClock.ts"

const start = 1_790_000_000_000

/** The tier's clock is an hour ahead of monotonic time, as it is now. */
const ahead = 3_600_000

const test = (title: string, body: (time: TierTime) => void) =>
  it.effect(title, () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const clock = steadyOf(yield* Clock.Clock)
      body(new TierTime(clock, "shared"))
    }),
  )

/** How far clocks may drift apart, in microseconds per millisecond. */
const drift = 0.5

/** An answer that the tier gave in the middle of a trip. */
const trip = (time: TierTime, sent: number, millis: number, skew = ahead) =>
  time.heard(sent + millis / 2 + skew, sent, sent + millis)

test("has no place for anything before the tier has told its time", (time) => {
  expect(time.isKnown).toBe(false)
  expect(time.placeOf(0, "least")).toBe(undefined)
  expect(time.placeOf(0, "most")).toBe(undefined)
})

test("a place is known but for the duration of a trip, and the millisecond that the tier tells", (time) => {
  trip(time, 1_000, 10)
  expect(time.isKnown).toBe(true)
  const exact = (1_010 + ahead) * 1000
  expect(time.placeOf(1_010, "least")).toBe(exact - 5_000)
  expect(time.placeOf(1_010, "most")).toBe(exact + 5_000 + 999)
})

test("law 20: a place long after an answer, or long before it, is less exact by how far clocks may drift", (time) => {
  trip(time, 100_000, 10)
  for (const moment of [90_010, 110_010]) {
    const exact = (moment + ahead) * 1000
    expect(time.placeOf(moment, "least")).toBe(exact - 5_000 - 10_000 * drift)
  }
  expect(time.placeOf(90_010, "most")).toBe((90_010 + ahead + 5 + 10 * drift) * 1000 + 999)
})

test("law 13: long after an answer, the latest place of a change is not ahead by the drift", (time) => {
  trip(time, 100_000, 10)
  expect(time.placeOf(110_010, "most")).toBe((110_010 + ahead + 5) * 1000 + 999)
})

it.effect("law 20: a time that the tier told long ago is known less well", () =>
  Effect.gen(function* () {
    const clock = steadyOf(yield* Clock.Clock)
    const time = new TierTime(clock, "shared")
    trip(time, monotonicMillis(clock) - 10, 10)
    expect(time.isWithin(10)).toBe(true)
    expect(time.isWithin(9)).toBe(false)
    yield* TestClock.adjust("10 seconds")
    expect(time.isWithin(19)).toBe(false)
    expect(time.isWithin(20)).toBe(true)
  }),
)

test("a slow answer makes it no less exact, but for how far clocks may drift", (time) => {
  trip(time, 1_000, 2)
  trip(time, 2_001, 60)
  const exact = (1_500 + ahead) * 1000
  // 1 ms for the first trip; drift between the two answers, and from the second one back.
  const most = 1_000 + (1_059 + 561) * drift
  expect(time.placeOf(1_500, "least")).toBe(exact - most)
  expect(time.placeOf(1_500, "most")).toBe(exact + most + 999)
})

test("a quick answer makes it more exact", (time) => {
  trip(time, 1_000, 60)
  trip(time, 2_000, 2)
  const exact = (2_002 + ahead) * 1000
  expect(time.placeOf(2_002, "least")).toBe(exact - 1_000)
  expect(time.placeOf(2_002, "most")).toBe(exact + 1_000 + 999)
})

for (const [name, by] of [
  ["forward", 500],
  ["back", -500],
] as const) {
  test(`a clock that was set ${name} is believed`, (time) => {
    trip(time, 1_000, 10)
    trip(time, 2_000, 20, ahead + by)
    const exact = (2_020 + ahead + by) * 1000
    expect(time.placeOf(2_020, "least")).toBe(exact - 10_000)
    expect(time.placeOf(2_020, "most")).toBe(exact + 10_000 + 999)
  })
}

test("a drift that goes on is followed", (time) => {
  for (let second = 0; second < 3_600; second += 1) {
    trip(time, second * 1_000, 2, ahead - second * 0.4)
  }
  const exact = (3_600_000 + ahead - 3_599 * 0.4) * 1000
  expect(time.placeOf(3_600_000, "least")!).toBeLessThanOrEqual(exact)
  expect(time.placeOf(3_600_000, "most")!).toBeGreaterThanOrEqual(exact)
  expect(time.placeOf(3_600_000, "most")!).toBeLessThan(exact + 3_000)
})

test("two answers within one millisecond of the tier tell more together than each alone", (time) => {
  // The tier's millisecond begins at 1,000.9 at the latest, and the next one not before 1,001.
  time.heard(1_000 + ahead, 1_000.9, 1_000.9)
  time.heard(1_001 + ahead, 1_001, 1_001)
  const exact = (1_001 + ahead) * 1000
  expect(time.placeOf(1_001, "least")).toBe(exact)
  expect(time.placeOf(1_001, "most")).toBeLessThan(exact + 101)
})

test("the earliest place of a moment is at no time above its latest", (time) => {
  time.heard(1_000 + ahead, 1_000, 1_000)
  // As far from the answer before as a whole millisecond can explain.
  time.heard(1_001 + ahead, 1_000, 1_000)
  expect(time.placeOf(1_000, "least")!).toBeLessThanOrEqual(time.placeOf(1_000, "most")!)
})

test("what is written lives shorter, and what is read is older, by parts of a millisecond too", (time) => {
  time.heard(1_000 + ahead, 999.75, 1_000.25)
  expect(time.offset("least")).toBe(ahead - 1)
  expect(time.offset("most")).toBe(ahead + 1)
  expect(time.now).toBe(start + ahead - 1)
})

for (const [scope, behind] of [
  ["process", 0],
  ["machine", 60_000],
] as const) {
  const whose = behind === 0 ? "the node's, which never steps back" : "the time of day"
  it.effect(`the time of a tier of one ${scope} that has no clock is ${whose}`, () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const wall = yield* wallClock
      const clock = steadyOf(wall.clock)
      const time = new TierTime(clock, scope)
      expect(time.now).toBe(start)
      wall.step(-60_000)
      expect(time.now).toBe(start - behind)
      expect(time.offset("least") + behind).toBe(0)
      expect(time.offset("most") + behind).toBe(0)
    }),
  )
}
