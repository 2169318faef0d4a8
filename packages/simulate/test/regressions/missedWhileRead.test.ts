import { describe, expect, it } from "vitest"
import type { Step } from "../../src/plan/Plan.ts"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

const reads: ReadonlyArray<Step> = [
  { _tag: "getMany", node: 2, keys: ["key0"] },
  { _tag: "getWithMeta", node: 2, key: "key0" },
]

// Law 12: the arbiter stands still. A checked get waits until the queued value has failed to reach it, and
// asks it before the removal fails too. It answers after that, with the value from before both.
describe("an answer of the arbiter from before a change that failed meanwhile is not given", () => {
  it.each(reads.map((read) => [read._tag, read] as const))("%s", (_, read) => {
    const { violations } = judge({
      config: plainConfig({
        nodes: 3,
        freshFor: 10_000,
        hardTimeout: 700,
        tierWrites: "background",
        checked: true,
        leaseTime: 200,
        latency: 10,
      }),
      steps: [
        { _tag: "expire", node: 2, key: "key0" },
        { _tag: "get", node: 0, key: "key0" },
        { _tag: "wait", millis: 356 },
        { _tag: "set", node: 2, key: "key0" },
        { _tag: "pauseArbiter" },
        { _tag: "remove", node: 2, key: "key0" },
        read,
        { _tag: "wait", millis: 252 },
      ],
    })
    expect(violations).toEqual([])
  })
})
