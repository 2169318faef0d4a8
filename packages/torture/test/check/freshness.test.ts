import { describe, expect, it } from "vitest"
import type { Line } from "../../src/history/Line.ts"
import { deaf } from "../support/deaf.ts"
import { rules as all } from "../support/lines.ts"
import { change, fresh, lookup, opened, read, set, unsettled } from "../support/lines.ts"

/** Only the bounds that hold without messages. */
const rules = (...lines: ReadonlyArray<Line | ReadonlyArray<Line>>) => all(deaf("A", "B"), ...lines)

const old = lookup("B", [10, 20], "h0", "old")

describe("a change on another node", () => {
  const changes = {
    set: set("A", [100, 110], "h0", "new"),
    remove: change("A", [100, 110], { op: "remove", key: "h0" }),
    expire: change("A", [100, 110], { op: "expire", key: "h0" }),
  }
  it.each(Object.entries(changes))("%s: nothing older is fresh beyond the bound", (_, lines) => {
    expect(rules(old, lines, read("B", [3_000, 3_001], "h0", fresh("old")))).toEqual([
      "stale given as fresh",
    ])
  })

  it("may not have been heard of within the bound", () => {
    expect(rules(old, changes.set, read("B", [1_900, 1_901], "h0", fresh("old")))).toEqual([])
  })

  it("leaves a stale value for when upstream fails", () => {
    const given = { value: "old", freshness: "error", tier: "memory" } as const
    expect(rules(old, changes.remove, read("B", [3_000, 3_001], "h0", given))).toEqual([])
  })

  it("says nothing of a lookup that began while it was under way", () => {
    const between = lookup("B", [105, 120], "h0", "between")
    expect(rules(between, changes.set, read("B", [3_000, 3_001], "h0", fresh("between")))).toEqual(
      [],
    )
  })

  it("says nothing of a set that had not ended when it began", () => {
    const other = set("B", [90, 101], "h0", "other")
    expect(rules(other, changes.set, read("B", [3_000, 3_001], "h0", fresh("other")))).toEqual([])
  })

  it("overtakes a set that was acknowledged before, settled or not", () => {
    const queued = set("B", [80, 90], "h0", "queued", unsettled)
    expect(rules(queued, changes.set, read("B", [3_000, 3_001], "h0", fresh("queued")))).toEqual([
      "stale given as fresh",
    ])
  })

  it("counts from the end of a lookup that it overtook", () => {
    const slow = lookup("B", [90, 2_900], "h0", "slow")
    expect(rules(slow, changes.set, read("B", [3_000, 3_001], "h0", fresh("slow")))).toEqual([])
    expect(rules(slow, changes.set, read("B", [5_000, 5_001], "h0", fresh("slow")))).toEqual([
      "stale given as fresh",
    ])
  })

  it("counts at once for a session that was opened after it", () => {
    const lines = [opened("B", 120, "new"), read("new", [121, 122], "h0", fresh("old", "redis"))]
    expect(rules(old, changes.set, lines)).toEqual(["stale given as fresh"])
  })

  it("does not count the time in which the node did not run", () => {
    const stall: Line = { t: "stall", node: "B", from: 120, to: 2_500 }
    expect(rules(old, changes.set, stall, read("B", [3_000, 3_001], "h0", fresh("old")))).toEqual(
      [],
    )
  })

  it("counts only when it is settled", () => {
    const missed = set("A", [100, 110], "h0", "new", unsettled)
    expect(rules(old, missed, read("B", [9_000, 9_001], "h0", fresh("old")))).toEqual([])
  })
})

describe("a mark on another node", () => {
  const mark = change("A", [100, 110], { op: "tags", tags: ["t0"] })

  it("may be heard of 5 s later", () => {
    expect(rules(old, mark, read("B", [6_800, 6_801], "h0", fresh("old")))).toEqual([])
    expect(rules(old, mark, read("B", [7_000, 7_001], "h0", fresh("old")))).toEqual([
      "stale given as fresh",
    ])
  })

  it("covers the keys of its tags alone", () => {
    const other = lookup("B", [10, 20], "h1", "other")
    expect(rules(other, mark, read("B", [7_000, 7_001], "h1", fresh("other")))).toEqual([])
  })

  it("covers every key when everything is cleared", () => {
    const clear = change("A", [100, 110], { op: "clear" })
    const other = lookup("B", [10, 20], "h1", "other")
    expect(rules(other, clear, read("B", [7_000, 7_001], "h1", fresh("other")))).toEqual([
      "stale given as fresh",
    ])
  })
})

describe("a change on the same node", () => {
  const mine = lookup("A", [10, 20], "h0", "mine")

  it("counts at once, settled or not", () => {
    const expired = change("A", [100, 110], { op: "expire", key: "h0" }, unsettled)
    expect(rules(mine, expired, read("A", [111, 112], "h0", fresh("mine")))).toEqual([
      "overtaken on its own node",
    ])
  })

  it("leaves nothing where it replaces or removes", () => {
    const removed = change("A", [100, 110], { op: "remove", key: "h0" }, unsettled)
    const stale = { value: "mine", freshness: "error", tier: "memory" } as const
    expect(rules(mine, removed, read("A", [111, 112], "h0", stale))).toEqual([
      "given after it was replaced",
    ])
  })

  it("leaves nothing where another node expires the older value meanwhile", () => {
    const queued = set("A", [100, 110], "h0", "queued", unsettled)
    const stale = { value: "mine", freshness: "error", tier: "memory" } as const
    const given = read("A", [200, 201], "h0", stale)
    const expired = change("B", [90, 150], { op: "expire", key: "h0" })
    expect(rules(mine, queued, expired, given)).toEqual(["given after it was replaced"])
  })

  it("does not count for a read that began before it ended", () => {
    const removed = change("A", [100, 110], { op: "remove", key: "h0" })
    expect(rules(mine, removed, read("A", [109, 112], "h0", fresh("mine")))).toEqual([])
  })

  it("knows nothing of what the node had not seen while it was unsettled", () => {
    const missed = set("A", [100, 110], "h0", "missed", unsettled)
    const theirs = set("B", [50, 60], "h0", "theirs")
    expect(rules(theirs, missed, read("A", [200, 201], "h0", fresh("theirs", "redis")))).toEqual([])
  })
})

describe("a change that did not settle", () => {
  const seen = [...lookup("A", [10, 20], "h0", "old"), read("A", [20, 21], "h0", fresh("old"))]
  const missed = change("A", [100, 110], { op: "remove", key: "h0" }, unsettled)
  const newcomer = [
    opened("B", 5_000, "new"),
    read("new", [5_001, 5_002], "h0", fresh("old", "redis")),
  ]

  it("counts from when its node is quiet again", () => {
    const quiet: Line = { t: "quiet", session: "A", at: 4_000, quiet: true, detail: "" }
    expect(rules(seen, missed, newcomer)).toEqual([])
    expect(rules(seen, missed, quiet, newcomer)).toEqual(["stale given as fresh"])
  })

  it("counts from when a later change of its node is settled, since that speaks for all", () => {
    const later = set("A", [200, 210], "h1", "later")
    expect(rules(seen, missed, later, newcomer)).toEqual(["settled although earlier changes wait"])
  })
})

describe("a removeWhere on another node", () => {
  const walked = change("A", [100, 130], { op: "removeWhere", prefix: "p" })
  const cached = lookup("B", [10, 20], "p0", "old")
  const inRedis = read("A", [30, 31], "p0", fresh("old", "redis"))
  const late = read("B", [3_000, 3_001], "p0", fresh("old"))

  it("counts as a remove of each key with the prefix that Redis had when it began", () => {
    expect(rules(cached, inRedis, walked, late)).toEqual(["stale given as fresh"])
  })

  it("says nothing of a key with another prefix", () => {
    const other = change("A", [100, 130], { op: "removeWhere", prefix: "q" })
    expect(rules(cached, inRedis, other, late)).toEqual([])
  })

  it("says nothing of a value that nobody has seen in Redis before it began", () => {
    expect(rules(cached, walked, late)).toEqual([])
    const seenLater = read("A", [120, 121], "p0", fresh("old", "redis"))
    expect(rules(cached, seenLater, walked, late)).toEqual([])
  })

  it("says nothing of a key that another change may have ended before", () => {
    const younger = lookup("B", [40, 50], "p0", "younger")
    const seen = read("A", [55, 56], "p0", fresh("younger", "redis"))
    const given = read("B", [3_000, 3_001], "p0", fresh("younger"))
    expect(rules(younger, seen, walked, given)).toEqual(["stale given as fresh"])
    const byA = change("A", [60, 70], { op: "remove", key: "p0" }, { error: "unknown" })
    expect(rules(younger, seen, byA, walked, given)).toEqual([])
  })

  it("says nothing once Redis may have lost its data", () => {
    const flushed: Line = { t: "fault", kind: "flush", from: 50, to: 60, detail: "", loses: true }
    expect(rules(cached, inRedis, flushed, walked, late)).toEqual([])
  })

  it("does not show that earlier changes have arrived", () => {
    const missed = change("A", [80, 90], { op: "remove", key: "h0" }, unsettled)
    const given = read("B", [9_000, 9_001], "h0", fresh("old"))
    expect(rules(old, read("A", [30, 31], "h0", fresh("old")), missed, walked, given)).toEqual([])
  })
})
