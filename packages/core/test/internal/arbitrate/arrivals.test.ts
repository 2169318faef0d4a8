/** Which messages of a subscription are missing. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Arrivals } from "../../../src/internal/arbitrate/arrivals.ts"

describe("Arrivals", () => {
  it("lacks nothing when all numbers have arrived, in any order and twice", () => {
    const arrivals = new Arrivals(3)
    for (const number of [6, 4, 6, 5, 2]) arrivals.add(number)
    assert.isFalse(arrivals.lacks(6))
    assert.isTrue(arrivals.lacks(7))
  })

  it("reports a missing number once, and takes it later without a further report", () => {
    const arrivals = new Arrivals(0)
    arrivals.add(2)
    assert.isTrue(arrivals.lacks(2))
    assert.isFalse(arrivals.lacks(2))
    arrivals.add(1)
    arrivals.add(3)
    assert.isFalse(arrivals.lacks(3))
  })

  it("does not report what has arrived above a missing number", () => {
    const arrivals = new Arrivals(0)
    arrivals.add(2)
    arrivals.add(3)
    assert.isTrue(arrivals.lacks(1))
    assert.isFalse(arrivals.lacks(3))
  })

  it("an older heartbeat reports nothing", () => {
    const arrivals = new Arrivals(0)
    assert.isTrue(arrivals.lacks(5))
    assert.isFalse(arrivals.lacks(4))
  })

  it("agrees with a set of all numbers", () => {
    const step = fc.record({ number: fc.integer({ min: 1, max: 12 }), asks: fc.boolean() })
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3 }), fc.array(step), (first, steps) => {
        const arrivals = new Arrivals(first)
        const known = new Set(Array.from({ length: first }, (_, i) => i + 1))
        for (const { asks, number } of steps) {
          if (!asks) {
            arrivals.add(number)
            known.add(number)
            continue
          }
          const lacking = Array.from({ length: number }, (_, i) => i + 1).filter(
            (one) => !known.has(one),
          )
          assert.strictEqual(arrivals.lacks(number), lacking.length > 0)
          for (const one of lacking) known.add(one)
        }
      }),
    )
  })
})
