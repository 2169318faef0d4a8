import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { MarkLog } from "../../../src/internal/invalidation/markLog.ts"

const day = 24 * 60 * 60 * 1000

describe("MarkLog", () => {
  it("begins with a floor at its beginning, and no marks", () => {
    const log = new MarkLog(5, 100)
    assert.deepStrictEqual(log.after(0, 5), { last: 5000, floor: 5000, dropFloor: 0, marks: [] })
  })

  it("numbers rise although the clock stands still or steps back, and above the caller's", () => {
    const log = new MarkLog(5, 100)
    assert.strictEqual(log.add(["a"], true, 0, 5).number, 5001)
    assert.strictEqual(log.add(["a"], true, 0, 1).number, 5002)
    assert.strictEqual(log.add(["a"], true, 9000, 6).number, 9001)
    assert.strictEqual(log.add(["a"], true, 0, 10).number, 10_000)
  })

  it("says what came before, and the marks of this call alone", () => {
    const log = new MarkLog(0, 100)
    log.add(["a"], true, 0, 1)
    const { page, previous } = log.add(["b", undefined, "b"], false, 0, 2)
    assert.strictEqual(previous, 1000)
    assert.deepStrictEqual(page, {
      last: 2000,
      floor: 0,
      dropFloor: 0,
      marks: [
        { tag: "b", keepStale: false, number: 2000 },
        { tag: undefined, keepStale: false, number: 2000 },
      ],
    })
  })

  it("tells about as many as are asked for, those of one number together, and where to go on", () => {
    const log = new MarkLog(0, 100)
    for (const [i, tags] of [["a"], ["b", "c"], ["d"], ["a"]].entries())
      log.add(tags, true, 0, i + 1)
    const pageOf = (since: number, most: number) => {
      const { marks, next } = log.after(since, 9, most)
      return [marks.map(({ tag }) => tag).join(""), next]
    }
    assert.deepStrictEqual(pageOf(0, 1), ["bc", 2000])
    assert.deepStrictEqual(pageOf(2000, 1), ["d", 3000])
    assert.deepStrictEqual(pageOf(3000, 1), ["a", undefined])
    assert.deepStrictEqual(pageOf(0, 3), ["bcd", 3000])
    assert.deepStrictEqual(pageOf(0, 4), ["bcda", undefined])
  })

  it("keeps the last mark of each kind of a tag; clear is no tag by any name", () => {
    const log = new MarkLog(0, 100)
    log.add(["a", "undefined", "", undefined], true, 0, 1)
    log.add(["a"], false, 0, 2)
    log.add(["a"], true, 0, 3)
    assert.strictEqual(log.size, 5)
    assert.deepStrictEqual(log.after(0, 3).marks, [
      { tag: "undefined", keepStale: true, number: 1000 },
      { tag: "", keepStale: true, number: 1000 },
      { tag: undefined, keepStale: true, number: 1000 },
      { tag: "a", keepStale: false, number: 2000 },
      { tag: "a", keepStale: true, number: 3000 },
    ])
    assert.deepStrictEqual(log.after(2000, 3).marks, [{ tag: "a", keepStale: true, number: 3000 }])
    assert.deepStrictEqual(log.after(3000, 3).marks, [])
  })

  it("law 12: trimming by count raises the floors to the highest number removed", () => {
    const log = new MarkLog(0, 2)
    log.add(["a"], true, 0, 1)
    log.add(["b"], false, 0, 2)
    log.add(["c"], true, 0, 3)
    assert.deepStrictEqual(
      [log.after(0, 3).floor, log.after(0, 3).dropFloor, log.size],
      [1000, 0, 2],
    )
    const { page } = log.add(["d"], true, 0, 4)
    assert.deepStrictEqual([page.floor, page.dropFloor, log.size], [2000, 2000, 2])
  })

  it("law 12: trimming by age does too, also when marks are only asked for", () => {
    const log = new MarkLog(0, 100)
    log.add(["a"], false, 0, 1)
    log.add(["b"], true, 0, day)
    assert.strictEqual(log.after(0, 7 * day).floor, 0)
    const page = log.after(0, 7 * day + 1)
    assert.deepStrictEqual([page.floor, page.dropFloor], [1000, 1000])
    assert.deepStrictEqual(
      page.marks.map(({ tag }) => tag),
      ["b"],
    )
  })

  it("more tags at once than it keeps: the floor covers them all", () => {
    const log = new MarkLog(0, 2)
    const { number, page } = log.add(["a", "b", "c"], true, 0, 1)
    assert.strictEqual(page.floor, number)
    assert.strictEqual(log.size, 2)
  })

  it("nothing that a mark covered is uncovered by trimming", () => {
    const tag = fc.constantFrom("a", "b", "c", "d", undefined)
    const step = fc.record({
      tags: fc.uniqueArray(tag, { minLength: 1 }),
      keepStale: fc.boolean(),
      wait: fc.oneof(fc.nat(3), fc.constant(3 * day)),
    })
    fc.assert(
      fc.property(fc.array(step), fc.nat(20_000), (steps, asOf) => {
        const log = new MarkLog(0, 3)
        const covered = { a: 0, dropped: 0 }
        let now = 0
        for (const { keepStale, tags, wait } of steps) {
          now += wait
          const { number } = log.add(tags, keepStale, 0, now)
          if (!tags.includes("a") && !tags.includes(undefined)) continue
          covered.a = number
          if (!keepStale) covered.dropped = number
        }
        const page = log.after(0, now)
        const above = page.marks.filter(
          (mark) => (mark.tag === "a" || mark.tag === undefined) && mark.number > asOf,
        )
        const stale = asOf < page.floor || above.length > 0
        const gone = asOf < page.dropFloor || above.some(({ keepStale }) => !keepStale)
        if (covered.a > asOf) assert.isTrue(stale)
        if (covered.dropped > asOf) assert.isTrue(gone)
      }),
      { numRuns: 1000 },
    )
  })

  it("law 17: its memory is bounded by what it keeps, whatever was marked and forgotten", () => {
    const log = new MarkLog(0, 50)
    for (let i = 0; i < 500; i++) {
      log.add([`t${i % 70}`, "hot", undefined], i % 2 === 0, 0, 0)
      assert.isAtMost(log.logged, 2 * log.size + 16)
    }
  })

  it("a tag marked over and over costs no room and no time", () => {
    const log = new MarkLog(0, 100)
    log.add(["first"], true, 0, 0)
    for (let i = 0; i < 100_000; i++) log.add(["hot"], true, 0, 0)
    assert.strictEqual(log.size, 2)
    assert.isAtMost(log.logged, 2 * log.size + 16)
    assert.deepStrictEqual(
      log.after(0, 0).marks.map(({ tag }) => tag),
      ["first", "hot"],
    )
  })
})
