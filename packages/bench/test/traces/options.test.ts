import { expect, it } from "vitest"
import { UsageError } from "../../src/command.ts"
import { options } from "../../src/traces/options.ts"

const names = (args: ReadonlyArray<string>): ReadonlyArray<string> =>
  options(args).sources.map(({ name }) => name)

it("files by their names, each once, and the generated traces where there are none", () => {
  expect(names([])).toEqual(["shop", "loop", "recency"])
  expect(names(["a/b.txt.gz", "c.log", "c.log", "--field", "url"])).toEqual(["b.txt.gz", "c.log"])
})

it("sizes are read, and what is none is named", () => {
  expect(options(["--sizes", "10, 20"]).sizes).toEqual([10, 20])
  expect(options([]).sizes).toBeUndefined()
  expect([options([]).alarms, options(["--alarms"]).alarms]).toEqual([false, true])
  for (const wrong of ["0", "1.5", "ten", "10,,20", ""]) {
    expect(() => options([`--sizes=${wrong}`])).toThrow(UsageError)
  }
  expect(() => options(["--sizes", "10,x"])).toThrow("--sizes x: give a whole number from 1 to")
  expect(() => options(["--field", "url"])).toThrow("--field url: name the FILE whose field it is")
  expect(() => options(["--size", "3"])).toThrow(UsageError)
})
