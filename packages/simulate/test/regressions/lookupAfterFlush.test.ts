import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Law 7: the arbiter has forgotten the lease of a lookup, so that another node looks the key up meanwhile.
// Its message begins a new generation.
it("callers do not join a lookup that began before a value that the node was told of", () => {
  const { violations } = judge({
    config: plainConfig({ nodes: 3, keys: 2, freshFor: 2000, latency: 0 }),
    steps: [
      { _tag: "upstream", behaviour: "fails", millis: 500 },
      { _tag: "wait", millis: 27 },
      { _tag: "get", node: 1, key: "key0", maxAge: 100 },
      { _tag: "getWithMeta", node: 2, key: "key1" },
      { _tag: "get", node: 0, key: "key0", maxAge: 100, stale: "never" },
      { _tag: "wait", millis: 50 },
      { _tag: "upstream", behaviour: "answers", millis: 0 },
      { _tag: "wait", millis: 61 },
      { _tag: "flush" },
      { _tag: "remove", node: 0, key: "key0" },
      { _tag: "wait", millis: 55 },
      { _tag: "getWithMeta", node: 0, key: "key1" },
      { _tag: "getMany", node: 2, keys: ["key0", "key1"] },
    ],
  })
  expect(violations).toEqual([])
})
