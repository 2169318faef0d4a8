import { describe, expect, it } from "vitest"
import { check } from "../../src/check/check.ts"
import { faultNames } from "../../src/plan/faults.ts"
import { generate } from "../../src/plan/generate.ts"
import { judge } from "../../src/run/judge.ts"
import { simulate } from "../../src/run/simulate.ts"

describe("laws 1 to 4, 6 to 13, 15, 18 to 20 and 22 on simulated nodes", () => {
  it.each([1, 2, 3, 5, 8])("%i nodes, with all faults", { timeout: 60_000 }, (nodes) => {
    for (let seed = 1; seed <= 12; seed++) {
      const { violations } = judge(generate(seed, { nodes, steps: 200, faults: faultNames }))
      expect({ seed, violations }).toEqual({ seed, violations: [] })
    }
  })

  it("without faults", { timeout: 60_000 }, () => {
    for (let seed = 1; seed <= 12; seed++) {
      const { violations } = judge(generate(seed, { nodes: 3, steps: 200, faults: [] }))
      expect({ seed, violations }).toEqual({ seed, violations: [] })
    }
  })
})

describe("law 21: the same seed, the same events", () => {
  it("two runs have the same history, one for one", () => {
    const plan = generate(20, { nodes: 4, steps: 300, faults: faultNames })
    const [one, other] = [simulate(plan), simulate(plan)]
    expect(one.calls.length).toBeGreaterThan(50)
    expect(one.lookups.length).toBeGreaterThan(20)
    expect(one.deliveries.length).toBeGreaterThan(50)
    expect(other.calls).toEqual(one.calls)
    expect(other.lookups).toEqual(one.lookups)
    expect(other.deliveries).toEqual(one.deliveries)
    expect(other.beats).toEqual(one.beats)
    expect(check(other)).toEqual(check(one))
  })
})
