import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Laws 7, 10: node 2 loses its lease while it does not reach the arbiter, and later drops the key as of then.
it("a missed change of a node that is back does not end another node's lookup from after it", () => {
  const { violations } = judge({
    config: plainConfig({ nodes: 3, staleIfError: 0, latency: 0 }),
    steps: [
      { _tag: "upstream", behaviour: "answers", millis: 180 },
      { _tag: "getWithMeta", node: 2, key: "key0" },
      { _tag: "partition", node: 2 },
      { _tag: "wait", millis: 1_253 },
      { _tag: "getWithMeta", node: 1, key: "key0" },
      { _tag: "getWithMeta", node: 0, key: "key0", check: true },
    ],
  })
  expect(violations).toEqual([])
})
