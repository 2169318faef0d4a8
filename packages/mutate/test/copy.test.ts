import { expect, it } from "vitest"
import { edited } from "../src/copy.ts"

it("an edit whose lines are not there, or twice, is an error that shows them", () => {
  const edit = { file: "a.ts", from: "guard()", to: "" }
  expect(edited("one; guard(); two", edit)).toBe("one; ; two")
  expect(() => edited("one", edit)).toThrow("a.ts has these lines 0 times")
  expect(() => edited("guard() guard()", edit)).toThrow("guard()")
})
