import { describe, expect, it } from "@effect/vitest"
import { Freshness } from "@larder/core"
import {
  type AdoptionCandidate,
  isAdoptable,
  isBetterStale,
} from "../../../src/internal/flight/adoptable.ts"

const stale = [Freshness.staleRevalidate, Freshness.staleError]

const candidate = (over: Partial<AdoptionCandidate> = {}): AdoptionCandidate => ({
  freshness: Freshness.fresh,
  version: 5,
  storedAt: 1_000,
  inMemory: undefined,
  ...over,
})

const flight = { early: false, force: false, notBefore: -Infinity }

describe("isAdoptable", () => {
  it("law 3: what is fresh in a farther tier is an answer, and nothing else is", () => {
    expect(isAdoptable(candidate(), flight)).toBe(true)
    for (const freshness of [...stale, Freshness.missing]) {
      expect(isAdoptable(candidate({ freshness }), flight)).toBe(false)
    }
  })

  it("refresh: no farther tier has an answer", () => {
    expect(isAdoptable(candidate(), { ...flight, force: true })).toBe(false)
  })

  it("maxAge: what was stored before is no answer", () => {
    expect(isAdoptable(candidate(), { ...flight, notBefore: 1_000 })).toBe(true)
    expect(isAdoptable(candidate(), { ...flight, notBefore: 1_001 })).toBe(false)
  })

  it("law 18: nothing older than memory has is adopted", () => {
    expect(isAdoptable(candidate({ inMemory: 4 }), flight)).toBe(true)
    expect(isAdoptable(candidate({ inMemory: 5 }), flight)).toBe(true)
    expect(isAdoptable(candidate({ inMemory: 6 }), flight)).toBe(false)
  })

  it("law 2: only something newer than memory has replaces an early refresh", () => {
    const early = { ...flight, early: true }
    expect(isAdoptable(candidate({ inMemory: 4 }), early)).toBe(true)
    expect(isAdoptable(candidate({ inMemory: 5 }), early)).toBe(false)
    expect(isAdoptable(candidate(), early)).toBe(true)
  })

  it("where memory has nothing, the first version of all is newer", () => {
    expect(isAdoptable(candidate({ version: 1 }), { ...flight, early: true })).toBe(true)
    expect(
      isBetterStale(candidate({ version: 1, freshness: Freshness.staleError }), undefined),
    ).toBe(true)
  })
})

describe("isBetterStale", () => {
  it("what has no life left is never given", () => {
    expect(isBetterStale(candidate({ freshness: Freshness.missing }), undefined)).toBe(false)
  })

  it("law 3: something stale is better where it is newer than all that is known", () => {
    for (const freshness of stale) {
      expect(isBetterStale(candidate({ freshness }), undefined)).toBe(true)
      expect(isBetterStale(candidate({ freshness }), 4)).toBe(true)
      expect(isBetterStale(candidate({ freshness }), 5)).toBe(false)
      expect(isBetterStale(candidate({ freshness, inMemory: 4 }), 4)).toBe(true)
      expect(isBetterStale(candidate({ freshness, inMemory: 5 }), 4)).toBe(false)
      expect(isBetterStale(candidate({ freshness, inMemory: 4 }), 5)).toBe(false)
    }
  })

  it("law 19: something fresh of the version that is known confirms it", () => {
    expect(isBetterStale(candidate({ inMemory: 5 }), 5)).toBe(true)
    expect(isBetterStale(candidate({ inMemory: 6 }), 5)).toBe(false)
    expect(isBetterStale(candidate({ inMemory: 5 }), 6)).toBe(false)
  })
})
