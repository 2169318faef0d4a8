import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Law 11: node 1 looks up without a lease while node 0 updates the key. The version of the update is its token,
// which is from before that lookup, and its value is newer than what the lookup returns.
it("a caller does not join a lookup without a lease that an update of another node has overtaken", () => {
  const { violations } = judge({
    config: plainConfig({
      keys: 2,
      freshFor: 10_000,
      staleIfError: 0,
      latency: 2,
      seed: 71_345,
      replicaLag: 0,
    }),
    steps: [
      { _tag: "upstream", behaviour: "answers", millis: 150 },
      { _tag: "publish", key: "key0", tags: ["x", "y"] },
      { _tag: "update", node: 0, key: "key0", isPure: false, ending: "done", millis: 50, rest: 20 },
      { _tag: "invalidateTags", node: 2, tags: ["x"], keepStale: true },
      { _tag: "getWithMeta", node: 1, key: "key0" },
      { _tag: "partition", node: 1 },
      { _tag: "getWithMeta", node: 0, key: "key0" },
      { _tag: "wait", millis: 157 },
      { _tag: "heal", node: 1 },
      { _tag: "set", node: 0, key: "key0" },
      { _tag: "wait", millis: 101 },
      { _tag: "getMany", node: 1, keys: ["key1", "key0"] },
    ],
  })
  expect(violations).toEqual([])
})
