import { expect, it } from "vitest"
import type { Outcome } from "../../src/faults/paced.ts"
import { seen, tables } from "../../src/faults/report.ts"

const answered = (millis: number): Outcome => ({ ended: "answered", millis })

it("times are those of all calls, failed ones too", () => {
  const outcomes: ReadonlyArray<Outcome> = [
    { ended: "failed", millis: 4 },
    answered(1),
    answered(3),
    answered(2),
  ]
  expect(seen(outcomes, 7)).toEqual({
    calls: 4,
    failed: 1,
    lookups: 7,
    median: { millis: 2, orMore: false },
    p99: { millis: 4, orMore: false },
    max: { millis: 4, orMore: false },
  })
})

it("a call that was given up took longer than it was waited for, and a table says so", () => {
  const half = seen([answered(0.25), answered(2_071), { ended: "given up", millis: 15_003 }], 2)
  expect(
    tables({
      scenarios: [
        {
          scenario: "cold",
          title: "Redis is frozen",
          seen: { larder: seen([answered(20.44)], 1), bentocache: half },
        },
      ],
    }),
  ).toBe(
    [
      "Redis is frozen",
      "               median      p99      max  failed  lookups",
      "  larder      20.4 ms  20.4 ms  20.4 ms  0 of 1        1",
      "  bentocache   2.07 s   > 15 s   > 15 s  0 of 3        2",
    ].join("\n"),
  )
})
