import { expect, it } from "vitest"
import { lists } from "../src/draw.ts"

const keys = Array.from({ length: 100 }, (_, index) => `key/${index}`)

const shares = (asked: ReadonlyArray<string>): ReadonlyArray<number> => {
  const counts = Map.groupBy(asked, (key) => key)
  return [...counts.values()].map((same) => same.length / asked.length).toSorted((a, b) => b - a)
}

it("the same seed asks for the same keys, other ones each time", () => {
  const [first, second] = [lists("zipf", keys, 50, 3), lists("zipf", keys, 50, 3)]
  const one = first()
  expect(one).toEqual(second())
  expect(first()).not.toEqual(one)
  expect(lists("zipf", keys, 50, 4)()).not.toEqual(one)
})

it("uniform keys are all asked for about as often, the first of Zipf's law a fifth of the time", () => {
  const found = shares(lists("uniform", keys, 20_000)())
  expect(found).toHaveLength(100)
  expect(found[0]!).toBeLessThan(0.013)
  expect(found[99]!).toBeGreaterThan(0.007)
  expect(shares(lists("zipf", keys, 20_000)())[0]!).toBeCloseTo(0.193, 1)
})

it("each key is asked for once in a pass, and then again", () => {
  const each = lists("each", keys, 30)
  const [first, ...others] = [each(), each(), each()]
  expect(new Set([first, ...others].flat()).size).toBe(90)
  expect(each()).toEqual(first)
})
