/** kill -9 of processes that count, and what the command says of it. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { compare, type Counted, killed, runs, tally } from "../src/kills.ts"
import { pageOf, visitors } from "../src/protocol.ts"
import * as Report from "../src/report.ts"

const settings = { kills: 1, views: 400, seed: 7 }

describe("kill -9 of a process that counts", () => {
  for (const run of runs) {
    const keeps = run.way === "through" || run.store === "sqlite"
    const title = keeps
      ? `${run.way} with ${run.way === "through" ? "no outbox" : "its outbox in SQLite"}: loses nothing`
      : `${run.way} with its outbox in memory: loses what waited`
    it.live(
      title,
      () =>
        Effect.gen(function* () {
          const { acknowledged, lost, stored } = yield* killed(run, settings)
          expect(acknowledged).toBeGreaterThanOrEqual(settings.views)
          if (keeps) {
            expect(lost).toBe(0)
            // Views whose callers had no answer yet, one for each visitor at most.
            expect(stored - acknowledged).toBeLessThanOrEqual(visitors * settings.kills)
          } else {
            expect(lost).toBeGreaterThan(0)
            expect(stored).toBeLessThan(acknowledged)
          }
        }),
      60_000,
    )
  }
})

describe("what was counted", () => {
  it("is compared page by page, and a line that was cut off does not count", () => {
    const counted = tally("page-1\npage-1\npage-2\npage-")
    expect(counted).toEqual(
      new Map([
        ["page-1", 2],
        ["page-2", 1],
      ]),
    )
    expect(compare(counted, { "page-1": 1, "page-2": 2 })).toEqual({
      acknowledged: 3,
      stored: 3,
      lost: 1,
    })
    expect(compare(counted, {})).toEqual({ acknowledged: 3, stored: 0, lost: 3 })
  })

  it("has a row for each way", () => {
    const all = runs.map((run): Counted => ({
      ...run,
      ...{ acknowledged: 10, stored: 9, lost: 1, microsPerView: 12.3, rowsPerView: 0.25 },
    }))
    const [head, ...rows] = Report.table(all)
    expect(head).toContain("in the source")
    expect(rows[0]).toMatch(/^through: the source counts +none +10 +9 +1 +12 +25\.0$/)
    expect(rows).toHaveLength(runs.length)
  })

  it("is viewed on some pages much more than on others", () => {
    expect([0, 0.5, 0.999].map(pageOf)).toEqual(["page-0", "page-5", "page-39"])
  })
})
