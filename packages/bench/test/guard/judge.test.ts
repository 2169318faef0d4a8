import { expect, it } from "vitest"
import { type Bound, isMet, told } from "../../src/guard/judge.ts"

const bound: Bound = { title: "a hit, to another", unit: "times", atMost: 1.5 }

it("a bound is met up to and including its value", () => {
  expect(isMet(bound, [1.5])).toBe(true)
  expect(isMet(bound, [1.501])).toBe(false)
})

it("one good attempt is enough, since what became slower is slower in all", () => {
  expect(isMet(bound, [3, 1.2, 2.9])).toBe(true)
  expect(isMet(bound, [3, 2.8, 2.9])).toBe(false)
})

it("what was not measured does not meet a bound", () => {
  expect(isMet(bound, [])).toBe(false)
  expect(isMet(bound, [Number.NaN])).toBe(false)
  expect(isMet(bound, [-Infinity])).toBe(false)
})

it("a bound of zero is for what must not be done at all", () => {
  const none: Bound = { title: "bytes of a hit", unit: "bytes", atMost: 0 }
  expect(isMet(none, [0])).toBe(true)
  expect(isMet(none, [0.001])).toBe(false)
})

it("what exceeds its bound is told with every attempt, what does not in short", () => {
  expect(told("hit", bound, [3, 1.234])).toBe(
    "ok           1.23x  at most 1.50x    hit: a hit, to another",
  )
  expect(told("hit", bound, [3, 2.8])).toBe(
    "EXCEEDED     2.80x  at most 1.50x    hit: a hit, to another (3.00x, 2.80x)",
  )
  const bytes: Bound = { title: "bytes of a hit", unit: "bytes", atMost: 80 }
  expect(told("hitBytes", bytes, [64.4])).toContain("64 B  at most 80 B")
})
