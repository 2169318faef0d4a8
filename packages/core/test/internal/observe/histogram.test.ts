import { expect, it } from "vitest"
import { Histogram } from "../../../src/internal/observe/histogram.ts"

it("counts values up to each bound, cumulatively", () => {
  const histogram = new Histogram([1, 5])
  for (const value of [0.5, 1, 3, 5, 7]) histogram.record(value)
  expect(histogram.state).toEqual({
    buckets: [
      [1, 2],
      [5, 4],
    ],
    count: 5,
    sum: 16.5,
    min: 0.5,
    max: 7,
  })
})

it("adds another one of the same bounds", () => {
  const [one, other] = [new Histogram([1]), new Histogram([1])]
  one.record(0.5)
  other.record(2)
  one.add(other)
  expect(one.state).toEqual({ buckets: [[1, 1]], count: 2, sum: 2.5, min: 0.5, max: 2 })
})

it("is 0 without values", () => {
  expect(new Histogram([1]).state).toEqual({ buckets: [[1, 0]], count: 0, sum: 0, min: 0, max: 0 })
})
