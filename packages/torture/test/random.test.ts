import { expect, it } from "vitest"
import * as Random from "../src/random.ts"

it("gives the same for the same seed", () => {
  const draws = (seed: number) => {
    const random = Random.make(seed)
    return Array.from({ length: 20 }, () => random.between(0, 1_000))
  }
  expect(draws(1)).toEqual(draws(1))
  expect(draws(1)).not.toEqual(draws(2))
  expect(Random.derived(1, "a")).not.toBe(Random.derived(1, "b"))
})

it("stays within its bounds, and reaches them", () => {
  const random = Random.make(1)
  const drawn = new Set(Array.from({ length: 200 }, () => random.between(3, 5)))
  expect([...drawn].toSorted()).toEqual([3, 4, 5])
})

it("picks by weight", () => {
  const random = Random.make(1)
  const drawn = Array.from({ length: 1_000 }, () =>
    random.weighted({ never: 0, seldom: 1, often: 9 }),
  )
  expect(drawn).not.toContain("never")
  expect(drawn.filter((name) => name === "often").length).toBeGreaterThan(850)
})
