import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Law 13: the node has just begun again, and does not know the arbiter's time, so the value has no place yet.
it("a set that is given up before it has a place drops the older value of the file", () => {
  const { violations } = judge({
    config: plainConfig({
      nodes: 1,
      file: true,
      freshFor: 2000,
      tierWrites: "background",
      settleTime: 2000,
      latency: 0,
      seed: 200076,
    }),
    steps: [
      { _tag: "getWithMeta", node: 0, key: "key0" },
      { _tag: "requests", node: 0, condition: "answerLost" },
      { _tag: "wait", millis: 1252 },
      { _tag: "restart", node: 0 },
      { _tag: "set", node: 0, key: "key0" },
      { _tag: "wait", millis: 1548 },
    ],
  })
  expect(violations).toEqual([])
})
