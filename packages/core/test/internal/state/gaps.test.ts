/** Which entries a node suspects after it may have missed messages. */
import { describe, expect, it } from "@effect/vitest"
import { Marks } from "../../../src/internal/invalidation/marks.ts"
import { Gaps } from "../../../src/internal/state/gaps.ts"

const opened = () => {
  const marks = new Marks()
  return { marks, gaps: new Gaps(marks, (key) => key.slice(0, 1)) }
}

describe("law 19: gaps", () => {
  it("an entry from before a gap of all servers is suspect, one from after it is not", () => {
    const { gaps } = opened()
    const before = gaps.count
    expect(gaps.isSuspect("a1", before)).toBe(false)
    gaps.begin(undefined)
    expect(gaps.isSuspect("a1", before)).toBe(true)
    expect(gaps.isSuspect("a1", gaps.count)).toBe(false)
  })

  it("a gap of one server touches its keys alone", () => {
    const { gaps } = opened()
    const before = gaps.count
    gaps.begin("a")
    expect(gaps.isSuspect("a1", before)).toBe(true)
    expect(gaps.isSuspect("b1", before)).toBe(false)
    const between = gaps.count
    gaps.begin("b")
    expect(gaps.isSuspect("a1", between)).toBe(false)
    expect(gaps.isSuspect("b1", between)).toBe(true)
    expect(gaps.isSuspect("a1", before)).toBe(true)
  })

  it("a gap of all servers counts beside later gaps of single ones", () => {
    const { gaps } = opened()
    const before = gaps.count
    gaps.begin(undefined)
    const between = gaps.count
    gaps.begin("a")
    expect(gaps.isSuspect("b1", before)).toBe(true)
    expect(gaps.isSuspect("b1", between)).toBe(false)
  })

  it("each gap has every entry judged again, at the price of one comparison per hit", () => {
    const { gaps, marks } = opened()
    const generations = [undefined, "a"].map((part) => {
      gaps.begin(part)
      return marks.generation
    })
    expect(new Set([0, ...generations]).size).toBe(3)
    expect(marks.last).toBe(0)
  })
})
