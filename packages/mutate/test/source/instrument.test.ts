import { transformWithOxc } from "vite"
import { expect, it } from "vitest"
import { firstNumbers, instrument } from "../../src/source/instrument.ts"
import { install, takeCovered } from "../../src/worker/switchboard.ts"

/** The value of `result` with each mutant, and with none first. */
const results = async (source: string): Promise<ReadonlyArray<unknown>> => {
  const { code, mutants, next } = instrument("a.ts", source, firstNumbers)
  const stripped = await transformWithOxc(code, "a.ts", { lang: "ts" })
  const body = stripped.code.replace(/export\s*\{[^}]*\};?/, "")
  const values: Array<unknown> = []
  for (const id of [0, ...mutants.map(({ id }) => id)]) {
    install(next.placement, id)
    values.push(new Function(`${body}; return result`)())
  }
  return values
}

it("a number switches a mutant on", async () => {
  expect(await results("const a: number = 3\nconst result = a < 3")).toEqual([
    false,
    // a is 6
    false,
    true,
    true,
    // the literal on the right is 6
    true,
  ])
})

it("a line that begins with what is changed is no call of the line before it", async () => {
  const source = `
    const calls: Array<number> = []
    const f = (n: number) => { calls.push(n) }
    const g = () => {
      const h = f
      f(2 + 2)
      Math.max(3, 4) && h(5)
      if (calls.length === 0) f(6)
      else f(7)
    }
    g()
    const result = calls.join()
  `
  const values = await results(source)
  expect(values[0]).toBe("4,5,7")
  // The call after a line without a semicolon left out, the condition of the `if` turned round.
  expect(values).toContain("5,7")
  expect(values).toContain("4,5,6")
})

it("lines stay where they are", () => {
  const source = "const a = b\n  ? c\n  : d\n"
  const { code } = instrument("a.ts", source, firstNumbers)
  expect(code.split("\n")).toHaveLength(source.split("\n").length)
})

it("what is evaluated is covered, until it is asked", () => {
  const { code, next } = instrument("a.ts", "const a = b => b ? !b : b < 1", firstNumbers)
  const board = install(next.placement, 0)
  const a = new Function(`${code}; return a`)() as (b: unknown) => unknown
  expect(takeCovered(board)).toEqual([])
  a(0)
  const covered = takeCovered(board)
  expect(covered).toHaveLength(3)
  a(true)
  expect(takeCovered(board)).not.toEqual(covered)
})

it("the numbers of the next file go on", () => {
  const first = instrument("a.ts", "const a = !b", firstNumbers)
  const second = instrument("b.ts", "const a = !b", first.next)
  expect(second.mutants.map(({ id }) => id)).toEqual([2])
  expect(second.mutants[0]!.placement).toBe(1)
})

it("a source that cannot be parsed is named", () => {
  expect(() => instrument("a.ts", "const = 1", firstNumbers)).toThrow("a.ts: ")
})
