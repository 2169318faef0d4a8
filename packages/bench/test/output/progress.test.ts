import { expect, it } from "vitest"
import { duration, line, reporter, type Step } from "../../src/output/progress.ts"

const step = (contender: string, weight: number): Step => ({
  case: "hit",
  variant: "zipf",
  round: 1,
  rounds: 5,
  contender,
  weight,
})

const steps = [step("larder", 1), step("effect", 3)]

const written = (terminal: { readonly isTTY?: boolean; readonly columns?: number }) => {
  const all: Array<string> = []
  return { all, terminal: { ...terminal, write: (text: string) => all.push(text) } }
}

it("a line says what is done, what is left at the pace so far, and what is measured now", () => {
  const shown = line({ step: step("larder", 1), done: 1, total: 4, elapsedMillis: 30_000 })
  expect(shown).toBe("[#####...............]  25 %, 1:30 left  hit zipf, round 1 of 5: larder")
})

it("time is minutes and seconds, rounded up", () => {
  expect([0, 1, 59_001, 3_600_000].map(duration)).toEqual(["0:00", "0:01", "1:00", "60:00"])
})

it("where there is no terminal every step has a line, and no time is left to be told at first", () => {
  let time = 0
  const { all, terminal } = written({})
  const { end, next } = reporter(steps, terminal, () => time)
  next()
  time += 2_000
  next()
  end()
  expect(all).toEqual([
    "[....................]   0 %  hit zipf, round 1 of 5: larder\n",
    "[#####...............]  25 %, 0:06 left  hit zipf, round 1 of 5: effect\n",
  ])
})

it("on a terminal one line is drawn over, never wraps, and is gone at the end", () => {
  const { all, terminal } = written({ isTTY: true, columns: 30 })
  const { end, next } = reporter(steps, terminal, () => 0)
  next()
  end()
  expect(all).toEqual(["\r\u001B[K[....................]   0 % ", "\r\u001B[K"])
})

it("a step that was not announced is an error, not a share above 100 %", () => {
  const { next } = reporter([], written({}).terminal, () => 0)
  expect(next).toThrow("only 0 steps were announced")
})
