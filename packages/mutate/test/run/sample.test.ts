import { expect, it } from "vitest"
import { sample } from "../../src/run/sample.ts"

const items = Array.from({ length: 100 }, (_, index) => index)

it("has as many as are wanted, each once, in their order", () => {
  for (const size of [0, 1, 37, 100]) {
    const drawn = sample(items, size, 7)
    expect(drawn).toHaveLength(size)
    expect([...new Set(drawn)].toSorted((a, b) => a - b)).toEqual(drawn)
  }
  expect(sample(items, 1_000, 7)).toEqual(items)
})

it("is the same for the same seed, and another for another", () => {
  expect(sample(items, 10, 1)).toEqual(sample(items, 10, 1))
  expect(sample(items, 10, 1)).not.toEqual(sample(items, 10, 2))
})

it("draws each as often as another", () => {
  const counts = items.map(() => 0)
  for (let seed = 0; seed < 2_000; seed++) {
    for (const item of sample(items, 10, seed)) counts[item]! += 1
  }
  expect(Math.min(...counts)).toBeGreaterThan(140)
  expect(Math.max(...counts)).toBeLessThan(260)
})
