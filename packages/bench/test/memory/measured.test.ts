import { expect, it } from "vitest"
import { resultsOf } from "../../src/memory/measured.ts"
import { table } from "../../src/table.ts"

const round = (bytes: number, nanos: number) => ({
  bytes: [bytes],
  hit: [nanos, nanos],
  set: [10 * nanos],
})

it("Larder is held against lru-cache, and against its goals for an entry and a hit", () => {
  const results = resultsOf(
    "expiry",
    new Map([
      ["larder", [round(95.2, 280), round(95.2, 340)]],
      ["lru-cache", [round(96, 200), round(96, 200)]],
    ]),
  )
  expect(table(results).split("\n")).toEqual([
    "bytes: an entry beyond its key and value, bytes",
    "                     median   p99   min  ratio  by min     rounds",
    "  expiry  larder       95.2  95.2  95.2  0.99x   0.99x  0.99-0.99",
    "          lru-cache    96.0  96.0  96.0  1.00x   1.00x",
    "          95 B         95.0  95.0  95.0  0.99x   0.99x  0.99-0.99",
    "  MISSED  expiry: larder at 1.00x of 95 B, wanted 1.00x at most",
    "",
    "hit: a hit, evenly over all keys, ns",
    "                     median  p99  min  ratio  by min     rounds",
    "  expiry  larder        280  340  280  1.40x   1.40x  1.40-1.70",
    "          lru-cache     200  200  200  1.00x   1.00x",
    "  met     expiry: larder at 1.40x of lru-cache, wanted 1.50x at most",
    "",
    "set: a new key into a full store, ns",
    "                     median   p99   min  ratio  by min     rounds",
    "  expiry  larder       2800  3400  2800  1.40x   1.40x  1.40-1.70",
    "          lru-cache    2000  2000  2000  1.00x   1.00x",
  ])
})
