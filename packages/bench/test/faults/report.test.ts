import { expect, it } from "vitest"
import { seen, table } from "../../src/faults/report.ts"

const answered = (millis: number) => ({ hasFailed: false, millis })

it("times are those of all calls, failed ones too", () => {
  const outcomes = [{ hasFailed: true, millis: 4 }, answered(1), answered(3), answered(2)]
  expect(seen(outcomes, 7)).toEqual({
    calls: 4,
    failed: 1,
    lookups: 7,
    median: 2,
    p99: 4,
    max: 4,
  })
})

it("a call that was given up took longer than it was waited for, and a table says so", () => {
  const half = seen([answered(0.25), answered(2_071), answered(15_003)], 2)
  expect(table("cold", { larder: seen([answered(20.44)], 1), bentocache: half })).toBe(
    [
      "Redis frozen for 2 s, nothing in memory",
      "               median      p99      max  failed  lookups",
      "  larder      20.4 ms  20.4 ms  20.4 ms  0 of 1        1",
      "  bentocache   2.07 s   > 15 s   > 15 s  0 of 3        2",
    ].join("\n"),
  )
})
