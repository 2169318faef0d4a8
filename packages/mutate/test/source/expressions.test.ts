import { expect, it } from "vitest"
import { mutated, mutantsOf } from "./mutants.ts"

it.each([
  ["const a = b < c", ["b < c -> b <= c", "b < c -> b >= c"]],
  ["const a = b >= c", ["b >= c -> b > c", "b >= c -> b < c"]],
  ["const a = b === c", ["b === c -> b !== c"]],
  ["const a = !b", ["!b -> b"]],
  ["const a = true", ["true -> false"]],
  ["const a = b ?? c", ["b ?? c -> b", "b ?? c -> c"]],
  ["const a = b && c", ["b && c -> (b) || (c)", "b && c -> b", "b && c -> c"]],
  ["const a = b - c", ["b - c -> b + c"]],
  ["const a = Math.max(b, c)", ["Math.max(b, c) -> Math.min(b, c)"]],
  ["const a = b.some(c)", ["b.some(c) -> b.every(c)"]],
  ["const a = b.filter(c)", ["b.filter(c) -> b"]],
])("%s", (source, expected) => {
  expect(mutated(source)).toEqual(expected)
})

it("a condition always holds, and never", () => {
  expect(mutated("const a = b ? c : d")).toEqual(["b -> true", "b -> false"])
  expect(mutated("if (b === c) d = e")).toEqual(["b === c -> true", "b === c -> false"])
})

it("no loop is made endless", () => {
  expect(mutated("while (b) {}")).toEqual(["b -> false"])
  expect(mutated("while (true) {}")).toEqual([])
  expect(mutated("for (; b; i++) {}")).toEqual(["b -> false"])
})

it("a number that is written down is one number", () => {
  expect(mutated("const a = 7 * 24 * 60")).toEqual(["7 * 24 * 60 -> (7 * 24 * 60) * 2"])
  expect(mutated("const a = -1")).toEqual(["-1 -> 1"])
  expect(mutated("const f = () => { a += 1 }")).toHaveLength(2)
  expect(mutated("const a = [0, 1]")).toEqual(["0 -> 1", "1 -> 0"])
  expect(mutated("const a = Infinity")).toEqual(["Infinity -> 0"])
})

it("steps of a pipe and combinators are left out", () => {
  expect(mutated("const a = b.pipe(c, d)")).toEqual([
    "b.pipe(c, d) -> b.pipe(d)",
    "b.pipe(c, d) -> b.pipe(c)",
  ])
  expect(mutated("const a = pipe(b, c)")).toEqual(["pipe(b, c) -> b"])
  expect(mutated("const a = Effect.ensuring(b, c)")).toEqual(["Effect.ensuring(b, c) -> b"])
  expect(mutated("const a = Effect.uninterruptible(b)")).toEqual(["Effect.uninterruptible(b) -> b"])
  expect(mutated("const a = Effect.andThen(b, c)")).toEqual([
    "Effect.andThen(b, c) -> Effect.andThen(Effect.void, c)",
    "Effect.andThen(b, c) -> b",
  ])
  expect(mutated("const a = Effect.sync(() => b(c))")).toEqual(["b(c) -> undefined"])
})

it("types, names, messages and imports stay", () => {
  expect(
    mutated(`
      import a from "b"
      export { c } from "d"
      type E = 1 | true
      interface F { readonly g: 0 }
      const h: Record<"i", 1> = { 0: j, k: l as 1 }
      const m = \`\${n + 1} of \${o ?? "p"}\`
      const q = "r" + s
      if (t) throw new Error(u ? "v" : "w")
    `),
  ).toEqual(["t -> true", "t -> false"])
})

it("what ?. skips stays skipped", () => {
  expect(mutated("const a = b?.filter(c).d")).toEqual([])
  expect(mutated("const a = b?.c(d + e)")).toEqual(["d + e -> d - e"])
})

it("a mutant is told with its place and the line it is in", () => {
  const [mutant] = mutantsOf("let a\nif (\n  b &&\n  c\n) {}\n")
  expect(mutant).toMatchObject({ line: 3, column: 3, original: "b && c", text: "b &&" })
})
