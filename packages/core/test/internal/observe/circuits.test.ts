/** How long circuit breakers have been in each state. */
import { expect, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { CircuitTimes, Circuits } from "../../../src/internal/observe/circuits.ts"

it.effect(
  "the time in the present state goes on, and the sum is the time since the beginning",
  () =>
    Effect.gen(function* () {
      const times = new CircuitTimes("prices", yield* Clock.Clock)
      const all = () => [
        times.millisIn("Closed"),
        times.millisIn("Open"),
        times.millisIn("HalfOpen"),
      ]
      yield* TestClock.adjust(100)
      expect(all()).toEqual([100, 0, 0])
      times.moved("Open")
      yield* TestClock.adjust(50)
      times.moved("HalfOpen")
      yield* TestClock.adjust(5)
      times.moved("Open")
      yield* TestClock.adjust(20)
      expect(all()).toEqual([100, 70, 5])
      expect(times.state).toBe("Open")
      // Since it was last closed: a failed probe does not begin the time anew.
      expect(times.notClosedMillis).toBe(75)
      times.moved("Closed")
      yield* TestClock.adjust(1)
      expect(all()).toEqual([101, 70, 5])
      expect(times.notClosedMillis).toBe(0)
    }),
)

it.effect("circuits that come later are told as well", () =>
  Effect.gen(function* () {
    const circuits = new Circuits(yield* Clock.Clock)
    circuits.add("tier")
    const told: Array<string> = []
    circuits.each(({ name }) => told.push(name))
    circuits.add("tier b:6379")
    expect(told).toEqual(["tier", "tier b:6379"])
    expect(circuits.names).toEqual(told)
  }),
)
