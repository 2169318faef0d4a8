/** The shared timer of all that is told at intervals. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { everyWindow } from "../../../src/internal/observe/windows.ts"
import { systemClock } from "../../../src/internal/runtime/processLife.ts"
import { countedClock } from "../../support/countedClock.ts"

describe("a window", () => {
  it.effect("ends every 30 seconds, for all at once, by one timer", () =>
    Effect.gen(function* () {
      const { clock, sleeps } = yield* countedClock
      const ended: Array<string> = []
      const stopOne = everyWindow(clock, () => ended.push("one"))
      yield* TestClock.adjust("20 seconds")
      const stopOther = everyWindow(clock, () => ended.push("other"))
      assert.strictEqual(sleeps.begun, 1)
      yield* TestClock.adjust("9999 millis")
      assert.deepStrictEqual(ended, [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(ended, ["one", "other"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(ended, ["one", "other", "one", "other", "one", "other"])
      assert.strictEqual(sleeps.begun, 4)
      stopOne()
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(ended.slice(6), ["other"])
      stopOther()
    }),
  )

  it.effect("has no timer without subscribers, and a new one for the next", () =>
    Effect.gen(function* () {
      const { clock, sleeps } = yield* countedClock
      const ended: Array<string> = []
      everyWindow(clock, () => ended.push("one"))()
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(sleeps.begun, 1)
      const stop = everyWindow(clock, () => ended.push("two"))
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(ended, ["two"])
      stop()
    }),
  )

  it.effect("is not told to a subscriber that another one has ended meanwhile", () =>
    Effect.gen(function* () {
      const { clock } = yield* countedClock
      const ended: Array<string> = []
      const stops: Array<() => void> = []
      const stopAll = () => {
        ended.push("one")
        for (const stop of stops) stop()
      }
      stops.push(everyWindow(clock, stopAll))
      stops.push(everyWindow(clock, () => ended.push("two")))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(ended, ["one"])
    }),
  )

  it("keeps no process alive", () => {
    const timers = () =>
      process.getActiveResourcesInfo().filter((what) => what === "Timeout").length
    const before = timers()
    const stop = everyWindow(systemClock, () => {})
    assert.strictEqual(timers(), before)
    stop()
  })
})
