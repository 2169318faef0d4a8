import { expect, it } from "vitest"
import { RecentKeys } from "../../../src/internal/observe/recentKeys.ts"

it("knows the last moment of the latest keys, and no more than a thousand", () => {
  const keys = new RecentKeys()
  expect(keys.lastAt("a")).toBe(-Infinity)
  keys.add("a", 1)
  keys.add("a", 2)
  expect(keys.lastAt("a")).toBe(2)
  for (let i = 0; i < 5_000; i += 1) keys.add(`key ${i}`, i)
  expect(keys.size).toBeLessThanOrEqual(1_000)
  expect(keys.lastAt("key 4999")).toBe(4_999)
  expect(keys.lastAt("a")).toBe(-Infinity)
})
