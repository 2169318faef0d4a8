import { expect, it } from "vitest"
import { wilson } from "../../src/report/wilson.ts"

it.each([
  [0, 10, 0, 0.2775],
  [5, 10, 0.2366, 0.7634],
  [10, 10, 0.7225, 1],
  [180, 200, 0.8506, 0.9343],
])("%i of %i", (successes, trials, low, high) => {
  const interval = wilson(successes, trials)
  expect(interval.low).toBeCloseTo(low, 4)
  expect(interval.high).toBeCloseTo(high, 4)
})

it("of nothing nothing is known", () => {
  expect(wilson(0, 0)).toEqual({ low: 0, high: 1 })
})
