import { describe, expect, it } from "vitest"
import type { Line } from "../../src/history/Line.ts"
import { deaf } from "../support/deaf.ts"
import { change, fresh, lookup, opened, read, rules, set, unsettled } from "../support/lines.ts"

const old = lookup("B", [10, 20], "h0", "old")
const changed = set("A", [100, 110], "h0", "new", { version: 7 })
const marked = change("A", [100, 110], { op: "tags", tags: ["t0"] }, { version: 7 })

const heard = (at: number, of: { readonly key?: string; readonly version: number }): Line => ({
  t: "heard",
  session: "B",
  at,
  ...of,
})
const gap = (at: number, isOver: boolean, part?: string): Line => ({
  t: "gap",
  session: "B",
  at,
  isOver,
  part,
})
const fault = (from: number, to: number, nodes?: ReadonlyArray<string>): Line => ({
  t: "fault",
  kind: "cut",
  from,
  to,
  detail: "",
  nodes,
  loses: false,
})
const stall = (node: string, from: number, to: number): Line => ({ t: "stall", node, from, to })

const givenAt = (begin: number) => read("B", [begin, begin + 1], "h0", fresh("old"))

describe("a node that was told of a change", () => {
  const told = ["fresh although it was told"]

  it("gives nothing older as fresh, whatever is in its way", () => {
    const message = heard(150, { key: "h0", version: 7 })
    expect(rules(old, changed, deaf("B"), message, givenAt(151))).toEqual(told)
    expect(rules(old, changed, message, givenAt(149))).toEqual([])
  })

  it("is told by a later message of the key, not by an earlier one or one of another key", () => {
    const by = (of: { readonly key?: string; readonly version: number }) =>
      rules(old, changed, heard(150, of), givenAt(151))
    expect(by({ key: "h0", version: 8 })).toEqual(told)
    expect(by({ key: "h0", version: 6 })).toEqual([])
    expect(by({ key: "h1", version: 8 })).toEqual([])
    expect(by({ version: 8 })).toEqual([])
  })

  it("is told of tags by a message of that mark or a later one", () => {
    expect(rules(old, marked, heard(150, { version: 7 }), givenAt(151))).toEqual(told)
    expect(rules(old, marked, heard(150, { version: 6 }), givenAt(151))).toEqual([])
    expect(rules(old, marked, heard(150, { key: "h0", version: 9 }), givenAt(151))).toEqual([])
  })

  it("may give its own value that Redis missed, if that has the higher version", () => {
    const message = heard(150, { key: "h0", version: 7 })
    const own = (version: number) => set("B", [10, 20], "h0", "old", { ...unsettled, version })
    expect(rules(own(8), changed, message, givenAt(151))).toEqual([])
    expect(rules(own(6), changed, message, givenAt(151))).toEqual(told)
    // No estimate of the clock of Redis is wrong by that much.
    expect(rules(own(1_000_007), changed, message, givenAt(151))).toEqual(told)
    const settled = set("B", [10, 20], "h0", "old", { version: 8 })
    expect(rules(settled, changed, message, givenAt(151))).toContain(told[0])
  })

  it("may give an older value as stale, or to a caller who came before", () => {
    const message = heard(150, { key: "h0", version: 7 })
    const stale = { value: "old", freshness: "error", tier: "memory" } as const
    expect(rules(old, changed, message, read("B", [151, 152], "h0", stale))).toEqual([])
    expect(rules(old, changed, message, read("B", [140, 200], "h0", fresh("old")))).toEqual([])
  })
})

describe("a node that was not told", () => {
  const late = ["fresh although nothing was in the way"]

  it("gives nothing older as fresh once everything has run for 2 s", () => {
    expect(rules(old, changed, givenAt(1_500))).toEqual([])
    expect(rules(old, changed, givenAt(2_200))).toContain(late[0])
  })

  it("counts only time in which no fault reached it", () => {
    const messages = (...lines: ReadonlyArray<Line>) =>
      rules(old, changed, gap(0, false), ...lines, givenAt(3_000)).filter(
        (rule) => rule !== "stale given as fresh",
      )
    expect(messages()).toEqual(late)
    expect(messages(fault(1_500, 1_600))).toEqual([])
    expect(messages(fault(1_500, 1_600, ["B"]))).toEqual([])
    expect(messages(fault(1_500, 1_600, ["A"]))).toEqual(late)
    expect(messages(stall("B", 1_500, 1_600))).toEqual([])
    expect(messages(stall("coordinator", 1_500, 1_600))).toEqual([])
    expect(messages(stall("A", 1_500, 1_600))).toEqual(late)
    // Faults at the same time, in any order, and the calm after them.
    expect(messages(fault(200, 900), fault(100, 300), fault(250, 400))).toEqual(late)
  })

  it("may give what was on its way when the change was made, for as long", () => {
    const slow = lookup("B", [90, 2_000], "h0", "old")
    expect(rules(slow, changed, givenAt(3_500))).toEqual([])
    expect(rules(slow, changed, givenAt(4_200))).toContain(late[0])
  })

  it("says nothing of a change that is not settled", () => {
    const missed = set("A", [100, 110], "h0", "new", { ...unsettled, version: 7 })
    expect(rules(old, missed, heard(150, { key: "h0", version: 7 }), givenAt(9_000))).toEqual([])
  })
})

describe("a node that cannot be told", () => {
  const unnoticed = ["gap not noticed"]
  const always = fault(0, 1e9)
  const messages = (...lines: ReadonlyArray<Line>) =>
    rules(old, changed, always, ...lines).filter((rule) => rule !== "stale given as fresh")

  it("knows that within three heartbeats and 2 s", () => {
    expect(messages(givenAt(5_000))).toEqual([])
    expect(messages(givenAt(5_200))).toEqual(unnoticed)
  })

  it("may go on with what it has read since the gap began, if that was before the change", () => {
    expect(messages(gap(50, false), givenAt(9_000))).toEqual([])
    expect(messages(gap(200, false), givenAt(9_000))).toEqual(unnoticed)
    expect(messages(gap(50, false), gap(60, true), givenAt(9_000))).toEqual(unnoticed)
  })

  it("may miss one server while another is heard", () => {
    expect(messages(gap(50, false, "one"), gap(60, true, "other"), givenAt(9_000))).toEqual([])
    expect(messages(gap(50, false, "one"), gap(60, true, "one"), givenAt(9_000))).toEqual(unnoticed)
    expect(messages(gap(50, false, "one"), gap(60, true), givenAt(9_000))).toEqual(unnoticed)
    expect(messages(gap(50, false), gap(60, true, "one"), givenAt(9_000))).toEqual([])
  })

  it("does not count the time in which it did not run", () => {
    expect(messages(stall("B", 1_000, 5_000), givenAt(6_000))).toEqual([])
  })

  it("begins anew with each session", () => {
    const lines = [opened("B", 120, "new"), read("new", [6_000, 6_001], "h0", fresh("old"))]
    expect(messages(...lines)).toEqual(unnoticed)
  })
})

describe("a failover", () => {
  const failover: Line = {
    t: "fault",
    kind: "failover",
    from: 1_000,
    to: 3_000,
    detail: "",
    loses: true,
  }
  const changedAt = (begin: number) =>
    rules(
      old,
      set("A", [begin, begin + 10], "h0", "new", { version: 7 }),
      failover,
      givenAt(12_000),
    )

  it("may have lost what was settled from a second before it until its end", () => {
    expect(changedAt(100)).toEqual([])
    expect(changedAt(2_900)).toEqual([])
  })

  it("has lost nothing from after it", () => {
    expect(changedAt(3_001)).toContain("fresh although nothing was in the way")
  })

  it("excuses nodes that disagree at the end only where the last change may be lost", () => {
    const final = (session: string, value: string) =>
      read(session, [12_000, 12_001], "h0", { ...fresh(value), final: true })
    const end = (begin: number) =>
      rules(
        lookup("A", [20, 30], "h0", "one"),
        lookup("B", [begin + 20, begin + 30], "h0", "other"),
        change("A", [begin, begin + 10], { op: "expire", key: "h0" }, { version: 7 }),
        failover,
        final("A", "one"),
        final("B", "other"),
      ).filter((rule) => rule === "nodes disagree")
    expect(end(2_900)).toEqual([])
    expect(end(3_001)).toEqual(["nodes disagree"])
  })
})
