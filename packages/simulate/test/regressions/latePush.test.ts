import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Law 19: the message of the first set is late, that of the second is lost, and a heartbeat shows that some are missing.
it("a value that comes with a message from before a gap is not fresh", () => {
  const { violations } = judge({
    config: plainConfig({
      nodes: 3,
      freshFor: 10000,
      staleIfError: 0,
      push: true,
      latency: 2,
      seed: 700037,
    }),
    steps: [
      { _tag: "getWithMeta", node: 1, key: "key0" },
      { _tag: "wait", millis: 20 },
      { _tag: "messages", node: 1, condition: "slow" },
      { _tag: "set", node: 0, key: "key0" },
      { _tag: "wait", millis: 10 },
      { _tag: "messages", node: 1, condition: "cut" },
      { _tag: "set", node: 2, key: "key0" },
      { _tag: "wait", millis: 10 },
      { _tag: "messages", node: 1, condition: "prompt" },
      { _tag: "wait", millis: 400 },
      { _tag: "getWithMeta", node: 1, key: "key0" },
    ],
  })
  expect(violations).toEqual([])
})
