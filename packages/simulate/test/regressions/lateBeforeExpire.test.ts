import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Laws 11, 18: the arbiter expires the other node's value, of which this node does not know yet.
it("a value whose message arrives after this node's later expire is not fresh", () => {
  const { violations } = judge({
    config: plainConfig({ nodes: 3, keys: 3, push: true, latency: 0, seed: 8045671 }),
    steps: [
      { _tag: "messages", node: 0, condition: "slow" },
      { _tag: "refresh", node: 0, key: "key2" },
      { _tag: "set", node: 2, key: "key2" },
      { _tag: "wait", millis: 25 },
      { _tag: "expire", node: 0, key: "key2" },
      { _tag: "wait", millis: 141 },
      { _tag: "getWithMeta", node: 0, key: "key2" },
    ],
  })
  expect(violations).toEqual([])
})
