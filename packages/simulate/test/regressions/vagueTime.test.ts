import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Law 13: the node stood still while the arbiter told its time, so it knows that time up to 255 ms only.
it("a queued set replaces a value that another node looked up before it, though the node had stood still", () => {
  const { violations } = judge({
    config: plainConfig({
      freshFor: 10000,
      staleIfError: 0,
      hardTimeout: 700,
      tierWrites: "background",
      latency: 10,
      seed: 501839,
    }),
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
