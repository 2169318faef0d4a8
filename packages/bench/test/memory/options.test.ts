import { expect, it } from "vitest"
import { UsageError } from "../../src/command.ts"
import { options } from "../../src/memory/options.ts"

it("without arguments all cases are measured", () => {
  expect(options([])).toEqual({ cases: ["bytes", "churn", "hits"], rounds: 3, json: undefined })
  expect(options(["hits", "hits", "--rounds", "7"])).toMatchObject({ cases: ["hits"], rounds: 7 })
  expect(options(["--help"])).toBe("help")
})

it("the command line names what is wrong and what would be right", () => {
  expect(() => options(["hit"])).toThrow('there is no case "hit": give one of bytes, churn, hits')
  expect(() => options(["--rounds", "0"])).toThrow("--rounds 0: give a whole number from 1")
  expect(() => options(["--entries", "5"])).toThrow(UsageError)
})
