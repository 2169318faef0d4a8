import { expect, it } from "vitest"
import { options } from "../../src/blocking/options.ts"
import { report } from "../../src/blocking/report.ts"
import { UsageError } from "../../src/command.ts"

it("a line is met up to and including five milliseconds of its own", () => {
  const line = (title: string, millis: number) => ({
    title,
    operation: 0.125,
    held: { millis, doing: "a read" },
    turn: 31.5,
    collection: 26,
  })
  expect(report([line("cleared", 5), line("all expired", 5.01)]).split("\n")).toEqual([
    "             held up by      for  longest turn  longest GC  operation",
    "cleared      a read      5.00 ms      31.50 ms    26.00 ms    0.13 ms     met",
    "all expired  a read      5.01 ms      31.50 ms    26.00 ms    0.13 ms  MISSED",
  ])
})

it("the command line takes one number of entries", () => {
  expect(options([])).toEqual({ entries: 1_000_000 })
  expect(options(["5000"])).toEqual({ entries: 5_000 })
  expect(() => options(["many"])).toThrow("ENTRIES many: give a whole number")
  expect(() => options(["1", "2"])).toThrow(UsageError)
})
