import { expect, it } from "vitest"
import { coverageOf, ordered, testsFor, testsForLoaded } from "../../src/run/schedule.ts"
import type { Measured } from "../../src/worker/protocol.ts"
import { mutantsOf } from "../source/mutants.ts"

const test = (key: string, millis: number, covered: ReadonlyArray<number> = [0]): Measured => ({
  key,
  file: "a.test.ts",
  millis,
  passed: true,
  covered,
})
const random = test("core/test/sequences.test.ts > over memory", 1)
const keys = (tests: ReadonlyArray<{ readonly key: string }>) => tests.map(({ key }) => key)

it("the quick go first, random sequences last", () => {
  expect(keys(ordered([random, test("slow", 90), test("quick", 2)]))).toEqual([
    "quick",
    "slow",
    random.key,
  ])
})

it("a test that noticed mutants of the file goes before quicker ones", () => {
  const tests = [test("slow", 90), test("quick", 2)]
  expect(keys(ordered(tests, new Map([["slow", 5]])))).toEqual(["quick", "slow"])
  expect(keys(ordered(tests, new Map([["slow", 9]])))).toEqual(["slow", "quick"])
})

it("a mutant has to pass the tests that evaluate its node, each within a limit", () => {
  const [mutant] = mutantsOf("const a = !b")
  const coverage = coverageOf([test("with", 100, [0, 3]), test("without", 1, [3])], [])
  expect(testsFor(mutant!, coverage)).toEqual([{ key: "with", limit: 3_000 }])
})

it("a mutant of what loading evaluates has to pass all tests, those of its file first", () => {
  const tests = [test("far", 1, [9]), test("near", 50, [2]), test("none", 1, []), random]
  const planned = testsForLoaded(new Set([2]), coverageOf(tests, [2]))
  expect(keys(planned)).toEqual(["near", "far"])
})
