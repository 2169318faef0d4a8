import { expect, it } from "vitest"
import { judge } from "../../src/run/judge.ts"

// Law 13: by what the node knows of the arbiter's time, up to a round trip, its set may be the older one.
it("a queued set replaces a value whose change its node has heard of", () => {
  const { violations } = judge({
    config: {
      nodes: 3,
      keys: 1,
      file: false,
      freshFor: 60000,
      staleWhileRevalidate: 0,
      staleIfError: 0,
      earlyRefresh: false,
      softTimeout: null,
      hardTimeout: 300,
      tierWrites: "background",
      checked: false,
      maxEntries: 10000,
      maxFreshFor: null,
      leaseTime: 1000,
      settleTime: 60000,
      push: false,
      latency: 10,
      skews: [],
      seed: 700021,
    },
    steps: [
      { _tag: "getWithMeta", node: 0, key: "key0" },
      { _tag: "read", node: 2, key: "other" },
      { _tag: "wait", millis: 528 },
      { _tag: "expire", node: 0, key: "key0" },
      { _tag: "wait", millis: 19 },
      { _tag: "set", node: 2, key: "key0" },
    ],
  })
  expect(violations).toEqual([])
})
