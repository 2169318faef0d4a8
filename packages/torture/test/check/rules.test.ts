import { describe, expect, it } from "vitest"
import { check } from "../../src/check/check.ts"
import type { Line } from "../../src/history/Line.ts"
import {
  change,
  fresh,
  lookup,
  opened,
  read,
  round,
  rules,
  set,
  unsettled,
} from "../support/lines.ts"

const faultsOver: Line = { t: "phase", name: "faults over", at: 0 }

describe("lives", () => {
  const short = (...lines: ReadonlyArray<Line>) =>
    check([round({ freshFor: 1_500, life: 6_500 }), opened("A"), ...lines]).map(({ rule }) => rule)
  const value = lookup("A", [0, 10], "h0", "v")

  it("nothing is fresh beyond its freshness, or given beyond its life", () => {
    const stale = { value: "v", freshness: "error", tier: "memory" } as const
    expect(short(...value, read("A", [2_400, 2_401], "h0", fresh("v")))).toEqual([])
    expect(short(...value, read("A", [2_600, 2_601], "h0", fresh("v")))).toEqual(["lived too long"])
    expect(short(...value, read("A", [7_400, 7_401], "h0", stale))).toEqual([])
    expect(short(...value, read("A", [7_600, 7_601], "h0", stale))).toEqual(["lived too long"])
  })
})

describe("a settled set", () => {
  const observer = opened("observer")
  const missing = { op: "read", freshness: "missing" } as const
  const kept = set("B", [100, 110], "s0", "kept")
  const gone = read("observer", [300, 301], "s0", missing)

  it("is there until something newer takes its place", () => {
    expect(rules(observer, kept, gone)).toEqual(["settled set lost"])
  })

  it("is not taken away by what the arbiter missed before it", () => {
    const theirs = set("A", [50, 60], "s0", "missed", unsettled)
    const own = set("B", [50, 60], "s0", "missed too", unsettled)
    const recovered = (session: string, at: number): Line => ({
      t: "event",
      session,
      at,
      event: "Recovered",
      detail: "",
    })
    const lost = (...lines: ReadonlyArray<Line>) => rules(observer, lines, kept, gone)
    const [a, b] = [recovered("A", 250), recovered("B", 250)]
    expect(lost(...theirs, a)).toEqual(["settled set lost to another node's missed change"])
    expect(lost(...own, b)).toEqual(["settled set lost to its own node's missed change"])
    // It is not back yet, or has been for long.
    expect(lost(...theirs, ...own, b)).toEqual(["settled set lost to its own node's missed change"])
    expect(lost(...theirs, ...own, recovered("A", 70), b)).toEqual([
      "settled set lost to its own node's missed change",
    ])
    expect(lost(...theirs, ...own, a, b)).toEqual(["settled set lost"])
  })

  it.each<readonly [string, ReadonlyArray<Line>]>([
    ["a removal since", change("A", [200, 210], { op: "remove", key: "s0" })],
    ["a removal at the same time", change("A", [105, 115], { op: "remove", key: "s0" })],
    ["a set that nobody was told of", set("A", [50, 60], "s0", "x").slice(0, 1)],
    ["a lookup since", lookup("A", [150, 160], "s0", "x")],
    ["a flush", [{ t: "fault", kind: "flush", from: 200, to: 201, detail: "", loses: true }]],
  ])("may be gone after %s", (_, lines) => {
    expect(rules(observer, kept, lines, gone)).toEqual([])
  })

  it("holds against a mark that its node had not heard of", () => {
    const mark = change("A", [50, 60], { op: "tags", tags: ["t0"], drops: true })
    const later = set("B", [100, 110], "h0", "kept")
    const hot = read("observer", [300, 301], "h0", missing)
    const stale = read("observer", [300, 301], "h0", {
      op: "read",
      freshness: "error",
      value: "kept",
    })
    const rule = "settled set covered by an older mark"
    expect(rules(observer, mark, later, hot)).toEqual([rule])
    expect(rules(observer, mark, later, stale)).toEqual([rule])
    expect(rules(observer, later, stale)).toEqual([])
    // The observer knows that it has not read all marks.
    const session = "observer"
    const hole: Line = { t: "event", session, at: 302, event: "GapDetected", detail: "hole" }
    expect(rules(observer, mark, later, hole, stale)).toEqual([])
    expect(rules(observer, mark, later, hole, hot)).toEqual([rule])
  })

  it("may be gone where too many missed marks became one that drops everything", () => {
    const flood: Line = { t: "fault", kind: "flood", from: 0, to: 90, detail: "", loses: false }
    const dropping = { op: "tags", tags: ["t1"], drops: true } as const
    const mark = change("A", [20, 30], dropping, unsettled)
    expect(rules(observer, mark, kept, gone)).toEqual(["settled set lost"])
    expect(rules(observer, flood, kept, gone)).toEqual(["settled set lost"])
    expect(rules(observer, flood, mark, kept, gone)).toEqual([])
  })

  it("says nothing where a tier failed, or Redis was not asked", () => {
    const failed = read("observer", [300, 301], "s0", { ...missing, tierFailed: true })
    expect(rules(observer, kept, failed)).toEqual([])
    expect(rules(observer, kept, read("A", [300, 301], "s0", missing))).toEqual([])
  })
})

describe("a set in the background", () => {
  const queued = change(
    "A",
    [100, 110],
    { op: "set", key: "bA-1", value: "queued", background: true },
    unsettled,
  )
  const quiet: Line = { t: "quiet", session: "A", at: 4_000, quiet: true, detail: "" }
  const last = { op: "read", freshness: "missing", final: true } as const
  const gone = read("observer", [5_000, 5_001], "bA-1", last)

  it("arrives, unless its node died or closed", () => {
    expect(rules(opened("observer"), queued, quiet, gone)).toEqual(["queued set lost"])
    expect(rules(opened("observer"), queued, gone)).toEqual([])
    const closing: Line = { t: "closing", session: "A", at: 3_000 }
    expect(rules(opened("observer"), queued, quiet, closing, gone)).toEqual([])
  })
})

describe("the queue of writes", () => {
  const waited = (end: number) =>
    change("A", [0, end], { op: "set", key: "s0", value: "v", background: true }, unsettled)
  const sizes = (size: number) =>
    Array.from({ length: 40 }, (_, i): Line => ({ t: "queue", session: "A", at: 100 * i, size }))

  it("has room unless it is full", () => {
    expect(rules(waited(2_000), sizes(600))).toEqual(["waits although there is room"])
    expect(rules(waited(2_000), sizes(1_000))).toEqual([])
    expect(rules(waited(1_400), sizes(600))).toEqual([])
    expect(rules(waited(2_000))).toEqual([])
  })
})

describe("hangs", () => {
  const pending = (op: string, at: number): Line => ({
    t: "pending",
    session: "A",
    op,
    key: "h0",
    begin: 0,
    at,
  })

  it("a call that does not end within its bound", () => {
    expect(rules(faultsOver, pending("get", 15_900))).toEqual([])
    expect(rules(faultsOver, pending("get", 16_100))).toEqual(["hangs"])
    expect(rules(faultsOver, pending("set", 10_100))).toEqual(["hangs"])
    expect(rules(faultsOver, set("A", [0, 10_100], "s0", "x"))).toEqual(["hangs"])
  })

  it("a process that does not run cannot end it", () => {
    const stall: Line = { t: "stall", node: "A", from: 0, to: 5_000 }
    expect(rules(faultsOver, stall, pending("set", 12_000))).toEqual([])
  })

  it("a larder closes within 5 s", () => {
    const closing: Line = { t: "closing", session: "A", at: 0 }
    expect(rules(closing, { t: "closed", session: "A", at: 6_000 })).toEqual([])
    expect(rules(closing, { t: "closed", session: "A", at: 8_000 })).toEqual(["hangs"])
  })
})

describe("errors", () => {
  const value = lookup("A", [0, 10], "h0", "v")
  const given = read("A", [10, 11], "h0", fresh("v"))
  const failed = read("A", [500, 510], "h0", { error: "UpstreamDown" })

  it("a caller gets something stale instead of an error", () => {
    expect(rules(value, given, failed)).toEqual(["error instead of stale"])
  })

  it("unless it takes nothing stale, there was nothing, or the key has changed", () => {
    const demanding = read("A", [500, 510], "h0", { error: "UpstreamDown", stale: "never" })
    expect(rules(value, given, demanding)).toEqual([])
    expect(rules(value, failed)).toEqual([])
    const removed = change("B", [300, 310], { op: "remove", key: "h0" })
    expect(rules(value, given, removed, failed)).toEqual([])
  })

  it("unless Redis has lost its marks: then what there was before it was asked for them is gone", () => {
    const flush = (at: number): Line => {
      const fault = { t: "fault", kind: "flush", from: at, to: at + 1, detail: "" } as const
      return { ...fault, loses: true }
    }
    expect(rules(value, given, flush(300), failed)).toEqual([])
    expect(rules(flush(-5_000), value, given, failed)).toEqual([])
    expect(rules(flush(-7_000), value, given, failed)).toEqual(["error instead of stale"])
  })
})

describe("values", () => {
  it("come from their own key", () => {
    expect(rules(lookup("A", [0, 10], "h0", "v"), read("A", [20, 21], "h1", fresh("v")))).toEqual([
      "value from nowhere",
    ])
    expect(rules(read("A", [20, 21], "h1", fresh("damaged")))).toEqual(["value from nowhere"])
  })

  it("a refresh gives no older one", () => {
    const value = lookup("A", [0, 10], "h0", "v")
    const refresh = { op: "refresh", value: "v" } as const
    expect(rules(value, read("A", [5, 11], "h0", refresh))).toEqual([])
    expect(rules(value, read("A", [20, 21], "h0", refresh))).toEqual([
      "refresh gave an older value",
    ])
  })

  it("a call dies only by the end of its larder", () => {
    const died = read("A", [20, 21], "h0", { error: "LarderClosed", defect: true })
    expect(rules(died)).toEqual(["defect"])
    expect(rules({ t: "closing", session: "A", at: 15 }, died)).toEqual([])
  })

  it("nothing is unhandled", () => {
    expect(rules({ t: "unhandled", node: "A", at: 1, error: "boom" })).toEqual(["unhandled"])
  })
})

describe("convergence", () => {
  const a = lookup("A", [0, 10], "h0", "a")
  const b = lookup("B", [0, 10], "h0", "b")
  const last = (session: string, value: string) =>
    read(session, [100, 101], "h0", { ...fresh(value), final: true })

  it("all nodes give the same in the end", () => {
    expect(rules(a, b, last("A", "a"), last("B", "a"))).toEqual([])
    expect(rules(a, b, last("A", "a"), last("B", "b"))).toEqual(["nodes disagree"])
  })

  it("every node recovers", () => {
    const line: Line = { t: "quiet", session: "A", at: 9, quiet: false, detail: "breaker open" }
    expect(rules(line)).toEqual(["not recovered"])
    const stall: Line = { t: "stall", node: "A", from: -9_000, to: 0 }
    expect(rules(stall, line)).toEqual([])
  })
})

describe("one of several servers away", () => {
  const fault: Line = {
    t: "fault",
    kind: "away",
    from: 1_000,
    to: 9_000,
    detail: "",
    loses: false,
    unharmed: ["s0"],
  }
  const before = [
    opened("observer"),
    ...set("B", [0, 10], "s0", "v"),
    read("observer", [900, 901], "s0", { ...fresh("v", "redis"), op: "read" }),
  ]
  const reads = (given: Partial<Extract<Line, { t: "read" }>>) =>
    Array.from({ length: 30 }, (_, i) =>
      read("A", [2_500 + 100 * i, 2_501 + 100 * i], "s0", { op: "read", ...given }),
    )

  it("hurts only its own keys", () => {
    expect(rules(fault, before, reads(fresh("v", "redis")))).toEqual([])
    expect(rules(fault, before, reads({ freshness: "missing" }))).toEqual([
      "unharmed keys not served",
    ])
  })

  it("says nothing of a larder that has closed, nor of a node that misses more marks than it keeps", () => {
    const closed = reads({ error: "LarderClosed", defect: true })
    expect(rules(fault, before, closed).filter((rule) => rule.startsWith("unharmed"))).toEqual([])
    const flood = (node: string) => ({
      ...fault,
      kind: "flood" as const,
      detail: `${node} misses 1000 marks`,
      unharmed: [],
    })
    const missing = reads({ freshness: "missing" })
    expect(rules(fault, flood("A"), before, missing)).toEqual([])
    expect(rules(fault, flood("B"), before, missing)).toEqual(["unharmed keys not served"])
  })
})
