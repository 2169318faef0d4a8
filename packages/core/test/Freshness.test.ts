import { Entry, Freshness } from "@larder/core"
import * as fc from "fast-check"
import { expect, it } from "vitest"

const entry = (freshUntil: number, revalidateUntil: number, staleUntil: number) => ({
  value: "milk",
  storedAt: 0,
  freshUntil,
  revalidateUntil,
  staleUntil,
  loadMillis: 1,
  version: 1,
  asOf: 0,
  tags: [],
})

it.each([
  [0, "Fresh"],
  [9, "Fresh"],
  [10, "revalidate"],
  [19, "revalidate"],
  [20, "error"],
  [29, "error"],
  [30, "Missing"],
  [Entry.forever, "Missing"],
] as const)("at %i: %s; each bound belongs to what follows it", (now, expected) => {
  const freshness = Freshness.of(entry(10, 20, 30), now)
  expect(freshness._tag === "Stale" ? freshness.grace : freshness._tag).toBe(expected)
})

it("without grace there is nothing between fresh and missing", () => {
  expect(Freshness.of(entry(10, 10, 10), 9)._tag).toBe("Fresh")
  expect(Freshness.of(entry(10, 10, 10), 10)._tag).toBe("Missing")
})

it("nothing is missing; what is for ever is fresh for ever", () => {
  expect(Freshness.of(undefined, 0)).toEqual({ _tag: "Missing" })
  const { forever } = Entry
  expect(Freshness.of(entry(forever, forever, forever), forever - 1)).toEqual({ _tag: "Fresh" })
})

it("both argument orders", () => {
  expect(Freshness.of(10)(entry(10, 20, 30))).toEqual(Freshness.of(entry(10, 20, 30), 10))
  const cases = { onFresh: () => 1, onStale: (grace: string) => grace, onMissing: () => 3 }
  expect(Freshness.match(Freshness.staleError, cases)).toBe("error")
  expect(Freshness.match(cases)(Freshness.missing)).toBe(3)
})

it("total, and only ever worse with time, whatever the times are", () => {
  const rank = (freshness: Freshness.Freshness) =>
    Freshness.match(freshness, {
      onFresh: () => 0,
      onStale: (grace) => (grace === "revalidate" ? 1 : 2),
      onMissing: () => 3,
    })
  const time = fc.integer({ min: 0, max: 50 })
  fc.assert(
    fc.property(time, time, time, time, time, (a, b, c, now, later) => {
      const [freshUntil, revalidateUntil, staleUntil] = [a, b, c].toSorted((x, y) => x - y)
      const one = entry(freshUntil, revalidateUntil, staleUntil)
      expect(rank(Freshness.of(one, now))).toBeLessThanOrEqual(rank(Freshness.of(one, now + later)))
      // Times that contradict each other: still never after staleUntil.
      const odd = entry(a, b, c)
      if (now >= c) expect(Freshness.of(odd, now)._tag).toBe("Missing")
    }),
  )
})

it("a time that is NaN is no life", () => {
  const nan = Number.NaN
  expect(Freshness.of(entry(nan, nan, nan), 5)._tag).toBe("Missing")
  expect(Freshness.of(entry(10, 20, nan), 5)._tag).toBe("Missing")
  expect(Freshness.of(entry(10, 20, 30), nan)._tag).toBe("Missing")
  expect(Freshness.of(entry(nan, 20, 30), 5)).toEqual({ _tag: "Stale", grace: "revalidate" })
  expect(Freshness.of(entry(nan, nan, 30), 5)).toEqual({ _tag: "Stale", grace: "error" })
})

it("a time that is NaN does not become one that never comes", () => {
  const nan = Number.NaN
  expect(Entry.after(nan, 1)).toBeNaN()
  expect(Entry.after(1, nan)).toBeNaN()
  expect(Entry.shift(entry(nan, nan, nan), 5).staleUntil).toBeNaN()
  expect(Entry.shift(entry(10, 20, 30), nan).staleUntil).toBeNaN()
  expect(Entry.expireAt(entry(10, 20, nan), 5)).toBe(undefined)
  expect(Entry.expireAt(entry(10, 20, 30), nan)).toBe(undefined)
  expect(Entry.expireAt(entry(nan, nan, 30), 5)).toMatchObject({
    freshUntil: 5,
    revalidateUntil: 5,
    staleUntil: 30,
  })
})
