import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect } from "effect"
import * as fc from "fast-check"
import { SteadyClock, steadyClock, steadyOf } from "../../../src/internal/runtime/steadyClock.ts"

const hour = 3_600_000
const someTime = 1_790_000_000_000

/** A clock of which both times are set by hand, and their readings counted. */
const byHand = (wall = someTime, monotonic = 0) => {
  const now = { wall, monotonic }
  const readings = { wall: 0, monotonic: 0 }
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => {
      readings.wall += 1
      return now.wall
    },
    currentTimeMillis: Effect.sync(() => now.wall),
    currentTimeNanosUnsafe: () => BigInt(now.wall) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(now.wall) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => {
      readings.monotonic += 1
      return BigInt(Math.round(now.monotonic * 1_000_000))
    },
    monotonicTimeNanos: Effect.sync(() => BigInt(Math.round(now.monotonic * 1_000_000))),
    sleep: () => Effect.void,
  }
  /** Both go on by so much, and the time of day is set by `step`. */
  const pass = (millis: number, step = 0) => {
    now.monotonic += millis
    now.wall += millis + step
  }
  return { clock, now, pass, readings }
}

describe("law 21: the time of day of a process", () => {
  it("is that of the clock, as long as nobody sets it", () => {
    const { clock, now, pass } = byHand()
    const steady = steadyOf(clock)
    for (let i = 0; i < 100; i += 1) {
      assert.strictEqual(steady.currentTimeMillisUnsafe(), now.wall)
      assert.strictEqual(steady.behindUnsafe(), 0)
      pass(i)
    }
  })

  it("is whole milliseconds of the clock, whatever monotonic time began with", () => {
    for (let i = 0; i < 1_000; i += 1) {
      const { clock } = byHand(someTime, i * 1_234.567_891)
      assert.strictEqual(steadyOf(clock).currentTimeMillisUnsafe(), someTime)
    }
  })

  it("is that of the clock also where that is behind its monotonic time", () => {
    const { clock, now, pass } = byHand(0, 5_000)
    const steady = steadyOf(clock)
    assert.strictEqual(steady.currentTimeMillisUnsafe(), 0)
    pass(1_000)
    assert.strictEqual(steady.currentTimeMillisUnsafe(), now.wall)
    assert.strictEqual(steady.behindUnsafe(), 0)
  })

  it("is not ahead of the clock by the part of a millisecond that monotonic time shows", () => {
    const { clock, now } = byHand(someTime, 0.4)
    const steady = steadyOf(clock)
    assert.strictEqual(steady.currentTimeMillisUnsafe(), someTime)
    now.monotonic = 1.2
    assert.strictEqual(steady.currentTimeMillisUnsafe(), someTime)
    now.monotonic = 1.4
    assert.strictEqual(steady.currentTimeMillisUnsafe(), someTime + 1)
  })

  it.effect("is the same in all units, and its monotonic time is the clock's", () =>
    Effect.gen(function* () {
      const { clock, now, pass } = byHand()
      const steady = steadyOf(clock)
      assert.strictEqual(yield* steady.currentTimeMillis, someTime)
      pass(1_500, -hour)
      const nanos = BigInt(someTime + 1_500) * 1_000_000n
      assert.strictEqual(yield* steady.currentTimeMillis, someTime + 1_500)
      assert.strictEqual(steady.currentTimeNanosUnsafe(), nanos)
      assert.strictEqual(yield* steady.currentTimeNanos, nanos)
      now.monotonic += 0.25
      const monotonic = BigInt(now.monotonic * 1_000_000)
      assert.strictEqual(steady.monotonicTimeNanosUnsafe(), monotonic)
      assert.strictEqual(yield* steady.monotonicTimeNanos, monotonic)
    }),
  )

  it("goes on where the clock is set back, and follows where it is set forward", () => {
    const { clock, pass } = byHand()
    const steady = steadyOf(clock)
    assert.strictEqual(steady.currentTimeMillisUnsafe(), someTime)
    pass(1_000, -10 * hour)
    assert.strictEqual(steady.currentTimeMillisUnsafe(), someTime + 1_000)
    assert.strictEqual(steady.behindUnsafe(), 10 * hour)
    pass(1_000)
    assert.strictEqual(steady.currentTimeMillisUnsafe(), someTime + 2_000)
    pass(1_000, 11 * hour)
    assert.strictEqual(steady.currentTimeMillisUnsafe(), someTime + hour + 3_000)
    assert.strictEqual(steady.behindUnsafe(), 0)
  })

  it("goes on where the clock stands still", () => {
    const { clock, now } = byHand()
    const steady = steadyOf(clock)
    assert.strictEqual(steady.currentTimeMillisUnsafe(), someTime)
    now.monotonic += 5_000
    assert.strictEqual(steady.currentTimeMillisUnsafe(), someTime + 5_000)
  })

  it("never steps back, and no duration in it is longer than in monotonic time", () => {
    const step = fc.record({
      millis: fc.nat(10_000),
      micros: fc.nat(999),
      step: fc.oneof(fc.constant(0), fc.integer({ min: -20_000, max: 20_000 })),
    })
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const { clock, now } = byHand()
        const steady = steadyOf(clock)
        const first = steady.currentTimeMillisUnsafe()
        let last = first
        for (const { micros, millis, step } of steps) {
          now.monotonic += millis + micros / 1_000
          now.wall += millis + step
          const time = steady.currentTimeMillisUnsafe()
          assert.isTrue(Number.isInteger(time))
          assert.isAtLeast(time, last)
          assert.isAtLeast(time, now.wall)
          assert.isAbove(time - first, now.monotonic - 1)
          last = time
        }
      }),
    )
  })

  it("is not put ahead by a pause between its two readings", () => {
    const { clock, now, pass } = byHand()
    const paused: Clock.Clock = {
      ...clock,
      currentTimeMillisUnsafe: () => {
        const read = now.wall
        pass(50)
        return read
      },
    }
    const steady = steadyOf(paused)
    for (let i = 0; i < 10; i += 1) {
      assert.isAtMost(steady.currentTimeMillisUnsafe(), now.wall)
      assert.strictEqual(steady.behindUnsafe(), 0)
    }
  })
})

it("reads a clock that is not the system's once for each reading, on both its faces", () => {
  const { clock, readings } = byHand()
  const steady = steadyOf(clock)
  for (let i = 0; i < 10; i += 1) steady.currentTimeMillisUnsafe()
  assert.deepStrictEqual(readings, { wall: 10, monotonic: 10 })
})

it.effect(
  "reads the system's monotonic time seldom, and even where its time of day stands still",
  () =>
    Effect.sync(() => {
      const system = Context.get(Context.empty(), Clock.Clock)
      const real = { wall: system.currentTimeMillisUnsafe, nanos: system.monotonicTimeNanosUnsafe }
      const { clock, now, readings } = byHand()
      system.currentTimeMillisUnsafe = clock.currentTimeMillisUnsafe
      system.monotonicTimeNanosUnsafe = clock.monotonicTimeNanosUnsafe
      try {
        const steady = new SteadyClock(system)
        for (let i = 0; i < 65; i += 1) steady.currentTimeMillisUnsafe()
        assert.deepStrictEqual(readings, { wall: 65, monotonic: 1 })
        now.monotonic += 5_000
        assert.strictEqual(steady.currentTimeMillisUnsafe(), someTime + 5_000)
        now.wall -= 1
        assert.strictEqual(steady.currentTimeMillisUnsafe(), someTime + 5_000)
        assert.deepStrictEqual(readings, { wall: 67, monotonic: 3 })
        assert.strictEqual(steady.currentTimeMillisUnsafe(), someTime + 5_000)
        assert.deepStrictEqual(readings, { wall: 68, monotonic: 3 })
      } finally {
        system.currentTimeMillisUnsafe = real.wall
        system.monotonicTimeNanosUnsafe = real.nanos
      }
    }),
)

it.effect("is one for each clock, also where it is itself the clock", () =>
  Effect.gen(function* () {
    const steady = yield* steadyClock
    const again = yield* Effect.provideService(steadyClock, Clock.Clock, steady)
    assert.strictEqual(again, steady)
    assert.strictEqual(steadyOf(yield* Clock.Clock), steady)
  }),
)
