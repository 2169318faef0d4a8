import { expect, it } from "vitest"
import { contenderNames } from "../../src/memory/contenders.ts"
import { type Seen, table } from "../../src/memory/report.ts"

const round = (bytes: number, nanos: number) => ({
  bytes,
  nanosPerHit: [nanos, nanos],
  nanosPerSet: 10 * nanos,
})

it("each contender is held against what knows as much, and Larder against its goals", () => {
  const seen: Seen = new Map([
    ["lru-cache", [round(80, 100), round(80, 100)]],
    ["lru-cache, ttl", [round(96, 200), round(96, 200)]],
    ["larder", [round(95, 150), round(95, 150)]],
    ["larder, expiry", [round(95.2, 280), round(95.2, 340)]],
  ])
  expect(table(100_000, seen).split("\n")).toEqual([
    "100,000 entries",
    "                  bytes   goal          ns a hit  ratio     rounds      goal       ns a set  ratio",
    "  lru-cache        80.0                      100  1.00x  1.00-1.00                     1000  1.00x",
    "  lru-cache, ttl   96.0                      200  1.00x  1.00-1.00                     2000  1.00x",
    "  larder           95.0  <= 95     met       150  1.50x  1.50-1.50  <= 1.50x  met      1500  1.50x",
    "  larder, expiry   95.2  <= 95  MISSED       280  1.40x  1.40-1.70  <= 1.50x  met      2800  1.40x",
  ])
})

it("a contender without its baseline is no result", () => {
  for (const name of contenderNames.filter((each) => !each.startsWith("lru-cache"))) {
    expect(() => table(1, new Map([[name, [round(1, 1)]]]))).toThrow(`${name} has to be beside lru`)
  }
})
