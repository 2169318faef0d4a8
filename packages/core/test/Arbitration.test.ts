import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import {
  brought,
  decideAcquire,
  decideCommit,
  decideDelayed,
  highestBrought,
  highestRecorded,
  holds,
  mayPut,
  nextNumber,
  settleMillis,
  usable,
} from "../src/Arbitration.ts"
import type { LeaseRecord, Stored } from "../src/Arbitration.ts"

const nothing: Stored = { version: 0, isValue: false }
const value = (version: number): Stored => ({ version, isValue: true })
const tombstone = (version: number): Stored => ({ version, isValue: false })
const lease = (over: Partial<LeaseRecord>): LeaseRecord => ({
  token: 10,
  until: 1000,
  failedUntil: 0,
  expiresAt: 60_000,
  ...over,
})
const unforced = (known: number) => ({ known, force: false })

describe("usable", () => {
  it("counts on from whole numbers above 0 that leave one above them; anything else is none", () => {
    const last = highestRecorded
    const numbers = [undefined, Number.NaN, -1, 0, 0.5, 1, 1.5, last, last + 1, Infinity]
    assert.deepStrictEqual(numbers.map(usable), [0, 0, 0, 0, 0, 1, 1, last, 0, 0])
  })
})

describe("nextNumber", () => {
  it("is the time in microseconds, or one above all that was seen", () => {
    assert.strictEqual(nextNumber(1_700_000_000_000), 1_700_000_000_000_000)
    assert.strictEqual(nextNumber(2, 5, undefined, 7), 2000)
    assert.strictEqual(nextNumber(2, 2000, undefined, 1), 2001)
    assert.strictEqual(nextNumber(0, 0), 1)
  })

  it("rises whatever is seen, and stays below 2^53", () => {
    const seen = fc.array(fc.oneof(fc.maxSafeNat(), fc.double(), fc.nat(10)), { maxLength: 4 })
    fc.assert(
      fc.property(fc.nat(), seen, (now, numbers) => {
        const next = nextNumber(now, ...numbers)
        assert.isTrue(Number.isSafeInteger(next))
        for (const number of numbers) assert.isAbove(next, usable(number))
      }),
    )
  })

  it("does not count on from a number that leaves nothing above it", () => {
    const damaged = [Number.MAX_SAFE_INTEGER, 2 ** 53 - 2, 2 ** 53 - 3, Infinity, Number.NaN, -1]
    assert.strictEqual(nextNumber(3, ...damaged), 3000)
    for (const number of damaged) assert.strictEqual(brought(number), 0)
  })

  it("counts on from the highest that a caller may bring, hundreds of times", () => {
    assert.strictEqual(brought(highestBrought), highestBrought)
    assert.strictEqual(brought(highestBrought + 1), 0)
    assert.strictEqual(usable(highestBrought + 1), highestBrought + 1)
    assert.strictEqual(usable(highestRecorded), highestRecorded)
    assert.strictEqual(usable(highestRecorded + 1), 0)
    assert.isAbove(highestRecorded - highestBrought, 500)
  })
})

describe("decideAcquire", () => {
  it("Newer: a value above what the caller knows, before any lease", () => {
    assert.deepStrictEqual(decideAcquire(value(11), lease({}), unforced(10), 0), { _tag: "Newer" })
    assert.deepStrictEqual(decideAcquire(value(5), undefined, unforced(5), 0), { _tag: "Win" })
    assert.deepStrictEqual(decideAcquire(tombstone(5), undefined, unforced(0), 0), { _tag: "Win" })
  })

  it("Busy: until the lease ends, if its token can still become a version", () => {
    const at = (now: number, stored = nothing) =>
      decideAcquire(stored, lease({}), unforced(20), now)
    assert.deepStrictEqual(at(0), { _tag: "Busy", leftMillis: 1000 })
    assert.deepStrictEqual(at(999), { _tag: "Busy", leftMillis: 1 })
    assert.deepStrictEqual(at(1000), { _tag: "Win" })
    assert.deepStrictEqual(at(0, tombstone(9)), { _tag: "Busy", leftMillis: 1000 })
    assert.deepStrictEqual(at(0, tombstone(10)), { _tag: "Win" })
  })

  it("Failed: as long as the failure is remembered", () => {
    const failed = lease({ until: undefined, failedUntil: 500 })
    const at = (now: number) => decideAcquire(nothing, failed, unforced(0), now)
    assert.deepStrictEqual(at(499), { _tag: "Failed", leftMillis: 1 })
    assert.deepStrictEqual(at(500), { _tag: "Win" })
  })

  it("despite a failure: Win, but nothing else is different", () => {
    const despite = { known: 0, force: false, despiteFailure: true }
    const failed = lease({ until: undefined, failedUntil: 500 })
    assert.deepStrictEqual(decideAcquire(nothing, failed, despite, 0), { _tag: "Win" })
    assert.deepStrictEqual(decideAcquire(value(5), failed, despite, 0), { _tag: "Newer" })
    const held = lease({ failedUntil: 500 })
    assert.deepStrictEqual(decideAcquire(nothing, held, despite, 0), {
      _tag: "Busy",
      leftMillis: 1000,
    })
  })

  it("force wins against all three", () => {
    const forced = { known: 0, force: true }
    assert.deepStrictEqual(decideAcquire(value(99), lease({}), forced, 0), { _tag: "Win" })
    const failed = lease({ until: undefined, failedUntil: 500 })
    assert.deepStrictEqual(decideAcquire(nothing, failed, forced, 0), { _tag: "Win" })
  })
})

describe("decideCommit and holds", () => {
  it("store under a record with the same token over a lower version, and nothing else", () => {
    assert.strictEqual(decideCommit(value(9), lease({}), 10), "Stored")
    assert.strictEqual(decideCommit(value(10), lease({}), 10), "Superseded")
    assert.strictEqual(decideCommit(tombstone(10), undefined, 10), "Superseded")
    assert.strictEqual(decideCommit(nothing, undefined, 10), "Lost")
    assert.strictEqual(decideCommit(nothing, lease({ token: 11 }), 10), "Superseded")
    assert.strictEqual(decideCommit(nothing, lease({ until: undefined }), 10), "Lost")
    assert.isTrue(holds(value(9), lease({}), 10))
    assert.isFalse(holds(value(10), lease({}), 10))
  })
})

describe("mayPut", () => {
  it("only over a lower version, and after no lease or change that came later", () => {
    assert.isTrue(mayPut(nothing, undefined, 1))
    assert.isFalse(mayPut(nothing, undefined, 0))
    assert.isFalse(mayPut(tombstone(5), undefined, 5))
    assert.isFalse(mayPut(nothing, lease({}), 9))
    assert.isTrue(mayPut(nothing, lease({}), 11))
    assert.isTrue(mayPut(nothing, lease({}), 10), "the holder's own")
    assert.isFalse(mayPut(nothing, lease({ until: undefined }), 10))
  })
})

describe("decideDelayed", () => {
  const overtaken = { _tag: "Overtaken" } as const
  const applies = (version: number, endsLease = false, isTooLate = false, isExpired = false) =>
    ({ _tag: "Applies", version, endsLease, isExpired, isTooLate }) as const

  it("applies over what is older, at its own place in the order", () => {
    assert.deepStrictEqual(decideDelayed(nothing, undefined, 5, 0), applies(5))
    assert.deepStrictEqual(decideDelayed(value(4), undefined, 5, 0), applies(5))
    assert.deepStrictEqual(decideDelayed(value(5), undefined, 5, 0), overtaken)
    assert.deepStrictEqual(decideDelayed(tombstone(6), undefined, 5, 0), overtaken)
  })

  it("ends a lease whose lookup began before, and leaves one that began after", () => {
    assert.deepStrictEqual(decideDelayed(nothing, lease({}), 11, 0), applies(11, true))
    assert.deepStrictEqual(decideDelayed(nothing, lease({}), 10, 0), applies(10, true))
    assert.deepStrictEqual(decideDelayed(nothing, lease({}), 9, 0), applies(9, false, false, true))
  })

  it("is no longer fresh where the record of an ended lease has a higher number", () => {
    const ended = lease({ until: undefined })
    assert.deepStrictEqual(decideDelayed(nothing, ended, 9, 0), applies(9, false, false, true))
    assert.deepStrictEqual(decideDelayed(nothing, ended, 10, 0), applies(10, true))
  })

  it("replaces a value from before it whose version is that of a later expire, and is not fresh", () => {
    // Stored in the 4th millisecond, and expired in the 9th.
    const expired = { ...value(9_500), storedAt: 4, freshUntil: 9 }
    const replaced = applies(9_501, false, false, true)
    assert.deepStrictEqual(decideDelayed(expired, undefined, 5_000, 0), replaced)
    assert.deepStrictEqual(decideDelayed(expired, undefined, 9_500, 0), replaced)
    assert.deepStrictEqual(decideDelayed(expired, undefined, 9_501, 0), applies(9_501))
    assert.deepStrictEqual(decideDelayed(expired, lease({ token: 9_600 }), 5_000, 0), replaced)
  })

  it("is overtaken by a value from after it, and by one that was fresh at its version", () => {
    const later = { ...value(9_500), storedAt: 5, freshUntil: 9 }
    assert.deepStrictEqual(decideDelayed(later, undefined, 5_000, 0), overtaken)
    const fresh = { ...value(9_500), storedAt: 4, freshUntil: 10 }
    assert.deepStrictEqual(decideDelayed(fresh, undefined, 5_000, 0), overtaken)
    const damaged = { ...value(9_500), storedAt: 4, freshUntil: undefined }
    assert.deepStrictEqual(decideDelayed(damaged, undefined, 5_000, 0), overtaken)
  })

  it("says when no tombstone can be relied on any more", () => {
    const now = 1_000_000
    const youngest = (now - settleMillis) * 1000
    assert.deepStrictEqual(decideDelayed(nothing, undefined, youngest, now), applies(youngest))
    const tooOld = applies(youngest - 1, false, true)
    assert.deepStrictEqual(decideDelayed(nothing, undefined, youngest - 1, now), tooOld)
  })

  it("comes to nothing at a place that is no usable number", () => {
    for (const at of [0, -1, Number.NaN, Infinity, Number.MAX_SAFE_INTEGER]) {
      assert.deepStrictEqual(decideDelayed(nothing, undefined, at, 0), overtaken)
    }
  })
})
