import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Law 13: the node does not know the arbiter's time, so the version of its value is below that of the older one.
it("a node that has queued a set gets no older value from the arbiter", () => {
  const { violations } = judge({
    config: plainConfig({
      keys: 2,
      freshFor: 10_000,
      staleIfError: 0,
      tierWrites: "background",
      latency: 0,
    }),
    steps: [
      { _tag: "upstream", behaviour: "answers", millis: 180 },
      { _tag: "get", node: 0, key: "key1" },
      { _tag: "wait", millis: 351 },
      { _tag: "pauseArbiter" },
      { _tag: "getWithMeta", node: 1, key: "key0" },
      { _tag: "wait", millis: 6_358 },
      { _tag: "set", node: 1, key: "key1" },
      { _tag: "resumeArbiter" },
      { _tag: "get", node: 1, key: "key1", check: true },
    ],
  })
  expect(violations).toEqual([])
})
