import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Laws 11, 19: the message of the expire is lost, and the arbiter stores the queued value as expired under the
// version that the node has chosen. So that version does not tell whether the node's own copy is fresh.
for (const file of [true, false]) {
  it(`a queued set that another node expired in a gap is not fresh ${file ? "in the file" : "in memory"}`, () => {
    const { violations } = judge({
      config: plainConfig({
        keys: 2,
        file,
        freshFor: 10_000,
        staleIfError: 0,
        tierWrites: "background",
        latency: 0,
      }),
      steps: [
        { _tag: "get", node: 0, key: "key1" },
        { _tag: "partition", node: 0 },
        { _tag: "set", node: 0, key: "key0" },
        { _tag: "expire", node: 1, key: "key0" },
      ],
    })
    expect(violations).toEqual([])
  })
}
