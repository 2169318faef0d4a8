import { expect, it } from "vitest"
import { type Case, cases, findCase } from "../src/Case.ts"
import { UsageError } from "../src/command.ts"
import { options } from "../src/options.ts"
import { result, type Round } from "../src/result.ts"
import { table } from "../src/table.ts"

const zipf = findCase("hit")!.variants[0]!

const bench: Case = {
  ...findCase("hit")!,
  entrants: [
    { name: "larder", contender: "larder" },
    { name: "effect", contender: "effect" },
  ],
  goals: [
    { entrant: "larder", ratio: 0.75 },
    { entrant: "effect", than: "larder", ratio: 1.1 },
  ],
}

const round = (samples: ReadonlyArray<number>, more: Partial<Round> = {}): Round => ({
  samples,
  calls: 100 * samples.length,
  lookups: 0,
  ...more,
})

it("a goal is met up to and including its ratio, against the baseline or another", () => {
  const at = (median: number) =>
    result(
      bench,
      zipf,
      new Map([
        ["larder", [round([median])]],
        ["effect", [round([400])]],
      ]),
    ).verdicts
  expect(at(300)).toMatchObject([
    { contender: "larder", than: "effect", goal: 0.75, ratio: 0.75, met: true },
    { contender: "effect", than: "larder", goal: 1.1, met: false },
  ])
  expect(at(400).map(({ met }) => met)).toEqual([false, true])
})

it("lookups and commands are those of a call, over all rounds", () => {
  const { lines } = result(
    bench,
    zipf,
    new Map([
      ["larder", [round([1], { lookups: 20 }), round([1], { lookups: 40 })]],
      ["effect", [round([1], { commands: 200 }), round([1, 1], { commands: 100 })]],
    ]),
  )
  expect(lines).toMatchObject([{ lookups: 0.3 }, { lookups: 0, commands: 1 }])
  expect(lines[0]).not.toHaveProperty("commands")
  expect(lines[1]).not.toHaveProperty("comparison")
})

it("an entrant without samples is no result", () => {
  expect(() => result(bench, zipf, new Map([["larder", [round([1])]]]))).toThrow(
    "effect has no samples in hit",
  )
})

it("a table shows the libraries side by side and says which goals are missed", () => {
  const shown = table([
    result(
      bench,
      zipf,
      new Map([
        ["larder", [round([388], { lookups: 1, commands: 50 }), round([412])]],
        ["effect", [round([400]), round([400])]],
      ]),
    ),
  ])
  expect(shown.split("\n")).toEqual([
    "hit: memory hit inside a fiber, ns a hit",
    "                median  p99  min  ratio  by min     rounds  lookups  commands",
    "  zipf  larder     388  412  388  0.97x   0.97x  0.97-1.03    0.005      0.25",
    "        effect     400  400  400  1.00x   1.00x                   0",
    "  MISSED  zipf: larder at 0.97x of effect, wanted 0.75x at most",
    "  met     zipf: effect at 1.03x of larder, wanted 1.10x at most",
  ])
})

it("all is measured where nothing is named", () => {
  expect(options([])).toMatchObject({ cases, frozen: true })
  expect(options(["hit"])).toMatchObject({ cases: [findCase("hit")], frozen: false })
  expect(options(["frozen"])).toMatchObject({ cases: [], frozen: true })
})

it("the command line names what is wrong and what would be right", () => {
  expect(options(["stampede", "--rounds", "7"])).toMatchObject({ rounds: 7, seconds: undefined })
  expect(options(["--seconds", "0.2"])).toMatchObject({ rounds: 5, seconds: 0.2 })
  expect(() => options(["hits"])).toThrow('there is no case "hits": give one of hit, hitListener')
  expect(() => options(["--rounds", "0"])).toThrow("--rounds 0: give a whole number")
  expect(() => options(["--seconds", "0"])).toThrow("--seconds 0: give a number above 0")
  expect(() => options(["--frist"])).toThrow(UsageError)
})
