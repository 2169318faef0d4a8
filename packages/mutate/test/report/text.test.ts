import { expect, it } from "vitest"
import { figures } from "../../src/report/figures.ts"
import { json } from "../../src/report/json.ts"
import { type Report, text, told } from "../../src/report/text.ts"
import type { Fate, Result } from "../../src/run/results.ts"
import { mutantsOf } from "../source/mutants.ts"

const mutants = mutantsOf("const f = () => {\n  g()\n  return b <= c && d\n}")
const fates: ReadonlyArray<Fate> = [
  { _tag: "Survived" },
  { _tag: "Caught", by: "a", alone: false },
  { _tag: "Caught", by: "b", alone: true },
  { _tag: "TimedOut", by: undefined },
  { _tag: "NotCovered" },
]
const results: ReadonlyArray<Result> = mutants
  .slice(0, fates.length)
  .map((mutant, index) => ({ mutant, fate: fates[index]! }))
const report: Report = {
  results,
  explained: [],
  unneeded: [],
  sampledOf: undefined,
  seed: 1,
  untried: 0,
}

it("what timed out is caught, what no test evaluates is not", () => {
  expect(figures(results)).toMatchObject({
    mutants: 5,
    caught: 2,
    timedOut: 1,
    survived: 1,
    notCovered: 1,
    alone: 1,
    share: 0.6,
  })
  expect(figures([]).share).toBe(1)
})

it("survivors are listed with their place, and so is what random sequences alone caught", () => {
  const lines = text(report).split("\n")
  expect(lines).toContain("Survived (1)")
  expect(lines).toContain("  a.ts:2:3  g()  ->  (left out)  [statement left out]")
  expect(lines).toContain("Not covered by any test (1)")
  expect(lines).toContain("Caught by random sequences alone (1)")
  expect(lines[1]).toMatch(/60\.0 %\s+5\s+2\s+1\s+1\s+1\s+1$/)
})

it("a sample has intervals and says of how many it is", () => {
  const shown = text({ ...report, sampledOf: new Map([[".", 40]]), seed: 3 })
  expect(shown).toContain(". (sample of 40)")
  expect(shown).toMatch(/60\.0 %\s+23\.1 % - 88\.2 %/)
  expect(shown).toContain("drawn from seed 3")
})

it("a run that was stopped says how many were left", () => {
  expect(text(report)).not.toContain("Stopped")
  expect(text({ ...report, untried: 12 })).toContain("Stopped before 12 more mutants were tried")
})

it("what is long is shortened in the middle", () => {
  const [mutant] = mutants
  const line = told({ ...mutant!, original: `${"a".repeat(200)}z` })
  expect(line).toMatch(/a{52} \.\.\. a{51}z {2}->/)
})

it("a program reads the same figures, and every mutant whole", () => {
  const { all, mutants: written } = json(report)
  expect(all.share).toBe(0.6)
  expect(written[0]).toMatchObject({ file: "a.ts", original: "g()", fate: { _tag: "Survived" } })
})
