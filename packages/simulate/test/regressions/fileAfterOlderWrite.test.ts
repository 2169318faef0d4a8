import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Law 12: the queued value is older than what was looked up, and its write drops what is older in the file.
it("a removal drops the value of a file, also after an older write of the node was given up", () => {
  const { violations } = judge({
    config: plainConfig({
      file: true,
      freshFor: 2_000,
      tierWrites: "background",
      checked: true,
      settleTime: 2_000,
      latency: 0,
    }),
    steps: [
      { _tag: "getMany", node: 0, keys: ["key0"] },
      { _tag: "partition", node: 0 },
      { _tag: "set", node: 0, key: "key0" },
      { _tag: "get", node: 0, key: "key0" },
      { _tag: "heal", node: 0 },
      { _tag: "wait", millis: 396 },
      { _tag: "remove", node: 1, key: "key0" },
    ],
  })
  expect(violations).toEqual([])
})
