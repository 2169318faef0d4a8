import { describe, expect, it } from "vitest"
import type { Line, WroteLine } from "../../src/history/Line.ts"
import { fresh, lookup, read, rules } from "../support/lines.ts"

let count = 0

/** A write of the source that ends, settled, and the moment and values of its run. */
const written = (
  session: string,
  [begin, at, end]: readonly [number, number, number],
  op: "around" | "through" | "update",
  key: string,
  made: Partial<WroteLine> = {},
  outcome: "done" | "failed" | "idle" = "done",
): ReadonlyArray<Line> => {
  const id = `write ${(count += 1)}`
  return [
    { t: "change", session, id, at: begin, op, key },
    { t: "wrote", id, at, ...made },
    { t: "changed", id, at: end, settled: true, pending: [], outcome },
  ]
}

describe("law 23: a write of the source", () => {
  const later = (value: string) => read("A", [200, 201], "h0", fresh(value))

  it.each(["done", "failed"] as const)("makes older what is from before it (%s)", (outcome) => {
    const write = written("A", [10, 50, 90], "around", "h0", {}, outcome)
    expect(rules(lookup("A", [20, 60], "h0", "old"), write, later("old"))).toContain(
      "overtaken on its own node",
    )
    expect(rules(lookup("A", [55, 95], "h0", "new"), write, later("new"))).toEqual([])
  })

  it("that has left everything as it was makes nothing older", () => {
    const write = written("A", [10, 50, 90], "update", "h0", { value: "none" }, "idle")
    expect(rules(lookup("A", [0, 5], "h0", "old"), write, later("old"))).toEqual([])
  })

  it("gives its value, which a later write makes older", () => {
    const write = written("A", [10, 50, 90], "through", "h0", { value: "one" })
    expect(rules(write, later("one"))).toEqual([])
    const next = written("A", [60, 100, 150], "through", "h0", { value: "two" })
    expect(rules(write, next, later("one"))).toContain("overtaken on its own node")
    expect(rules(write, next, later("two"))).toEqual([])
  })
})

describe("law 25: an update", () => {
  const first = written("A", [0, 10, 20], "update", "c0", { value: "1" })
  const second = (seen: string | undefined) =>
    written("B", [30, 40, 50], "update", "c0", { value: "2", seen })

  it("sees every one that had succeeded before it began", () => {
    expect(rules(first, second("1"))).toEqual([])
    expect(rules(first, second(undefined))).toEqual(["update lost"])
  })

  it("may see nothing after one that failed", () => {
    const failed = written("A", [22, 24, 26], "update", "c0", { value: "x", seen: "1" }, "failed")
    expect(rules(first, failed, second(undefined))).toEqual([])
  })

  it("is applied once", () => {
    const again = written("B", [30, 40, 60], "update", "c0", { value: "2", seen: "1" })
    const id = `write ${count}`
    expect(rules(first, again, { t: "wrote", id, at: 50, value: "3", seen: "2" })).toEqual([
      "update applied twice",
    ])
  })
})
