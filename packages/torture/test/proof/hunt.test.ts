import { describe, expect, it } from "vitest"
import { reportOf } from "../../src/proof/hunt.ts"

const text = `seed 1
round 1: memory+redis, json, long lives; faults: cut
  900 operations in 20 s, 2 violations: hangs 1, settled set lost 1
1 rounds, 900 operations, 1 faults (cut 1), seed 1
hangs: 1 in round 1; times below are ms from the offence
  round 1, memory+redis, json, larder awaited, key h0: get
settled set lost: 1 in round 1; times below are ms from the offence
  round 1, memory+redis, json, larder awaited, key s1: Redis has nothing
2 violations: hangs 1, settled set lost 1`

describe("what a run shows of the rules", () => {
  it("the first that tells the fault, with its example", () => {
    expect(reportOf(text, ["nodes disagree", "settled set lost"])).toEqual([
      "settled set lost: 1 in round 1; times below are ms from the offence",
      "  round 1, memory+redis, json, larder awaited, key s1: Redis has nothing",
    ])
  })

  it("nothing where other rules are violated", () => {
    expect(reportOf(text, ["nodes disagree", "settled"])).toBeUndefined()
  })
})
