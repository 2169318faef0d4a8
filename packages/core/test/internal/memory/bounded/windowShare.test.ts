import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import {
  behindLru,
  initialShare,
  nextShare,
  type Sample,
} from "../../../../src/internal/memory/bounded/windowShare.ts"

const hits = fc.nat(1_000_000)
const cost = fc.oneof(
  fc.constant(0),
  fc.double({ min: 1e-16, max: 1, noNaN: true }),
  // Far over bounds that were lowered.
  fc.double({ min: 1, max: 1e16, noNaN: true }),
)
const samples: fc.Arbitrary<Sample> = fc.record({
  windowHits: hits,
  windowCost: cost,
  mainHits: hits,
  mainCost: cost,
  ownHits: hits,
  shadowHits: hits,
})
/** No better than LRU. */
const even = { ownHits: 0, shadowHits: 0 }

describe("behindLru", () => {
  it("is how many more hits LRU had, by the root of what it had and one", () => {
    const behind = (shadowHits: number, ownHits: number) =>
      behindLru({ windowHits: 0, windowCost: 0, mainHits: 0, mainCost: 0, ownHits, shadowHits })
    assert.deepStrictEqual(
      [behind(0, 0), behind(3, 1), behind(8, 2), behind(15, 3), behind(3, 5), behind(0, 2)],
      [0, 1, 2, 3, -1, -2],
    )
  })
})

describe("nextShare", () => {
  it("moves a tenth where one region has all hits, and as much less as the other has more", () => {
    const sample = { windowCost: 0.5, mainCost: 0.5, ...even }
    const next = (windowHits: number, mainHits: number) =>
      nextShare(0.3, { ...sample, windowHits, mainHits })
    assert.closeTo(next(9, 0), 0.4, 1e-12)
    assert.closeTo(next(0, 9), 0.2, 1e-12)
    assert.closeTo(next(30, 10), 0.35, 1e-12)
    assert.closeTo(next(10, 30), 0.25, 1e-12)
  })

  it("gives the window 2 % once there were hits, however they were", () => {
    const sample = { windowHits: 1, windowCost: 0.1, mainHits: 9, mainCost: 0.9, ...even }
    assert.strictEqual(nextShare(initialShare, sample), 0.02)
    assert.strictEqual(nextShare(initialShare, { ...sample, windowHits: 0 }), 0.02)
  })

  it("moves two fifths towards LRU only where LRU is more than one deviation ahead", () => {
    const sample = { windowHits: 0, windowCost: 0.5, mainHits: 9, mainCost: 0.5 }
    const next = (shadowHits: number, ownHits: number) =>
      nextShare(0.3, { ...sample, shadowHits, ownHits })
    assert.closeTo(next(8, 4), 0.7, 1e-12)
    assert.closeTo(next(3, 1), 0.2, 1e-12)
    assert.closeTo(next(3, 2), 0.2, 1e-12)
  })

  it("leaves room for both, whatever the samples, and moves in steps", () => {
    fc.assert(
      fc.property(fc.array(samples, { maxLength: 60 }), (history) => {
        let share = initialShare
        for (const sample of history) {
          const next = nextShare(share, sample)
          assert.isAtLeast(next, initialShare)
          assert.isAtMost(next, 0.99)
          assert.isAtMost(Math.abs(next - share), 0.41)
          share = next
        }
      }),
    )
  })

  it("goes to where there are more hits for the room they take", () => {
    const window = { windowHits: 50, windowCost: 0.2, mainHits: 100, mainCost: 0.8, ...even }
    assert.isAbove(nextShare(0.3, window), 0.3)
    const main = { windowHits: 10, windowCost: 0.2, mainHits: 100, mainCost: 0.8, ...even }
    assert.isBelow(nextShare(0.3, main), 0.3)
    const same = { windowHits: 25, windowCost: 0.2, mainHits: 100, mainCost: 0.8, ...even }
    assert.closeTo(nextShare(0.3, same), 0.3, 1e-12)
  })

  it("arrives at either end when one region has all hits, and comes back", () => {
    const window = { windowHits: 9, windowCost: 0.5, mainHits: 0, mainCost: 0.5, ...even }
    const main = { ...window, windowHits: 0, mainHits: 9 }
    let share = initialShare
    for (let i = 0; i < 20; i += 1) share = nextShare(share, window)
    assert.strictEqual(share, 0.8)
    for (let i = 0; i < 20; i += 1) share = nextShare(share, main)
    assert.strictEqual(share, 0.02)
  })

  it("learns nothing from no hits", () => {
    const none = { windowHits: 0, windowCost: 0.2, mainHits: 0, mainCost: 0.8, ...even }
    assert.strictEqual(nextShare(0.3, none), 0.3)
    assert.strictEqual(
      nextShare(initialShare, { ...none, windowCost: 0, mainCost: 0 }),
      initialShare,
    )
  })

  it("goes to LRU where that is clearly better, though the main region has all hits", () => {
    const sample = { windowHits: 0, windowCost: 0.2, mainHits: 100, mainCost: 0.8 }
    const behind = { ...sample, ownHits: 100, shadowHits: 200 }
    assert.isAbove(behindLru(behind), 2)
    let share = initialShare
    for (let i = 0; i < 5; i += 1) share = nextShare(share, behind)
    assert.strictEqual(share, 0.99)
    assert.isBelow(nextShare(share, { ...sample, ownHits: 200, shadowHits: 200 }), 0.99)
    assert.isBelow(behindLru({ ...sample, ownHits: 3, shadowHits: 2 }), 0)
  })
})
