import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Law 13: by what the node knows of the arbiter's time, up to a round trip, its set may have come before the
// expire. The expire leaves the older value as old as it was.
it("a queued set is not lost to an older value that another node has just expired", () => {
  const { violations } = judge({
    config: plainConfig({
      freshFor: 10_000,
      staleIfError: 10_000,
      tierWrites: "background",
      latency: 5,
    }),
    steps: [
      { _tag: "get", node: 0, key: "key0" },
      { _tag: "wait", millis: 300 },
      { _tag: "get", node: 1, key: "key0" },
      { _tag: "wait", millis: 100 },
      { _tag: "messages", node: 1, condition: "deaf" },
      { _tag: "expire", node: 0, key: "key0" },
      { _tag: "wait", millis: 9 },
      { _tag: "set", node: 1, key: "key0" },
      { _tag: "wait", millis: 20 },
      { _tag: "read", node: 1, key: "key0" },
    ],
  })
  expect(violations).toEqual([])
})
