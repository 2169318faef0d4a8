/** Which entries a node suspects after it may have missed messages. */
import { describe, expect, it } from "@effect/vitest"
import { Marks } from "../../../src/internal/invalidation/marks.ts"
import { Gaps } from "../../../src/internal/state/gaps.ts"
import { beforeAll } from "../../../src/internal/state/localEntries.ts"
import type { MemoryEntry } from "../../../src/Tier.ts"

const opened = () => {
  const marks = new Marks()
  return { marks, gaps: new Gaps(marks, (key) => key.slice(0, 1)) }
}

describe("law 19: gaps", () => {
  it("an entry from before a gap of all servers is suspect, one from after it is not", () => {
    const { gaps } = opened()
    const before = gaps.count
    expect(gaps.isSuspect("a1", before)).toBe(false)
    gaps.begin(undefined, 0)
    expect(gaps.isSuspect("a1", before)).toBe(true)
    expect(gaps.isSuspect("a1", gaps.count)).toBe(false)
  })

  it("a gap of one server touches its keys alone", () => {
    const { gaps } = opened()
    const before = gaps.count
    gaps.begin("a", 0)
    expect(gaps.isSuspect("a1", before)).toBe(true)
    expect(gaps.isSuspect("b1", before)).toBe(false)
    const between = gaps.count
    gaps.begin("b", 0)
    expect(gaps.isSuspect("a1", between)).toBe(false)
    expect(gaps.isSuspect("b1", between)).toBe(true)
    expect(gaps.isSuspect("a1", before)).toBe(true)
  })

  it("a gap of all servers counts beside later gaps of single ones", () => {
    const { gaps } = opened()
    const before = gaps.count
    gaps.begin(undefined, 0)
    const between = gaps.count
    gaps.begin("a", 0)
    expect(gaps.isSuspect("b1", before)).toBe(true)
    expect(gaps.isSuspect("b1", between)).toBe(false)
  })

  it("each key knows when the last gap of its server was found", () => {
    const { gaps } = opened()
    expect(gaps.lastAt("a1")).toBe(-Infinity)
    gaps.begin("a", 10)
    expect([gaps.lastAt("a1"), gaps.lastAt("b1")]).toEqual([10, -Infinity])
    gaps.begin(undefined, 20)
    gaps.begin("b", 30)
    expect([gaps.lastAt("a1"), gaps.lastAt("b1")]).toEqual([20, 30])
  })

  it("an entry that is suspect without a gap is counted as one", () => {
    const { gaps } = opened()
    const entry = (key: string, gapsBefore: number) => ({ key, gapsBefore }) as MemoryEntry
    const entries = [entry("a1", beforeAll), entry("b1", gaps.count)]
    expect(entries.map(({ gapsBefore, key }) => gaps.isSuspect(key, gapsBefore))).toEqual([
      true,
      false,
    ])
    gaps.suspected()
    expect(gaps.countSuspects(entries)).toBe(1)
    gaps.begin(undefined, 0)
    expect(gaps.countSuspects(entries)).toBe(2)
  })

  it("each gap has every entry judged again, at the price of one comparison per hit", () => {
    const { gaps, marks } = opened()
    const generations = [undefined, "a"].map((part) => {
      gaps.begin(part, 0)
      return marks.generation
    })
    expect(new Set([0, ...generations]).size).toBe(3)
    expect(marks.last).toBe(0)
  })
})
