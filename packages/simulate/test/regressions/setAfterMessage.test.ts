import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Law 13: by what the node knows of the arbiter's time, up to a round trip, its set may be the older one.
it("a queued set replaces a value whose change its node has heard of", () => {
  const { violations } = judge({
    config: plainConfig({
      nodes: 3,
      staleIfError: 0,
      tierWrites: "background",
      latency: 10,
      seed: 700021,
    }),
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
