import { expect, it } from "vitest"
import { chosen, named, parse, UsageError, wholeNumber } from "../src/command.ts"

const items = [{ name: "hit" }, { name: "miss" }]

it("without names every item is meant, with names those, each once", () => {
  expect(chosen("check", items, [])).toBe(items)
  expect(chosen("check", items, ["miss", "hit", "miss"])).toEqual(items.toReversed())
})

it("a name that is none is told with those that are", () => {
  expect(() => chosen("check", items, ["hit", "hits"])).toThrow(UsageError)
  expect(() => named("check", items, "hits")).toThrow(
    'there is no check "hits": give one of hit, miss',
  )
})

it("a number is whole and within its bounds, and an option is one that there is", () => {
  expect(wholeNumber("--rounds", "99", 99)).toBe(99)
  for (const wrong of ["0", "100", "1.5", "-3", "ten", ""]) {
    expect(() => wholeNumber("--rounds", wrong, 99)).toThrow(
      `--rounds ${wrong}: give a whole number from 1 to 99`,
    )
  }
  expect(() => parse(["--frist"], {})).toThrow(UsageError)
})
