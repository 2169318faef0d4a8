import { expect, it } from "vitest"
import { plainConfig } from "../../src/plan/plain.ts"
import { judge } from "../../src/run/judge.ts"

// Law 21: the second caller wants a value from after its call, so it waits for a second lookup.
for (const ask of [
  { _tag: "getWithMeta", node: 0, key: "key0" },
  { _tag: "getMany", node: 0, keys: ["key0"] },
] as const) {
  it(`a clock that is set forward uses up no time of a ${ask._tag} that waits for two lookups`, () => {
    const { violations } = judge({
      config: plainConfig({
        nodes: 1,
        freshFor: 2000,
        staleIfError: 0,
        hardTimeout: 700,
        checked: true,
        leaseTime: 200,
        latency: 0,
        skews: [-1000],
        seed: 503458,
      }),
      steps: [
        { _tag: "upstream", behaviour: "answers", millis: 420 },
        { _tag: "replicate" },
        ask,
        ask,
        { _tag: "clock", node: 0, skew: 1000 },
        { _tag: "failover" },
        { _tag: "wait", millis: 438 },
      ],
    })
    expect(violations).toEqual([])
  })
}
