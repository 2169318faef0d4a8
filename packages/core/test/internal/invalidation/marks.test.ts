import { expect, it } from "vitest"
import type { Mark } from "../../../src/Tier.ts"
import { Marks } from "../../../src/internal/invalidation/marks.ts"

const entry = (asOf: number, ...tags: ReadonlyArray<string>) => ({
  value: 1,
  storedAt: 0,
  freshUntil: 1,
  revalidateUntil: 1,
  staleUntil: 1,
  loadMillis: 0,
  version: 1,
  asOf,
  tags,
})

it("law 12: a mark covers what was looked up before it, and nothing else", () => {
  const marks = new Marks()
  marks.add(["x"], true, 0)
  marks.add(["y"], false, 0)
  expect(marks.judge(entry(0, "x"))).toBe("stale")
  expect(marks.judge(entry(1, "x"))).toBe("valid")
  expect(marks.judge(entry(1, "x", "y"))).toBe("dropped")
  expect(marks.judge(entry(2, "x", "y"))).toBe("valid")
  expect(marks.judge(entry(0, "z"))).toBe("valid")
  marks.add([undefined], true, 0)
  expect(marks.judge(entry(2))).toBe("stale")
  expect(marks.judge(entry(3))).toBe("valid")
  marks.add([undefined], false, 0)
  expect(marks.judge(entry(3, "x"))).toBe("dropped")
})

it("law 12: marks that are forgotten raise the floor: nothing comes back", () => {
  const marks = new Marks()
  const week = 7 * 24 * 60 * 60 * 1000
  marks.add(["old"], false, 0)
  marks.add(["new"], true, week)
  marks.add(["newer"], true, week)
  expect(marks.size).toBe(3)
  marks.add(["old2"], false, week)
  expect(marks.size).toBe(3)
  expect(marks.judge(entry(0, "old"))).toBe("dropped")
  expect(marks.judge(entry(0, "anything"))).toBe("dropped")
  expect(marks.judge(entry(1, "anything"))).toBe("valid")
})

it("law 12: 100,000 marks are kept, the oldest are forgotten first", () => {
  const marks = new Marks()
  for (let i = 0; i < 100_002; i++) marks.add([`t${i}`], true, 0)
  expect(marks.size).toBe(100_000)
  expect(marks.judge(entry(1, "t0"))).toBe("stale")
  expect(marks.judge(entry(2, "untagged"))).toBe("valid")
})

it("law 18: pages of marks may come twice, and in any order", () => {
  const marks = new Marks()
  const page = (number: number, tag: string) => ({
    last: number,
    floor: 0,
    dropFloor: 0,
    marks: [{ tag, keepStale: true, number }],
  })
  marks.merge(page(5, "x"), 0, 0)
  marks.merge(page(7, "x"), 0, 0)
  marks.merge(page(7, "x"), 0, 0)
  marks.merge(page(5, "x"), 0, 0)
  expect(marks.last).toBe(7)
  expect(marks.judge(entry(6, "x"))).toBe("stale")
  expect(marks.judge(entry(7, "x"))).toBe("valid")
  expect(marks.add(["y"], true, 0)).toBe(8)
})

it("law 18: entries are judged again for whatever is news, and for nothing else", () => {
  const marks = new Marks()
  const page = { last: 5, floor: 0, dropFloor: 0, marks: [] as Array<Mark> }
  const isJudgedAgain = (merged: Partial<typeof page>): boolean => {
    const before = marks.generation
    marks.merge({ ...page, ...merged }, 0, 0)
    return marks.generation > before
  }
  expect(isJudgedAgain({})).toBe(true)
  // This node numbers a mark itself, above those that are on their way.
  marks.add(["y"], true, 0, 100)
  expect(isJudgedAgain({})).toBe(false)
  const late = [{ tag: "x", keepStale: true, number: 5 }]
  expect(isJudgedAgain({ marks: late })).toBe(true)
  expect(isJudgedAgain({ marks: late })).toBe(false)
  expect(isJudgedAgain({ marks: [{ tag: undefined, keepStale: false, number: 5 }] })).toBe(true)
  expect(isJudgedAgain({ floor: 4 })).toBe(true)
  expect(isJudgedAgain({ floor: 4 })).toBe(false)
  expect(isJudgedAgain({ dropFloor: 3 })).toBe(true)
  expect(isJudgedAgain({ last: 6 })).toBe(true)
})

it("law 12: a tag that is marked again covers what was looked up since", () => {
  const marks = new Marks()
  marks.add(["x"], true, 0)
  marks.add(["x"], true, 0)
  expect(marks.judge(entry(1, "x"))).toBe("stale")
  expect(marks.judge(entry(2, "x"))).toBe("valid")
})

const day = 24 * 60 * 60 * 1000

it("law 12: a mark is kept for 7 days since its tag was marked last", () => {
  const marks = new Marks()
  marks.add(["x"], true, 0)
  marks.add(["y"], true, day)
  marks.add(["x"], true, 6 * day)
  marks.add(["z"], true, 8 * day)
  expect(marks.size).toBe(2)
  expect(marks.judge(entry(2, "x"))).toBe("stale")
  expect(marks.judge(entry(1))).toBe("stale")
})

it("a mark that is heard of again is kept for no longer", () => {
  const marks = new Marks()
  const page = {
    last: 1,
    floor: 0,
    dropFloor: 0,
    marks: [{ tag: "x", keepStale: true, number: 1 }],
  }
  marks.merge(page, 0, 0)
  marks.merge(page, 0, 6 * day)
  marks.add(["y"], true, 7 * day)
  expect(marks.size).toBe(1)
})

it("law 7: the last mark of everything counts, of whichever kind", () => {
  const marks = new Marks()
  for (const [i, keepStale] of [true, false, true].entries()) {
    marks.add([undefined], keepStale, 0)
    expect(marks.everything).toBe(i + 1)
  }
  marks.add(["x"], true, 0)
  expect(marks.everything).toBe(3)
})

it("law 17: marks of everything take no room", () => {
  const marks = new Marks()
  marks.add([undefined], true, 0)
  marks.add([undefined], false, 0)
  expect(marks.size).toBe(0)
})

it("law 12: the floors of an arbiter cover what its forgotten marks did, and never fall", () => {
  const marks = new Marks()
  const page = { last: 9, floor: 7, dropFloor: 5, marks: [] }
  marks.merge(page, 0, 0)
  marks.merge({ ...page, floor: 1, dropFloor: 1 }, 0, 0)
  expect(marks.judge(entry(7))).toBe("valid")
  expect(marks.judge(entry(6))).toBe("stale")
  expect(marks.judge(entry(5))).toBe("stale")
  expect(marks.judge(entry(4))).toBe("dropped")
})

it("law 12: where nothing is known of earlier marks, what they may have covered is stale", () => {
  const marks = new Marks()
  marks.beginAt(5)
  expect(marks.last).toBe(5)
  expect(marks.judge(entry(4))).toBe("stale")
  expect(marks.judge(entry(5))).toBe("valid")
})

it("law 19: what is found in front of the arbiter was surely looked up before this node's own marks", () => {
  const marks = new Marks()
  marks.merge({ last: 5, floor: 0, dropFloor: 0, marks: [] }, 0, 0)
  expect(marks.surelyAfter(100)).toBe(100)
  marks.add(["x"], true, 0)
  marks.add(["x"], true, 0)
  expect(marks.surelyAfter(100)).toBe(5)
  expect(marks.surelyAfter(4)).toBe(4)
})

it("law 7: whether a mark fell between a lookup's begin and a caller's arrival", () => {
  const marks = new Marks()
  marks.add(["x"], true, 0)
  marks.add(["y"], true, 0)
  marks.add(["x"], true, 0)
  expect(marks.fellBetween(["x"], 0, 1)).toBe(true)
  expect(marks.fellBetween(["x"], 1, 2)).toBe(false)
  expect(marks.fellBetween(["y"], 1, 2)).toBe(true)
  expect(marks.fellBetween(["x"], 1, 3)).toBe(true)
  expect(marks.fellBetween(["z"], 0, 3)).toBe(false)
  expect(marks.fellBetween(["x"], 3, 3)).toBe(false)
  marks.add([undefined], false, 0)
  expect(marks.fellBetween([], 3, 4)).toBe(true)
})

it("law 7: more marks than are told apart during one lookup count as covering it", () => {
  const marks = new Marks()
  for (let i = 0; i < 1_001; i++) marks.add([`t${i}`], true, 0)
  expect(marks.fellBetween(["other"], 0, 1_001)).toBe(true)
  // Between a moment and itself, or an earlier one, nothing fell.
  expect(marks.fellBetween(["t5"], 5, 5)).toBe(false)
  expect(marks.fellBetween(["t5"], 9, 5)).toBe(false)
  marks.forgetLog()
  marks.add(["x"], true, 0)
  expect(marks.fellBetween(["other"], 1_001, 1_002)).toBe(false)
})

it("marks that no running lookup can have missed are not remembered", () => {
  const marks = new Marks()
  marks.add(["x"], true, 0)
  marks.forgetLog()
  expect(marks.fellBetween(["x"], 0, 1)).toBe(false)
})

it("law 12: the highest asOf that was seen counts, not the last", () => {
  const marks = new Marks()
  marks.judge(entry(5_000))
  marks.judge(entry(1))
  expect(marks.add(["x"], true, 0)).toBe(5_001)
})

it("law 12: a node's own mark covers what another node looked up after marks that this one has not heard of", () => {
  const marks = new Marks()
  const someTime = 1_790_000_000_000
  const adopted = entry(someTime * 1000, "x")
  expect(marks.judge(adopted)).toBe("valid")
  expect(marks.add(["x"], true, someTime)).toBe(someTime * 1000 + 1)
  expect(marks.judge(adopted)).toBe("stale")
})

it("a damaged asOf does not use up the numbers of marks", () => {
  const marks = new Marks()
  const someTime = 1_790_000_000_000
  marks.judge(entry(Number.MAX_SAFE_INTEGER - 1, "x"))
  expect(marks.add(["x"], true, someTime)).toBe((someTime + day) * 1000 + 1)
})

it("law 12: what marks that are still to come may cover is stale, until the last page is there", () => {
  const marks = new Marks()
  const page = (last: number, next: number | undefined, ...numbers: ReadonlyArray<number>) => ({
    last,
    floor: 0,
    dropFloor: 0,
    marks: numbers.map((number) => ({ tag: `t${number}`, keepStale: true, number })),
    next,
  })
  marks.merge(page(9, 4, 2, 4), 0, 0)
  expect([marks.readUpTo, marks.last, marks.isBehind]).toEqual([4, 9, true])
  expect(marks.judge(entry(8))).toBe("stale")
  expect(marks.judge(entry(9))).toBe("valid")
  expect(marks.fellBetween([], 8, 9)).toBe(true)
  expect(marks.fellBetween([], 9, 10)).toBe(false)
  marks.merge(page(9, undefined, 7), 4, 0)
  expect([marks.readUpTo, marks.isBehind]).toEqual([9, false])
  expect(marks.judge(entry(8))).toBe("valid")
  expect(marks.judge(entry(6, "t7"))).toBe("stale")
})

it("law 12: a page that does not begin where the last one ended leaves what lies between to be read", () => {
  const marks = new Marks()
  const none = { floor: 0, dropFloor: 0, marks: [] }
  marks.merge({ ...none, last: 5 }, 0, 0)
  marks.merge({ ...none, last: 9 }, 7, 0)
  expect([marks.readUpTo, marks.last, marks.isBehind]).toEqual([5, 9, true])
  expect(marks.judge(entry(8))).toBe("stale")
  marks.merge({ ...none, last: 9 }, 5, 0)
  expect(marks.isBehind).toBe(false)
  expect(marks.judge(entry(8))).toBe("valid")
})

it("law 12: a mark that this node numbered itself is no mark of the arbiter: it is not behind for it", () => {
  const marks = new Marks()
  marks.merge({ last: 5, floor: 0, dropFloor: 0, marks: [] }, 0, 0)
  marks.add(["x"], true, 0)
  expect([marks.readUpTo, marks.last, marks.isBehind]).toEqual([5, 6, false])
})
