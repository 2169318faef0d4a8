import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Law 12: the message of the removal comes before the older value, which the arbiter sent before it.
it("a value that arrives after the message of its removal is no answer, not even at softTimeout", () => {
  const { violations } = judge({
    config: plainConfig({ nodes: 3, keys: 4, freshFor: 500, softTimeout: 100, latency: 0 }),
    steps: [
      { _tag: "upstream", behaviour: "answers", millis: 200 },
      { _tag: "requests", node: 2, condition: "slowAnswer" },
      { _tag: "get", node: 0, key: "key0" },
      { _tag: "wait", millis: 300 },
      { _tag: "getMany", node: 2, keys: ["key2", "key1", "key0", "key3"] },
      { _tag: "remove", node: 1, key: "key0" },
      { _tag: "getWithMeta", node: 2, key: "key0", check: true },
      { _tag: "wait", millis: 433 },
    ],
  })
  expect(violations).toEqual([])
})
