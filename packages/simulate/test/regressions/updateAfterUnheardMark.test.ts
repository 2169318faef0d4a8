import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Law 25: node 0 has not heard of the clear when it updates what node 1 made after it. The arbiter stores its
// value, which must not be dropped by that mark: then the update of node 1 would be lost with it.
it("an update by a node that has not heard of a clear is stored on top of what was made after the clear", () => {
  const { violations } = judge({
    config: plainConfig({
      keys: 3,
      freshFor: 2_000,
      staleIfError: 0,
      latency: 0,
      seed: 70_299,
      replicaLag: 0,
    }),
    steps: [
      { _tag: "messages", node: 0, condition: "reordering" },
      { _tag: "refresh", node: 0, key: "key2" },
      { _tag: "clear", node: 1, keepStale: true },
      { _tag: "count", node: 1 },
      { _tag: "count", node: 0 },
    ],
  })
  expect(violations).toEqual([])
})
