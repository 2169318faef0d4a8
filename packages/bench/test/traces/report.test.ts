import { expect, it } from "vitest"
import { figures } from "../../src/traces/figures.ts"
import { summary, table } from "../../src/traces/report.ts"

const at = (larder: number, reference?: number) =>
  figures(1_000, { opt: 60, lru: 40, larder }, { reference })

it("the goal is the higher one of what LRU and what the reference allow", () => {
  expect(at(38)).toMatchObject({ goal: 38, met: true })
  expect(at(37.99)).toMatchObject({ goal: 38, met: false })
  expect(at(42, 42.5)).toMatchObject({ goal: 42, met: true })
  expect(at(41.99, 42.5)).toMatchObject({ goal: 42, met: false })
  expect(at(38, 30)).toMatchObject({ goal: 38, met: true })
})

it("a loop that LRU has nothing of has a goal by what there is to have, or none", () => {
  const ratios = { opt: 90, lru: 0, larder: 44 }
  expect(figures(9, ratios, { shareOfOpt: 0.5 })).toMatchObject({ goal: 45, met: false })
  expect(figures(9, { ...ratios, larder: 45 }, { shareOfOpt: 0.5 })).toMatchObject({ met: true })
  expect(figures(9, ratios, {})).toMatchObject({ goal: undefined, met: undefined })
})

const loop = figures(100, { opt: 50, lru: 0, larder: 0 }, {})

const shop = {
  trace: "shop",
  title: "pages",
  requests: 95_607,
  keys: 13_756,
  sizes: [at(42.25, 42.5), at(9.5), loop],
}

it("a table has a line for each size", () => {
  expect(table(shop)).toBe(
    [
      "shop: pages",
      "  95,607 requests for 13,756 keys",
      "   size    OPT    LRU  Larder  Larder - LRU  reference      goal",
      "  1,000  60.00  40.00   42.25         +2.25      42.50  >= 42.00     met",
      "  1,000  60.00  40.00    9.50        -30.50             >= 38.00  MISSED",
      "    100  50.00   0.00    0.00         +0.00",
    ].join("\n"),
  )
})

it("the summary tells where Larder is worst and best", () => {
  expect(summary([shop])).toBe(
    "1 of 2 goals met. Larder - LRU: from -30.50 (shop, 1,000) to +2.25 (shop, 1,000).",
  )
})
