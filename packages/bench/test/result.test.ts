import { expect, it } from "vitest"
import { findCase } from "../src/Case.ts"
import { UsageError } from "../src/command.ts"
import { options } from "../src/options.ts"
import { result } from "../src/result.ts"
import { table } from "../src/table.ts"

const hit = findCase("hit")!
const zipf = hit.variants[0]!

it("a goal is met up to and including its ratio", () => {
  const at = (median: number) =>
    result(hit, zipf, { larder: [[median]], effect: [[400]] }).lines[0]!
  expect(at(300).goal).toEqual({ ratio: 0.75, met: true })
  expect(at(301).goal).toEqual({ ratio: 0.75, met: false })
})

it("a table shows the libraries side by side and says where a goal is missed", () => {
  const shown = table([result(hit, zipf, { larder: [[388], [412]], effect: [[400], [400]] })])
  expect(shown.split("\n").slice(0, 4)).toEqual([
    "hit: memory hit inside a fiber, ns a hit",
    "                median  p99  min  ratio  by min     rounds  goal",
    "  zipf  larder     388  412  388  0.97x   0.97x  0.97-1.03  <= 0.75x  MISSED",
    "        effect     400  400  400  1.00x   1.00x",
  ])
})

it("the command line names what is wrong and what would be right", () => {
  expect(options(["stampede", "--rounds", "7"])).toMatchObject({ rounds: 7, json: undefined })
  expect(() => options(["hits"])).toThrow('there is no case "hits": give one of hit, runPromise')
  expect(() => options(["--rounds", "0"])).toThrow("--rounds 0: give a whole number")
  expect(() => options(["--frist"])).toThrow(UsageError)
})
