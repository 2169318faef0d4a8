import { expect, it } from "vitest"
import { judged, table } from "../../src/traces/figures.ts"

const at = (larder: number, reference?: number) =>
  judged(
    1_000,
    { opt: 60, lru: 40, larder },
    { reference: new Map(reference === undefined ? [] : [[1_000, reference]]) },
  )

it("the goal is the higher one of what LRU and what the reference allow", () => {
  expect(at(38)).toMatchObject({ goal: 38, met: true })
  expect(at(37.99)).toMatchObject({ goal: 38, met: false })
  expect(at(42, 42.5)).toMatchObject({ goal: 42, met: true })
  expect(at(41.99, 42.5)).toMatchObject({ goal: 42, met: false })
  expect(at(38, 30)).toMatchObject({ goal: 38, met: true })
})

it("a loop that LRU has nothing of has a goal by what there is to have, or none", () => {
  const ratios = { opt: 90, lru: 0, larder: 44 }
  const half = { shareOfOpt: 0.5 }
  expect(judged(9, ratios, half)).toMatchObject({ goal: 45, met: false })
  expect(judged(9, { ...ratios, larder: 45 }, half)).toMatchObject({ met: true })
  expect(judged(9, ratios, {})).toMatchObject({ goal: undefined, met: undefined })
})

it("a table has a line for each size", () => {
  const loop = judged(100, { opt: 50, lru: 0, larder: 0 }, {})
  expect(table("shop", "3 requests", [at(42.25, 42.5), at(9.5), loop])).toBe(
    [
      "shop: 3 requests",
      "   size    OPT    LRU  Larder  Larder - LRU  reference      goal",
      "  1,000  60.00  40.00   42.25         +2.25      42.50  >= 42.00     met",
      "  1,000  60.00  40.00    9.50        -30.50             >= 38.00  MISSED",
      "    100  50.00   0.00    0.00         +0.00",
    ].join("\n"),
  )
})
