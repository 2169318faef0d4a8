import { expect, it } from "vitest"
import { mutated } from "./mutants.ts"

const leftOut = (body: string): ReadonlyArray<string> =>
  mutated(`function* f() {\n${body}\n}`).filter((each) => each.endsWith("-> "))

it("what is done for its effect is left out", () => {
  expect(leftOut("a()\nb = c\nd.e++\nyield* g\ndelete h.i")).toEqual([
    "a() -> ",
    "b = c -> ",
    "d.e++ -> ",
    "yield* g -> ",
    "delete h.i -> ",
  ])
  expect(leftOut("const a = b()\nlet c")).toEqual([])
})

it("nothing is left out that the condition before it leaves out", () => {
  expect(leftOut("if (a) b()\nif (c) { d() }\nif (e) return\nf()")).toEqual(["f() -> "])
  expect(leftOut("if (a) b()\nelse c()")).toEqual(["b() -> ", "c() -> "])
})

it("an early return is left out, the last is not", () => {
  expect(leftOut("if (a) {\nb()\nreturn }\nreturn c")).toEqual(["b() -> ", "return -> "])
})

it("what has to be there stays", () => {
  expect(mutated("class A extends B { constructor() { super(); } }")).toEqual([])
  expect(mutated("a()")).toEqual([])
  expect(mutated("'use strict'")).toEqual([])
})
