import { expect, it } from "vitest"
import { longestHeld, type Turn } from "../../src/blocking/turns.ts"

const turn = (from: number, to: number, more: Partial<Turn> = {}): Turn => ({
  from,
  to,
  computing: to - from,
  doing: `from ${from}`,
  ...more,
})

it("the longest turn counts, and what was going on in it", () => {
  expect(longestHeld([turn(0, 2), turn(2, 9), turn(9, 10)], [])).toEqual({
    millis: 7,
    doing: "from 2",
  })
  expect(longestHeld([], [])).toEqual({ millis: 0, doing: "" })
})

it("collections of garbage do not count, nor the part of them in another turn", () => {
  const turns = [turn(0, 10), turn(10, 16)]
  expect(
    longestHeld(turns, [
      { from: 1, to: 4 },
      { from: 8, to: 11 },
    ]),
  ).toEqual({
    millis: 5,
    doing: "from 0",
  })
})

it("time that other processes had does not count", () => {
  expect(longestHeld([turn(0, 30, { computing: 1 }), turn(30, 33)], [])).toEqual({
    millis: 3,
    doing: "from 30",
  })
})
