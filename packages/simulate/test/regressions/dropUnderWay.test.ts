import { describe, expect, it } from "vitest"
import type { Step } from "../../src/plan/Plan.ts"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

const reads: ReadonlyArray<Step> = [
  { _tag: "read", node: 0, key: "key2" },
  { _tag: "getWithMeta", node: 0, key: "key2" },
  { _tag: "getMany", node: 0, keys: ["key2"] },
]

// Law 12: the file hangs while it should drop the value, and answers again before the drop has failed. The
// arbiter has lost the tombstone.
describe("a removed value is not read from a file while its drop is under way", () => {
  it.each(reads.map((read) => [read._tag, read] as const))("%s", (_, read) => {
    const { violations } = judge({
      config: plainConfig({ keys: 3, file: true, freshFor: 10_000, latency: 0 }),
      steps: [
        { _tag: "getWithMeta", node: 0, key: "key2" },
        { _tag: "file", node: 0, condition: "lost" },
        { _tag: "remove", node: 1, key: "key2" },
        { _tag: "flush" },
        { _tag: "file", node: 0, condition: "prompt" },
        { _tag: "upstream", behaviour: "fails", millis: 10 },
        read,
      ],
    })
    expect(violations).toEqual([])
  })
})
