import { expect, it } from "vitest"
import { type Compared, result } from "../src/result.ts"
import { table } from "../src/table.ts"

const bench: Compared = {
  name: "hit",
  title: "memory hit inside a fiber, ns a hit",
  unit: "ns",
  baseline: "effect",
  entrants: [{ name: "larder" }, { name: "effect" }],
  goals: [
    { entrant: "larder", than: "effect", ratio: 0.75 },
    { entrant: "effect", than: "larder", ratio: 1.1 },
  ],
}

it("a goal is met up to and including its ratio, against the baseline or another", () => {
  const at = (median: number) =>
    result(
      bench,
      "zipf",
      new Map([
        ["larder", [[median]]],
        ["effect", [[400]]],
      ]),
    ).verdicts
  expect(at(300)).toMatchObject([
    { contender: "larder", than: "effect", goal: 0.75, ratio: 0.75, met: true },
    { contender: "effect", than: "larder", goal: 1.1, met: false },
  ])
  expect(at(400).map(({ met }) => met)).toEqual([false, true])
})

it("an entrant without samples is no result", () => {
  expect(() => result(bench, "zipf", new Map([["larder", [[1]]]]))).toThrow(
    "effect has no samples in hit",
  )
})

it("a table shows the libraries side by side and says which goals are missed", () => {
  const shown = table([
    result(
      bench,
      "zipf",
      new Map([
        ["larder", [[388], [412]]],
        ["effect", [[400], [400]]],
      ]),
    ),
  ])
  expect(shown.split("\n")).toEqual([
    "hit: memory hit inside a fiber, ns a hit",
    "                median  p99  min  ratio  by min     rounds",
    "  zipf  larder     388  412  388  0.97x   0.97x  0.97-1.03",
    "        effect     400  400  400  1.00x   1.00x",
    "  MISSED  zipf: larder at 0.97x of effect, wanted 0.75x at most",
    "  met     zipf: effect at 1.03x of larder, wanted 1.10x at most",
  ])
})
