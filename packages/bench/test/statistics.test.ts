import { expect, it } from "vitest"
import { compare, quantile, summary } from "../src/statistics.ts"

it("a quantile is the nearest rank", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
  expect([0, 0.5, 0.99, 1].map((share) => quantile(hundred, share))).toEqual([1, 50, 99, 100])
  expect(quantile([8], 0.99)).toBe(8)
  expect(() => quantile([], 0.5)).toThrow("at least one sample")
})

it("a summary does not need sorted samples and leaves them as they are", () => {
  const samples = [30, 10, 20]
  expect(summary(samples)).toEqual({ samples: 3, median: 20, p99: 30, min: 10 })
  expect(samples).toEqual([30, 10, 20])
})

it("a comparison pools the rounds and gives the range of ratios of single rounds", () => {
  expect(compare([[1, 1], [4]], [[2, 2], [2]])).toEqual({
    ratio: 0.5,
    byMin: 0.5,
    lowest: 0.5,
    highest: 2,
  })
})
