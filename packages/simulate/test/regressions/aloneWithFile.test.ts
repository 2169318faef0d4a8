import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Law 19: the node has looked the key up by itself; its file has the value as well.
it("nodes with a file agree on a key that one looked up while the arbiter did not answer it", () => {
  const { violations } = judge({
    config: plainConfig({ file: true, staleIfError: 0, latency: 0 }),
    steps: [
      { _tag: "getWithMeta", node: 0, key: "key0" },
      { _tag: "partition", node: 1 },
      { _tag: "wait", millis: 469 },
      { _tag: "getWithMeta", node: 1, key: "key0" },
    ],
  })
  expect(violations).toEqual([])
})
