import { expect, it } from "vitest"
import { judge } from "../../src/run/judge.ts"

// Law 13: the node stood still while the arbiter told its time, so it knows that time up to 255 ms only.
it("a queued set replaces a value that another node looked up before it, though the node had stood still", () => {
  const { violations } = judge({
    config: {
      nodes: 2,
      keys: 1,
      file: false,
      freshFor: 10000,
      staleWhileRevalidate: 0,
      staleIfError: 0,
      earlyRefresh: false,
      softTimeout: null,
      hardTimeout: 700,
      tierWrites: "background",
      checked: false,
      maxEntries: 10000,
      maxFreshFor: null,
      leaseTime: 1000,
      settleTime: 60000,
      push: false,
      latency: 10,
      skews: [],
      seed: 501839,
    },
    steps: [
      { _tag: "getWithMeta", node: 1, key: "key0" },
      { _tag: "getMany", node: 0, keys: ["key0"] },
      { _tag: "wait", millis: 15 },
      { _tag: "pause", node: 1 },
      { _tag: "wait", millis: 254 },
      { _tag: "resume", node: 1 },
      { _tag: "set", node: 1, key: "key0" },
    ],
  })
  expect(violations).toEqual([])
})
