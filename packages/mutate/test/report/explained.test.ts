import { existsSync, readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { explain, type Explanation, parse } from "../../src/report/explained.ts"
import type { Fate, Result } from "../../src/run/results.ts"
import { mutantsOf } from "../source/mutants.ts"

const all = mutantsOf("const limit = b <= c")
const explanation: Explanation = {
  file: "a.ts",
  line: "const limit = b <= c",
  original: "b <= c",
  mutated: "b < c",
  reason: "b is never c",
}
const survived: Fate = { _tag: "Survived" }
const withFate = (fate: Fate): ReadonlyArray<Result> => all.map((mutant) => ({ mutant, fate }))

it("a survivor with a reason is told apart, wherever its line has moved", () => {
  const moved = mutantsOf("\n\nconst limit = b <= c").map((mutant) => ({ mutant, fate: survived }))
  const { explained, others, unneeded } = explain(moved, [explanation], all)
  expect(explained.map(({ reason }) => reason)).toEqual(["b is never c"])
  expect(others).toHaveLength(1)
  expect(unneeded).toEqual([])
})

it("another change of the same text is not explained", () => {
  const { explained } = explain(withFate(survived), [{ ...explanation, mutated: "b > d" }], all)
  expect(explained).toEqual([])
})

it("an explanation of what is caught, or is no more, is unneeded", () => {
  const caught: Fate = { _tag: "Caught", by: "a test", alone: false }
  expect(explain(withFate(caught), [explanation], all).unneeded).toEqual([explanation])
  const gone = { ...explanation, line: "const gone = b <= c" }
  expect(explain(withFate(survived), [gone], all).unneeded).toEqual([gone])
})

it("an explanation is needed while one of the mutants with its text survives, or was not tried", () => {
  const twice = mutantsOf("const limit = b <= c\nconst other = () => {\nconst limit = b <= c\n}")
  const own = twice.filter(({ mutated }) => mutated === explanation.mutated)
  expect(own).toHaveLength(2)
  const caught: Fate = { _tag: "Caught", by: "a test", alone: false }
  const [first, second] = own.map((mutant) => ({ mutant, fate: caught }))
  const unneeded = (results: ReadonlyArray<Result>) =>
    explain(results, [explanation], twice).unneeded
  expect(unneeded([first!, { ...second!, fate: survived }])).toEqual([])
  expect(unneeded([first!])).toEqual([])
  expect(unneeded([first!, second!])).toEqual([explanation])
})

it("an explanation in a file that is not mutated is not judged", () => {
  const elsewhere = { ...explanation, file: "b.ts" }
  expect(explain(withFate(survived), [elsewhere], all).unneeded).toEqual([])
})

it("an entry without a reason is refused", () => {
  expect(() => parse(JSON.stringify([{ ...explanation, reason: "" }]))).toThrow(
    "entry 1 has no reason",
  )
  expect(() => parse("{}")).toThrow("must be an array")
})

it("each committed explanation is of a line that is in its file", () => {
  const root = new URL("../../../../", import.meta.url)
  const lines = new Map<string, ReadonlySet<string>>()
  const linesOf = (file: string) => {
    const path = new URL(file, root)
    const known = lines.get(file)
    if (known !== undefined) return known
    const text = existsSync(path) ? readFileSync(path, "utf8") : ""
    const read = new Set(text.split("\n").map((line) => line.trim()))
    lines.set(file, read)
    return read
  }
  const explanations = parse(readFileSync(new URL("packages/mutate/explained.json", root), "utf8"))
  expect(explanations.filter(({ file, line }) => !linesOf(file).has(line))).toEqual([])
  expect(explanations.length).toBeGreaterThan(0)
})
