import { expect, it } from "vitest"
import type { Churn } from "../../src/memory/churn.ts"
import { bytesTable, churnTable, hitsTable } from "../../src/memory/report.ts"

it("bytes have a goal for what is Larder's, and a ratio to what knows as much", () => {
  const table = bytesTable(
    new Map([
      ["Map", 30],
      ["lru-cache", 60],
      ["lru-cache, ttl", 75],
      ["larder", 95],
      ["larder, expiry", 95.1],
    ]),
  )
  expect(table.split("\n").slice(1)).toEqual([
    "                  bytes  ratio   goal",
    "  Map              30.0  0.50x",
    "  lru-cache        60.0  1.00x",
    "  lru-cache, ttl   75.0  1.00x",
    "  larder           95.0  1.58x  <= 95     met",
    "  larder, expiry   95.1  1.27x  <= 95  MISSED",
  ])
})

const churned = (nanosPerSet: number, collections: number): Churn => ({
  nanosPerSet,
  collections,
  millis: collections / 4,
  allocatedBytes: 5_000_000 * collections,
  bytesPerEntry: 80,
})

it("churn shows medians of rounds", () => {
  const table = churnTable(
    new Map([
      ["lru-cache", [churned(900, 4), churned(1_000, 6), churned(2_000, 5)]],
      ["larder", [churned(1_500, 0)]],
    ]),
  )
  expect(table.split("\n").slice(1)).toEqual([
    "             ns per set  ratio  collections  ms in them  garbage per set  bytes per entry",
    "  lru-cache        1000  1.00x            5         1.3        5.0 bytes             80.0",
    "  larder           1500  1.50x            0         0.0        0.0 bytes             80.0",
  ])
})

it("hits have a goal by the ratio of medians", () => {
  const table = hitsTable(
    "10 entries, zipf",
    new Map([
      [
        "lru-cache",
        [
          [100, 120, 140],
          [100, 100, 100],
        ],
      ],
      [
        "larder",
        [
          [150, 150, 150],
          [150, 150, 150],
        ],
      ],
      [
        "larder lru",
        [
          [151, 152, 152],
          [152, 152, 152],
        ],
      ],
    ]),
  )
  expect(table).toBe(
    [
      "hits: nanoseconds each, 10 entries, zipf",
      "              median  min  ratio  by min     rounds      goal",
      "  lru-cache      100  100  1.00x   1.00x  1.00-1.00",
      "  larder         150  150  1.50x   1.50x  1.25-1.50  <= 1.50x     met",
      "  larder lru     152  151  1.52x   1.51x  1.27-1.52  <= 1.50x  MISSED",
    ].join("\n"),
  )
})

it("what has nothing to be compared with is an error", () => {
  expect(() => bytesTable(new Map([["larder", 80]]))).toThrow(
    "larder is compared with lru-cache, which is absent",
  )
})
