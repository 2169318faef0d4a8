import { describe, expect, it } from "vitest"
import { Told } from "../support/told.ts"

describe("law 30: a lease alone", () => {
  it("has one holder at a time, and rising tokens", () => {
    const told = new Told()
    const one = told.at(1_000).tenure(told.a, 10)
    told.at(1_500).yields(one)
    const two = told.at(1_510).tenure(told.b, 11)
    told.at(1_600).yields(two)
    expect(told.broken()).toEqual([])
    told.at(1_700).yields(told.tenure(told.a, 11))
    expect(told.broken()).toEqual(["leased"])
  })

  it("has no two holders at once, but where the first one stands still", () => {
    const told = new Told()
    const one = told.at(1_000).tenure(told.a, 10)
    told.at(1_100).step({ _tag: "pause", node: 0 })
    const two = told.at(1_500).tenure(told.b, 11)
    told.at(1_590).step({ _tag: "resume", node: 0 })
    told.at(1_591).yields(one, "lost")
    told.at(1_600).yields(two)
    expect(told.broken()).toEqual([])
    const three = told.at(1_700).tenure(told.a, 12)
    told.at(1_710).yields(told.tenure(told.b, 13))
    told.at(1_720).yields(three)
    expect(told.broken()).toEqual(["leased"])
  })

  it.each([
    [130, []],
    [150, ["leased"]],
  ] as const)(
    "is lost within a third after the arbiter has forgotten it (%i ms)",
    (after, laws) => {
      const told = new Told()
      const one = told.at(1_000).tenure(told.a, 10)
      told.at(1_050).step({ _tag: "flush" })
      const two = told.at(1_060).tenure(told.b, 11)
      told.at(1_060 + after).yields(one, "lost")
      told.at(1_300).yields(two)
      expect(told.broken()).toEqual(laws)
    },
  )

  it("that was granted when the arbiter forgot it may overlap the next one as well", () => {
    const told = new Told()
    const call = told.at(1_000).asksForLease(told.a)
    told.at(1_005).step({ _tag: "flush" })
    const one = told.at(1_010).tenure(told.a, 10, call)
    const two = told.at(1_020).tenure(told.b, 11)
    told.at(1_110).yields(one, "lost")
    told.at(1_300).yields(two)
    expect(told.broken()).toEqual([])
  })

  it("is neither refused nor lost without a cause", () => {
    const told = new Told()
    const one = told.at(5_000).tenure(told.a, 10)
    told.at(5_010).leaseEnds(told.asksForLease(told.b), "notAcquired")
    told.at(5_100).yields(one)
    expect(told.broken()).toEqual([])
    told.at(9_000).leaseEnds(told.asksForLease(told.b), "notAcquired")
    expect(told.broken()).toEqual(["leased"])
    const other = new Told()
    other.at(5_100).yields(other.at(5_000).tenure(other.a, 10), "lost")
    expect(other.broken()).toEqual(["leased"])
  })
})
