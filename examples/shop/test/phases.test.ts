import { assert, describe, it } from "@effect/vitest"
import { fate, phases, priceListOf } from "../src/phases.ts"

const draws = Array.from({ length: 1_000 }, (_, at) => (at + 0.5) / 1_000)
const shareOf = (phase: (typeof phases)[number], fault: string) =>
  draws.filter((draw) => fate(phase, 0, draw).fault === fault).length / draws.length

describe("phases", () => {
  it("flaky: one request in four fails, by status or by body", () => {
    assert.closeTo(shareOf("flaky", "server error"), 0.15, 0.001)
    assert.closeTo(shareOf("flaky", "cut-off body"), 0.05, 0.001)
    assert.closeTo(shareOf("flaky", "wrong shape"), 0.05, 0.001)
  })

  it("outage: nothing is answered", () => {
    assert.isTrue(
      [0, ...draws, 1 - 2 ** -53].every((d) => fate("outage", 0, d).fault !== undefined),
    )
  })

  it("the others: everything is answered", () => {
    for (const phase of phases) {
      if (phase === "flaky" || phase === "outage") continue
      assert.isTrue(draws.every((draw) => fate(phase, 0, draw).fault === undefined))
    }
  })

  it("slow: no answer comes before the slowest of the steady ones", () => {
    assert.isAbove(fate("slow", 0, 0.5).afterMillis, fate("steady", 1, 0.5).afterMillis)
  })

  it("only the last phase has the new price list", () => {
    assert.deepStrictEqual(phases.map(priceListOf), [1, 1, 1, 1, 1, 1, 1, 2])
  })
})
