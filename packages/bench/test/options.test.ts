import { expect, it } from "vitest"
import { cases } from "../src/cases.ts"
import { UsageError } from "../src/command.ts"
import { given, options } from "../src/options.ts"
import { folder } from "../src/results.ts"

it("all cases are measured where none is named", () => {
  const all = { mode: "cases", cases, rounds: 5, seconds: undefined, folder }
  expect(options([])).toEqual(all)
  expect(options(["hit", "hit", "--to", "/tmp/x"])).toEqual({
    ...all,
    cases: [cases[0]],
    folder: "/tmp/x",
  })
  expect(options(["stampede", "--rounds", "7"])).toMatchObject({ rounds: 7, seconds: undefined })
  expect(options(["--seconds", "0.2"])).toMatchObject({ rounds: 5, seconds: 0.2 })
})

it("the options that repeat a measurement are those that differ from the defaults", () => {
  expect(given(options(["hit", "--rounds", "5"]))).toBe("")
  expect(given(options(["--seconds", "0.2", "--rounds", "1"]))).toBe("--rounds 1 --seconds 0.2")
})

it("a flag does something else, with the options that it has a use for", () => {
  expect(options(["--frozen", "--to", "/tmp/x"])).toMatchObject({
    mode: "frozen",
    folder: "/tmp/x",
  })
  expect(options(["--memory", "--rounds", "2"])).toMatchObject({ mode: "memory", rounds: 2 })
  expect(options(["--metrics"])).toMatchObject({ mode: "metrics", rounds: 5 })
  expect(options(["--readme"])).toMatchObject({ mode: "readme" })
  expect(() => options(["--frozen", "--readme"])).toThrow("--frozen --readme: give one of them")
  expect(() => options(["--frozen", "hit", "--rounds", "2"])).toThrow(
    "--frozen takes no hit, --rounds",
  )
  expect(() => options(["--memory", "--seconds", "1"])).toThrow("--memory takes no --seconds")
  expect(() => options(["--readme", "--to", "/tmp/x"])).toThrow("--readme takes no --to")
})

it("the command line names what is wrong and what would be right", () => {
  expect(() => options(["hits"])).toThrow('there is no case "hits": give one of hit, runPromise')
  expect(() => options(["--rounds", "0"])).toThrow("--rounds 0: give a whole number")
  expect(() => options(["--seconds", "0"])).toThrow("--seconds 0: give a number above 0")
  expect(() => options(["--frist"])).toThrow(UsageError)
})
