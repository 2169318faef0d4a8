import { expect, it } from "vitest"
import { RecentKeys } from "../../../src/internal/runtime/recentKeys.ts"

it("knows what was set last of the latest keys, and no more than a thousand", () => {
  const keys = new RecentKeys<number>(1_000)
  expect(keys.get("a")).toBeUndefined()
  keys.set("a", 1)
  keys.set("a", 2)
  expect(keys.get("a")).toBe(2)
  for (let i = 0; i < 5_000; i += 1) keys.set(`key ${i}`, i)
  expect(keys.size).toBeLessThanOrEqual(1_000)
  expect(keys.get("key 4999")).toBe(4_999)
  expect(keys.get("a")).toBeUndefined()
})
