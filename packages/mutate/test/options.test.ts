import { expect, it } from "vitest"
import { UsageError } from "../src/command.ts"
import { options } from "../src/options.ts"

it("without words all of core is meant, with a group that group alone", () => {
  expect(options([])).toMatchObject({ paths: ["packages/core/src"], groups: [], sample: undefined })
  expect(options(["--group", "wire"])).toMatchObject({ paths: [], groups: ["wire"] })
  expect(options(["--help"])).toBe("help")
})

it("numbers are read", () => {
  const read = options(["a", "b", "--sample", "20", "--seed", "4", "--at-least", "92.5%"])
  expect(read).toMatchObject({ paths: ["a", "b"], sample: 20, seed: 4, atLeast: 92.5 })
})

it.each([
  [["--sample", "many"], "--sample many: give a whole number from 1"],
  [["--sample", "0"], "--sample 0: give a whole number from 1"],
  [["--runs", "0"], "--runs 0: give a whole number from 1"],
  [["--seed", "1.5"], "--seed 1.5: give a whole number from 0"],
  [["--at-least", "101"], "--at-least 101: give a number from 0 to 100"],
  [["--workers", "0"], "--workers 0: give a whole number from 1 to 64"],
  [["--smaple", "3"], "--smaple"],
])("%j is refused with a remedy", (args, message) => {
  expect(() => options(args)).toThrow(UsageError)
  expect(() => options(args)).toThrow(message)
})
