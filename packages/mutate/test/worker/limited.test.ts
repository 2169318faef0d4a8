import { expect, it } from "vitest"
import { limited } from "../../src/worker/limited.ts"

it("what settles in time is given, what does not is not waited for", async () => {
  expect(await limited(Promise.resolve(1), 1_000)).toBe(1)
  await expect(limited(Promise.reject(new Error("no")), 1_000)).rejects.toThrow("no")
  expect(await limited(new Promise(() => undefined), 1)).toBeUndefined()
})
