import { expect, it } from "vitest"
import { UsageError } from "../src/command.ts"
import { page, replaced, section } from "../src/readme.ts"
import type { Report } from "../src/results.ts"
import {
  hit,
  line,
  onAnotherMachine,
  redis,
  report,
  result,
  withOptions,
  withVersion,
} from "./support/samples.ts"

const rowsOf = (reports: ReadonlyArray<Report>): ReadonlyArray<ReadonlyArray<string>> =>
  section(reports)
    .split("\n")
    .filter((row) => row.startsWith("| ["))
    .map((row) => row.split("|").map((cell) => cell.trim()))
    .map((cells) => cells.slice(2, -1))

it("every case has a row with Larder, the baseline, the fastest other library, whoever is faster, and the bare map", () => {
  const bare = [line("effect", 400, 900), line("bare Map getMany", 240, 300)] as const
  expect(rowsOf([hit, redis, report(result("many", line("larder", 300, 600), bare))])).toEqual([
    ["zipf", "300 ns", "effect 400 ns", "0.75x", "effect 400 ns", "0.75x", "", "met"],
    ["uniform", "200 us", "ioredis 160 us", "1.25x", "cacheable 180 us", "1.11x", "", "met"],
    ["each", "300 ns", "effect 400 ns", "0.75x", "effect 400 ns", "0.75x", "1.25x", "met"],
  ])
})

it("of several ways to ask a larder it is the one that is judged, however fast", () => {
  const [own] = hit.results
  const judged = { ...own!.lines[0]!, contender: "larder, judged" }
  const slower = { ...judged, summary: { ...judged.summary, median: 350 } }
  const verdicts = [{ ...own!.verdicts[0]!, contender: "larder, judged" }]
  const twice = { ...hit, results: [{ ...own!, lines: [slower, ...own!.lines], verdicts }] }
  expect(rowsOf([twice])[0]?.[1]).toBe("350 ns")
  expect(() => rowsOf([{ ...hit, results: [{ ...own!, verdicts }] }])).toThrow(
    "hit (zipf) judges no larder",
  )
})

it("goals that are missed are shown as missed, with what was wanted of whom and what it is", () => {
  const verdict = { contender: "larder", than: "effect", goal: 0.6, ratio: 0.75, met: false }
  const goalsOf = (verdicts: ReadonlyArray<typeof verdict>) =>
    rowsOf([{ ...hit, results: [{ ...hit.results[0]!, verdicts }] }])[0]?.at(-1)
  expect(goalsOf([verdict])).toBe("**missed**: at most 0.6x of effect (0.75x)")
  const met = { ...verdict, than: "bentocache", met: true }
  const slower = { ...verdict, than: "lru-cache", ratio: 6.481 }
  const stale = { ...verdict, than: "larder", goal: 2, ratio: 2.2 }
  expect(goalsOf([verdict, met, slower, stale])).toBe(
    "**missed** 3 of 4: at most 0.6x of effect (0.75x), lru-cache (6.48x); at most 2x of larder (2.20x)",
  )
})

it("the page of all libraries has a heading and a table for each case", () => {
  const text = page([hit, redis])
  expect(text).toContain("## hit\n\n```text\nhit: memory hit inside a fiber, ns a hit\n")
  expect(text).toContain("## redis\n")
  expect(text).toContain("bentocache over redis")
  expect(text.endsWith("```\n")).toBe(true)
})

it("the section names the machine, the versions and the command", () => {
  const text = section([hit])
  expect(text).toContain("Node v24.1.0, A <fast> CPU, 2 cores.")
  expect(text).toContain("lru-cache 11.5.3.")
  expect(text).toContain("`npx --yes pnpm@12 bench`: 5 rounds, a process each")
  const short = section([withOptions(hit, "--seconds 0.2")])
  expect(short).toContain("`npx --yes pnpm@12 bench --seconds 0.2`")
})

it("results that do not go together are refused with a remedy", () => {
  expect(() => section([hit, onAnotherMachine(redis)])).toThrow(
    /results of redis .*64 cores.* are of other circumstances or versions .*measure them all again/,
  )
  expect(() => section([hit, withVersion(redis, "effect", "4.2.0")])).toThrow(
    /results of hit .*effect 4\.1\.0.* are of other circumstances or versions/,
  )
  expect(() => section([hit, withOptions(redis, "--rounds 1")])).toThrow(
    /results of redis .*--rounds 1.* are of other circumstances/,
  )
  expect(() => section([])).toThrow("run pnpm bench first")
})

const readme = "before\n\n<!-- performance -->\nold\n<!-- /performance -->\n\nafter\n"

it("only what stands between the markers is replaced, and twice is as once", () => {
  const once = replaced(readme, "performance", "new")
  expect(once).toBe("before\n\n<!-- performance -->\n\nnew\n\n<!-- /performance -->\n\nafter\n")
  expect(replaced(once, "performance", "new")).toBe(once)
})

it("a page without markers, or with them in the wrong order, says what to put there", () => {
  const reversed = "<!-- /performance -->\n<!-- performance -->"
  for (const broken of ["# Larder", reversed]) {
    expect(() => replaced(broken, "performance", "new")).toThrow(UsageError)
    expect(() => replaced(broken, "performance", "new")).toThrow(
      "put <!-- performance --> and, below it",
    )
  }
})
