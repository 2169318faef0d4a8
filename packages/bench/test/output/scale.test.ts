import { expect, it } from "vitest"
import { forBars, linear, logarithmic } from "../../src/output/scale.ts"

it("a linear axis goes from zero to a round number", () => {
  expect(linear(7_441)).toMatchObject({
    from: 0,
    to: 8_000,
    ticks: [0, 2_000, 4_000, 6_000, 8_000],
  })
  expect(linear(0.31).ticks.map((tick) => tick.toFixed(1))).toEqual([
    "0.0",
    "0.1",
    "0.2",
    "0.3",
    "0.4",
  ])
  expect(linear(100).at(25)).toBe(0.25)
})

it("a logarithmic axis holds all values between round numbers, and equal factors are equally far", () => {
  const { at, from, ticks, to } = logarithmic(0.15, 1.4)
  expect([from, to]).toEqual([0.1, 2])
  expect(ticks).toEqual([0.1, 0.2, 0.5, 1, 2])
  expect([at(0.1), at(2)]).toEqual([0, 1])
  expect(at(0.4) - at(0.2)).toBeCloseTo(at(0.8) - at(0.4))
})

it("over many powers of ten only those have labels", () => {
  expect(logarithmic(1.5, 40_000).ticks).toEqual([1, 10, 100, 1_000, 10_000])
})

it("bars have a linear axis up to a spread of 20, and then none of them has no length", () => {
  expect(forBars(10, 200).logarithmic).toBe(false)
  const wide = forBars(10, 201)
  expect(wide.logarithmic).toBe(true)
  expect(wide.at(10)).toBeGreaterThan(0.05)
})
