import { expect, it } from "vitest"
import { keys } from "../../src/memory/keys.ts"

it("keys are different, of one length, and go on where others end", () => {
  const all = [...keys(1_200), ...keys(300, 1_200)]
  expect(new Set(all).size).toBe(1_500)
  expect(new Set(all.map((key) => key.length)).size).toBe(1)
  expect(all).toEqual(keys(1_500))
})
