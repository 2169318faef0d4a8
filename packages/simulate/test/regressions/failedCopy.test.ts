import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Law 12: the file has stored the value that its node read from the arbiter, and said that it failed. The message
// of the removal must reach that copy as well.
it("a removal drops the copy that a file has stored although it failed", () => {
  const { violations } = judge({
    config: plainConfig({ file: true, staleIfError: 0, softTimeout: 100, latency: 2 }),
    steps: [
      { _tag: "refresh", node: 0, key: "key0" },
      { _tag: "wait", millis: 20 },
      { _tag: "file", node: 1, condition: "failsAfter" },
      { _tag: "getWithMeta", node: 1, key: "key0" },
      { _tag: "wait", millis: 60 },
      { _tag: "remove", node: 0, key: "key0" },
      { _tag: "wait", millis: 10 },
      { _tag: "file", node: 1, condition: "prompt" },
      { _tag: "requests", node: 1, condition: "lost" },
      { _tag: "getWithMeta", node: 1, key: "key0" },
    ],
  })
  expect(violations).toEqual([])
})
