/** Decisions of the example without any service: what a change concerns, what goes back, what the report says. */
import { Invalidations } from "@larder/core"
import { describe, expect, it } from "@effect/vitest"
import { Option } from "effect"
import { concernedBy } from "../src/feed.ts"
import { larderName } from "../src/price.ts"
import * as Report from "../src/report.ts"
import { latest, type Sighting, wentBack } from "../src/sighting.ts"

describe("what a change concerns", () => {
  const change = (message: object) =>
    concernedBy(Invalidations.change({ larder: larderName, ...message }))

  it("is everything after a gap, and where a message says so", () => {
    expect(concernedBy(Invalidations.gap)).toEqual({ _tag: "All" })
    expect(change({ clear: true, keys: ["milk"] })).toEqual({ _tag: "All" })
  })

  it("is the keys of a message for this larder, and nothing of others", () => {
    expect(change({ keys: ["milk"] })).toEqual({ _tag: "Some", ids: ["milk"] })
    expect(change({ larder: "app/Other", keys: ["milk"] })).toEqual({ _tag: "Some", ids: [] })
    expect(concernedBy(Invalidations.parse("hello"))).toEqual({ _tag: "Some", ids: [] })
  })
})

const saw = (who: string, at: number, version?: number): Sighting => ({
  ...{ who, at, id: "milk" },
  price: Option.fromUndefinedOr(version).pipe(
    Option.map((version) => ({ id: "milk", cents: version * 10, version })),
  ),
})

describe("a price that goes back", () => {
  it("is an older one than the same reader has seen before, also where it had none in between", () => {
    expect(wentBack([saw("a", 0, 2), saw("b", 1, 1), saw("a", 2, 2), saw("a", 3, 4)])).toEqual([])
    const [back, ...others] = wentBack([saw("a", 0, 2), saw("a", 1), saw("a", 2, 1)])
    expect(back).toMatchObject({ from: { version: 2 }, to: { version: 1 } })
    expect(others).toEqual([])
  })

  it("is told once, until a newer one is there", () => {
    const seen = [3, 1, 2, 3, 4, 3].map((version, at) => saw("a", at, version))
    expect(wentBack(seen).map(({ to }) => to.version)).toEqual([1, 3])
  })

  it("is compared with all that a reader saw, of which the last is the latest", () => {
    const seen = latest([saw("a", 0, 1), saw("b", 1, 1), saw("a", 2)], "milk")
    expect([...seen.keys()]).toEqual(["a", "b"])
    expect(seen.get("a")).toEqual(Option.none())
  })
})

describe("the report", () => {
  const outcome = {
    steps: [
      { at: 100, what: "It begins." },
      { at: 600, what: "A change." },
    ],
    sightings: [
      saw("a", 50),
      saw("a", 110, 11),
      saw("b", 610, 12),
      saw("a", 615, 13),
      saw("a", 620, 12),
    ],
  }

  it("has what each reader saw after each step", () => {
    expect(Report.story(outcome)).toEqual([
      "0.00 s  It begins.",
      "    a       no milk, milk at 1.10 after 10 ms",
      "0.50 s  A change.",
      "    b       milk at 1.20 after 10 ms",
      "    a       milk at 1.30 after 15 ms, milk at 1.20 after 20 ms",
    ])
  })

  it("names who saw a price go back", () => {
    expect(Report.verdict(outcome)).toEqual([
      "Prices went back:",
      "    a       milk from 1.30 to 1.20",
    ])
    expect(Report.verdict({ ...outcome, sightings: [] })).toEqual([
      "No service saw a price go back.",
    ])
  })
})
