import { expect, it } from "vitest"
import * as Choices from "../src/choices.ts"

it("gives the same for the same seed", () => {
  const draws = (seed: number) => {
    const choices = Choices.make(seed)
    return Array.from({ length: 20 }, () => choices.between(0, 1_000))
  }
  expect(draws(1)).toEqual(draws(1))
  expect(draws(1)).not.toEqual(draws(2))
  expect(Choices.derived(1, "a")).not.toBe(Choices.derived(1, "b"))
})

it("stays within its bounds, and reaches them", () => {
  const choices = Choices.make(1)
  const drawn = new Set(Array.from({ length: 200 }, () => choices.between(3, 5)))
  expect([...drawn].toSorted()).toEqual([3, 4, 5])
})

it("picks by weight", () => {
  const choices = Choices.make(1)
  const drawn = Array.from({ length: 1_000 }, () =>
    choices.weighted({ never: 0, seldom: 1, often: 9 }),
  )
  expect(drawn).not.toContain("never")
  expect(drawn.filter((name) => name === "often").length).toBeGreaterThan(850)
})
