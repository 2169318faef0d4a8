import { expect, it } from "vitest"
import { options, UsageError } from "../src/options.ts"
import { faultNames } from "../src/plan/faults.ts"

it("has defaults", () => {
  expect(options([])).toEqual({
    from: 1,
    seeds: 500,
    nodes: 3,
    steps: 200,
    faults: faultNames,
    threads: undefined,
    first: false,
    json: false,
  })
})

it("a seed alone is the only one", () => {
  expect(options(["--seed", "42"])).toMatchObject({ from: 42, seeds: 1 })
  expect(options(["--seed", "42", "--seeds", "3"])).toMatchObject({ from: 42, seeds: 3 })
})

it("takes faults by name", () => {
  expect(options(["--faults", "kill,flush"])).toMatchObject({ faults: ["kill", "flush"] })
  expect(options(["--faults", "none"])).toMatchObject({ faults: [] })
  expect(() => options(["--faults", "rain"])).toThrow("--faults rain: give some of messages")
})

it("takes a number of threads", () => {
  expect(options(["--threads", "1"])).toMatchObject({ threads: 1 })
  expect(() => options(["--threads", "0"])).toThrow("--threads 0: give a whole number from 1 to 64")
})

it("rejects what it does not know, with a remedy", () => {
  expect(() => options(["--nodes", "0"])).toThrow(UsageError)
  expect(() => options(["--nodes", "0"])).toThrow("give a whole number from 1 to 16")
  expect(() => options(["--what"])).toThrow(UsageError)
  expect(options(["--help"])).toBe("help")
})
