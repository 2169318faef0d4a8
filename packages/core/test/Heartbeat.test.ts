import { expect, it } from "@effect/vitest"
import { Heartbeat } from "@larder/core"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"

/** A heartbeat of one second whose beats come back, unless a test loses them. */
const beating = (send: Effect.Effect<unknown, unknown> = Effect.void) =>
  Effect.gen(function* () {
    const told: Array<string> = []
    let count = 0
    const heartbeat = yield* Heartbeat.make({
      everyMillis: 1_000,
      send: Effect.suspend(() => {
        count += 1
        return send
      }),
      onSilence: () => told.push("silence"),
      onHeard: () => told.push("heard"),
    })
    return { ...heartbeat, told, beats: () => count }
  })

it.effect("law 19: silence is told once, three heartbeats after the last beat that came back", () =>
  Effect.gen(function* () {
    const { beats, heard, told } = yield* beating()
    yield* TestClock.adjust("1500 millis")
    expect(beats()).toBe(2)
    heard()
    yield* TestClock.adjust("2999 millis")
    expect(told).toEqual([])
    yield* TestClock.adjust("1 millis")
    expect(told).toEqual(["silence"])
    yield* TestClock.adjust("10 seconds")
    expect(told).toEqual(["silence"])
    heard()
    expect(told).toEqual(["silence", "heard"])
    heard()
    yield* TestClock.adjust("3 seconds")
    expect(told).toEqual(["silence", "heard", "silence"])
  }).pipe(Effect.scoped),
)

it.effect("beats that come back tell nothing", () =>
  Effect.gen(function* () {
    const { heard, told } = yield* beating()
    for (let i = 0; i < 20; i += 1) {
      yield* TestClock.adjust("1 second")
      heard()
    }
    expect(told).toEqual([])
  }).pipe(Effect.scoped),
)

it.effect("a beat that hangs, fails or dies does not keep silence from being noticed", () =>
  Effect.gen(function* () {
    const hanging = yield* beating(Effect.never)
    const failing = yield* beating(Effect.fail("down"))
    const dying = yield* beating(Effect.die("broken"))
    yield* TestClock.adjust("5 seconds")
    for (const { told } of [hanging, failing, dying]) expect(told).toEqual(["silence"])
    // No other one while one is under way.
    expect(hanging.beats()).toBe(1)
    expect(failing.beats()).toBe(6)
  }).pipe(Effect.scoped),
)

it.effect("time in which the process could not run does not count", () =>
  Effect.gen(function* () {
    const clock = yield* Effect.clockWith(Effect.succeed)
    let pausedMillis = 0
    const busy: Clock.Clock = {
      ...clock,
      currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + pausedMillis,
      monotonicTimeNanosUnsafe: () =>
        clock.monotonicTimeNanosUnsafe() + BigInt(pausedMillis) * 1_000_000n,
    }
    const { heard, told } = yield* Effect.provideService(beating(), Clock.Clock, busy)
    yield* TestClock.adjust("500 millis")
    heard()
    pausedMillis = 60_000
    yield* TestClock.adjust("1 second")
    expect(told).toEqual([])
    yield* TestClock.adjust("3 seconds")
    expect(told).toEqual(["silence"])
  }).pipe(Effect.scoped),
)

it.effect("beats end with the scope", () =>
  Effect.gen(function* () {
    const { beats, told } = yield* Effect.scoped(beating())
    yield* TestClock.adjust("1 minute")
    expect(beats()).toBe(1)
    expect(told).toEqual([])
  }),
)
