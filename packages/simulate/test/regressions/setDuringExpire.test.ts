import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Laws 12, 13: the expire gets no answer, and meets the value that was queued since it began. It withdrew that
// value, and the one from before both stayed in the file for stale-if-error.
it("a set that is queued while an expire is on its way is not lost to an older value in the file", () => {
  const { violations } = judge({
    config: plainConfig({
      nodes: 1,
      file: true,
      freshFor: 10_000,
      staleIfError: 0,
      tierWrites: "background",
      settleTime: 2_000,
      latency: 10,
    }),
    steps: [
      { _tag: "getWithMeta", node: 0, key: "key0" },
      { _tag: "wait", millis: 210 },
      { _tag: "restart", node: 0 },
      { _tag: "getWithMeta", node: 0, key: "key0", check: true },
      { _tag: "partition", node: 0 },
      { _tag: "wait", millis: 82 },
      { _tag: "expire", node: 0, key: "key0" },
      { _tag: "set", node: 0, key: "key0" },
    ],
  })
  expect(violations).toEqual([])
})
