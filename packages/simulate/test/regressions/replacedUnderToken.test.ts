import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Laws 18, 19: a mark that the node did not know covers the value that it has set, so it stores the value again.
// The number above that of the value is also the token of the lookup of `refresh`.
it("a value that is stored again above a mark never has the version of a lookup", () => {
  const { violations } = judge({
    config: plainConfig({
      staleIfError: 0,
      hardTimeout: 700,
      leaseTime: 200,
      latency: 0,
      seed: 71_894,
      replicaLag: 0,
    }),
    steps: [
      { _tag: "remove", node: 1, key: "key0" },
      { _tag: "pauseArbiter" },
      { _tag: "flush" },
      { _tag: "set", node: 1, key: "key0" },
      { _tag: "invalidateTags", node: 1, tags: ["x"], keepStale: false },
      { _tag: "refresh", node: 1, key: "key0" },
    ],
  })
  expect(violations).toEqual([])
})
