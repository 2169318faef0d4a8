import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Trust } from "../../../src/internal/tier/confirmedEntries.ts"

it("law 19: of two entries with one version, which nodes gave without the arbiter, only one's own is confirmed", () => {
  const trust = new Trust()
  trust.kept("k", { version: 5, storedAt: 1000 }, true, { at: 7, isOrdered: true })
  expect(trust.confirmedAt("k", { version: 5, storedAt: 1000 })).toBe(7)
  expect(trust.confirmedAt("k", { version: 5, storedAt: 1001 })).toBe(undefined)
  expect(trust.confirmedAt("k", { version: 6, storedAt: 1000 })).toBe(undefined)
  expect(trust.confirmedAt("l", { version: 5, storedAt: 1000 })).toBe(undefined)
})

it("of what is confirmed the oldest is forgotten first", () => {
  const trust = new Trust()
  for (let i = 0; i <= 100_000; i++)
    trust.kept(`k${i}`, { version: 1, storedAt: 1 }, true, { at: 7, isOrdered: true })
  expect(trust.confirmedAt("k0", { version: 1, storedAt: 1 })).toBe(undefined)
  expect(trust.confirmedAt("k1", { version: 1, storedAt: 1 })).toBe(7)
})

it("a key that is kept again is the youngest of those that are confirmed", () => {
  const trust = new Trust()
  for (let i = 0; i < 100_000; i++)
    trust.kept(`k${i}`, { version: 1, storedAt: 1 }, true, { at: 7, isOrdered: true })
  trust.kept("k0", { version: 2, storedAt: 2 }, true, { at: 7, isOrdered: true })
  trust.kept("another", { version: 1, storedAt: 1 }, true, { at: 7, isOrdered: true })
  expect(trust.confirmedAt("k0", { version: 2, storedAt: 2 })).toBe(7)
  expect(trust.confirmedAt("k1", { version: 1, storedAt: 1 })).toBe(undefined)
})

it("law 13: a key that should be gone stays so until something above it was put, or anything was stored", () => {
  const trust = new Trust()
  const later = { version: 10, storedAt: 1 }
  trust.miss("k", 10)
  trust.kept("k", { version: 5, storedAt: 1 }, false, { at: 7, isOrdered: true })
  expect(trust.missedAt("k")).toBe(10)
  trust.kept("k", later, false, { at: 7, isOrdered: true })
  expect(trust.missedAt("k")).toBe(0)
  trust.miss("k", 10)
  trust.kept("k", { version: 5, storedAt: 1 }, true, { at: 7, isOrdered: true })
  expect(trust.missedAt("k")).toBe(0)
})

it("law 13: of several drops that failed the highest version counts, whichever came last", () => {
  const trust = new Trust()
  trust.miss("k", 10)
  trust.miss("k", 5)
  expect(trust.missedAt("k")).toBe(10)
  trust.miss("l", 0)
  expect(trust.missedAt("l")).toBe(0)
})

it("law 13: once a key is gone from the tier nothing of it has to be dropped any more", () => {
  const trust = new Trust()
  trust.kept("k", { version: 5, storedAt: 1 }, true, { at: 7, isOrdered: true })
  trust.miss("k", 10)
  trust.gone("k", 10)
  expect(trust.missedAt("k")).toBe(0)
  expect(trust.missed.size).toBe(0)
  expect(trust.confirmedAt("k", { version: 5, storedAt: 1 })).toBe(undefined)
})

it("law 17: beyond 1,000 keys that should be gone, everything up to the highest of their versions counts as gone", () => {
  const trust = new Trust()
  for (let i = 1; i <= 1_000; i++) trust.miss(`k${i}`, 2_000 - i)
  expect(trust.missed.size).toBe(1_000)
  expect([trust.missedAt("k1000"), trust.missedAt("another")]).toEqual([1_000, 0])
  trust.miss("one more", 1)
  expect(trust.missed.size).toBe(0)
  expect([trust.missedAt("k1000"), trust.missedAt("another")]).toEqual([1_999, 1_999])
  trust.miss("later", 3_000)
  expect([trust.missedAt("later"), trust.missedAt("another")]).toEqual([3_000, 1_999])
})

it("law 11: every put that was under way when its key was dropped hears of it, and no later one", () => {
  const trust = new Trust()
  trust.beginPut("k")
  trust.beginPut("k")
  trust.dropping("k", 7)
  trust.dropping("k", 6)
  expect(trust.endPut("k")).toBe(7)
  expect(trust.endPut("k")).toBe(7)
  trust.dropping("k", 9)
  trust.beginPut("k")
  expect(trust.endPut("k")).toBe(0)
})

it("law 11: what was expired is not confirmed, nor is what is being put meanwhile", () => {
  const trust = new Trust()
  trust.kept("k", { version: 5, storedAt: 1 }, true, { at: 7, isOrdered: true })
  trust.beginPut("k")
  trust.expired("k", 7)
  expect(trust.confirmedAt("k", { version: 5, storedAt: 1 })).toBe(undefined)
  expect(trust.endPut("k")).toBe(7)
})

it("a put that is interrupted when it has ended already ends once", () => {
  const trust = new Trust()
  trust.beginPut("k")
  trust.endPut("k")
  expect(trust.endPut("k")).toBe(0)
})

it.effect(
  "an expiry waits for the puts that were under way when it came, and for no later one",
  () =>
    Effect.gen(function* () {
      const trust = new Trust()
      yield* trust.putsEnded("k")
      trust.beginPut("k")
      trust.beginPut("k")
      const waiting = yield* Effect.forkChild(trust.putsEnded("k"), { startImmediately: true })
      trust.beginPut("k")
      trust.endPut("k")
      yield* Effect.yieldNow
      expect(waiting.pollUnsafe()).toBe(undefined)
      trust.endPut("k")
      yield* Effect.yieldNow
      expect(waiting.pollUnsafe()).not.toBe(undefined)
    }),
)

it("law 19: what was confirmed before a gap must be confirmed again", () => {
  const trust = new Trust()
  const one = { version: 5, storedAt: 1 }
  trust.kept("k", one, true, { at: 7, isOrdered: true })
  trust.suspect(6)
  expect(trust.confirmedAt("k", one)).toBe(7)
  trust.suspect(7)
  trust.suspect(3)
  expect(trust.confirmedAt("k", one)).toBe(undefined)
  trust.kept("k", one, true, { at: 8, isOrdered: true })
  expect(trust.confirmedAt("k", one)).toBe(8)
})

it("law 18: a message of a newer version ends the confirmation of an older entry alone", () => {
  const trust = new Trust()
  const one = { version: 5, storedAt: 1 }
  trust.kept("k", one, true, { at: 7, isOrdered: true })
  expect(trust.outdate("k", 5)).toBe(false)
  expect(trust.outdate("other", 9)).toBe(false)
  expect(trust.confirmedAt("k", one)).toBe(7)
  expect(trust.outdate("k", 6)).toBe(true)
  expect(trust.confirmedAt("k", one)).toBe(undefined)
  // The tier still has it, also after an `expire` of this node.
  expect(trust.outdate("k", 7)).toBe(true)
  trust.expired("k", 8)
  expect(trust.outdate("k", 9)).toBe(true)
  trust.gone("k", 9)
  expect(trust.outdate("k", 10)).toBe(false)
})

it("law 12: what an older change does to the tier leaves the newer entry known", () => {
  const trust = new Trust()
  const newer = { version: 5, storedAt: 1 }
  trust.kept("k", newer, true, { at: 7, isOrdered: true })
  // The tier has refused an older value.
  trust.kept("k", { version: 4, storedAt: 1 }, false, { at: 8, isOrdered: true })
  expect(trust.confirmedAt("k", newer)).toBe(7)
  trust.gone("k", 4)
  expect(trust.confirmedAt("k", newer)).toBe(7)
  expect(trust.outdate("k", 6)).toBe(true)
  trust.miss("k", 6)
  trust.gone("k", 5)
  expect(trust.missedAt("k")).toBe(6)
})

it("law 18: an entry that is being put when the message comes is dropped, unless it is the newer one", () => {
  const trust = new Trust()
  trust.beginPut("k")
  trust.outdate("k", 6)
  expect(trust.endPut("k")).toBe(5)
})
