import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Law 25: the caller left while the arbiter was asked for the key, so the function has not run, and nothing is
// in doubt. An expired counter would count from nothing.
it("an update that is interrupted before its function runs leaves the value as it is", () => {
  const { violations } = judge({
    config: plainConfig({ latency: 10 }),
    steps: [
      { _tag: "count", node: 0 },
      { _tag: "wait", millis: 380 },
      { _tag: "count", node: 1, leavesAfter: 31 },
    ],
  })
  expect(violations).toEqual([])
})
