import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Laws 18 and 20: after six seconds without an answer of the arbiter, the clock is 2.5 ms ahead.
it("a node whose clock is too fast gives its own lookup no place after a change that came later", () => {
  const { violations } = judge({
    config: plainConfig({ freshFor: 10_000, latency: 0 }),
    steps: [
      { _tag: "expire", node: 0, key: "key0" },
      { _tag: "drift", node: 0, rate: 1.0004 },
      { _tag: "partition", node: 0 },
      { _tag: "invalidateTags", node: 0, tags: ["x"], keepStale: true },
      { _tag: "wait", millis: 6253 },
      { _tag: "heal", node: 0 },
      { _tag: "getWithMeta", node: 0, key: "key0" },
      { _tag: "set", node: 1, key: "key0" },
      { _tag: "get", node: 0, key: "key0" },
    ],
  })
  expect(violations).toEqual([])
})
