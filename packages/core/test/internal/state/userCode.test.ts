/** Calls of the functions that a user gives: what fails in them is one defect that names the option. */
import { expect, it } from "vitest"
import { attempt, guarded } from "../../../src/internal/state/userCode.ts"
import { OptionFailed } from "../../../src/LarderError.ts"

const failureOf = (f: () => unknown): unknown => {
  try {
    return f()
  } catch (failure) {
    return failure
  }
}

it("an answer is given as it is, both arguments reach the function", () => {
  const add = guarded("l", "add", (one: number, two: number) => one + two)
  expect(add(1, 2)).toBe(3)
  const even = guarded(
    "l",
    "even",
    (n: number) => n,
    (n) => (n % 2 === 0 ? undefined : "odd"),
  )
  expect(even(2, undefined)).toBe(2)
})

it.each([
  [new Error("boom"), "boom"],
  ["a string", "a string"],
  [undefined, "undefined"],
  [null, "null"],
])(
  "a function that throws %s is an OptionFailed with larder, option, reason and cause",
  (cause, reason) => {
    const failing = guarded("products", "tags", () => {
      throw cause
    })
    const failure = failureOf(() => failing(undefined, undefined))
    expect(failure).toBeInstanceOf(OptionFailed)
    expect(failure).toMatchObject({ larder: "products", option: "tags", reason })
    expect((failure as OptionFailed).cause).toBe(cause)
  },
)

it("an answer that is nonsense is an OptionFailed with the reason that is given for it", () => {
  const failing = guarded(
    "products",
    "weigh",
    () => -1,
    (answer) => `${answer} is no weight`,
  )
  const failure = failureOf(() => failing(undefined, undefined))
  expect(failure).toBeInstanceOf(OptionFailed)
  expect(failure).toMatchObject({ option: "weigh", reason: "-1 is no weight" })
})

it("attempt hands on what succeeds, turns an OptionFailed into something else, lets other defects pass", () => {
  const defect = new Error("ours")
  const failed = new OptionFailed({ larder: "l", option: "o", reason: "r", cause: undefined })
  const asked: Array<unknown> = []
  const instead = (failure: OptionFailed) => asked.push(failure)
  expect(attempt(() => 7, instead)).toBe(7)
  const throwing = (what: unknown) => (): number => {
    throw what
  }
  expect(failureOf(() => attempt(throwing(defect), instead))).toBe(defect)
  expect(asked).toEqual([])
  expect(attempt(throwing(failed), instead)).toBe(1)
  expect(asked).toEqual([failed])
})
