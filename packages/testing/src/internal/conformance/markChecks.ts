/** Checks for every tier that keeps marks. */
import type { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import { strict as assert } from "node:assert"
import { arbitrated, arbitratedAs, checksThat, envelope, freshName, lifeMillis } from "./subject.ts"

/** The marks of all pages. */
const allMarks = (
  arbiter: Tier.Arbiter,
  since: number,
): Effect.Effect<ReadonlyArray<Tier.Mark>, Tier.TierError> =>
  Effect.gen(function* () {
    const marks: Array<Tier.Mark> = []
    let from = since
    for (;;) {
      const page = yield* arbiter.marks(from)
      marks.push(...page.marks)
      if (page.next === undefined) return marks
      assert.ok(page.next > from, `the page after ${from} ends at ${page.next}`)
      assert.ok(
        page.marks.every(({ number }) => number <= page.next!),
        `marks above ${page.next} are told before their turn`,
      )
      from = page.next
    }
  })

const byTag = (marks: ReadonlyArray<Tier.Mark>): Readonly<Record<string, Tier.Mark>> =>
  Object.fromEntries(marks.map((mark) => [`${mark.keepStale} ${mark.tag ?? "*"}`, mark]))

export const markChecks = checksThat("arbiter")({
  "the first opening makes a floor, which stays": (subject) =>
    Effect.gen(function* () {
      const name = yield* freshName("floor")
      const { arbiter } = yield* arbitratedAs(subject, name)
      const first = yield* arbiter.marks(0)
      yield* subject.pass(10)
      const again = yield* arbitratedAs(subject, name)
      const second = yield* again.arbiter.marks(0)
      assert.deepEqual(
        [second.last, second.floor, second.dropFloor, second.marks],
        [first.last, first.floor, first.dropFloor, []],
      )
      assert.ok(first.last >= first.floor && first.floor >= first.dropFloor)
      assert.ok(second.time >= first.time + 10, "the time goes on")
    }),

  "mark returns the marks that the caller has missed, its own included, by rising numbers": (
    subject,
  ) =>
    Effect.gen(function* () {
      const { arbiter } = yield* arbitrated(subject)
      const before = yield* arbiter.marks(0)
      const first = yield* arbiter.mark(["a"], true, before.last)
      assert.ok(first.number > before.last)
      const second = yield* arbiter.mark(["b", undefined], false, before.last)
      assert.ok(second.number > first.number)
      assert.deepEqual(byTag(second.marks), {
        "true a": { tag: "a", keepStale: true, number: first.number },
        "false b": { tag: "b", keepStale: false, number: second.number },
        "false *": { tag: undefined, keepStale: false, number: second.number },
      })
      const third = yield* arbiter.mark(["c"], true, second.number)
      const own = [{ tag: "c", keepStale: true, number: third.number }]
      assert.deepEqual(third.marks, own)
      const since = yield* arbiter.marks(second.number)
      assert.deepEqual([since.last, since.marks], [third.number, own])
      assert.deepEqual((yield* arbiter.marks(third.number)).marks, [])
      assert.equal(since.floor, before.floor)
    }),

  "a mark is above every number the caller has seen": (subject) =>
    Effect.gen(function* () {
      const { arbiter, time } = yield* arbitrated(subject)
      const seen = ((yield* time) + 3_600_000) * 1000
      const { number } = yield* arbiter.mark(["a"], true, seen)
      assert.ok(number > seen)
      assert.ok((yield* arbiter.mark(["b"], true, 0)).number > number)
    }),

  "a tag that is marked again has the higher number; keeping and dropping are apart": (subject) =>
    Effect.gen(function* () {
      const { arbiter } = yield* arbitrated(subject)
      const drop = yield* arbiter.mark(["a"], false, 0)
      yield* arbiter.mark(["a"], true, 0)
      const keep = yield* arbiter.mark(["a"], true, 0)
      const { marks } = yield* arbiter.marks(0)
      const numbers = (keepStale: boolean) =>
        marks.filter((mark) => mark.keepStale === keepStale).map(({ number }) => number)
      assert.equal(Math.max(...numbers(true)), keep.number)
      assert.equal(Math.max(...numbers(false)), drop.number)
    }),

  "any string is a tag, and many fit in one mark": (subject) =>
    Effect.gen(function* () {
      const { arbiter } = yield* arbitrated(subject)
      const odd = [
        "",
        ":",
        "k",
        "d",
        "d:a",
        "{a}",
        "a,b",
        "null",
        "\u0000",
        '"',
        "é",
        "🗝",
        "__proto__",
      ]
      const many = [...odd, ...Array.from({ length: 500 }, (_, i) => `tag ${i}`)]
      const { number } = yield* arbiter.mark(many, true, 0)
      const found = new Map((yield* arbiter.marks(0)).marks.map((mark) => [mark.tag, mark.number]))
      for (const tag of many) assert.equal(found.get(tag), number, JSON.stringify(tag))
      assert.equal(found.has(undefined), false)
    }),

  "marks of one larder are not those of another": (subject) =>
    Effect.gen(function* () {
      const one = yield* arbitrated(subject)
      const other = yield* arbitrated(subject)
      const before = yield* other.arbiter.marks(0)
      yield* one.arbiter.mark(["a", undefined], false, 0)
      const after = yield* other.arbiter.marks(0)
      assert.deepEqual([after.last, after.marks], [before.last, []])
    }),

  "thousands of marks are returned completely": (subject) =>
    Effect.gen(function* () {
      const { arbiter } = yield* arbitrated(subject)
      const tags = Array.from({ length: 3000 }, (_, i) => `tag ${i}`)
      yield* arbiter.mark(tags.slice(0, 1000), true, 0)
      const { number } = yield* arbiter.mark(tags.slice(1000, 1001), true, 0)
      yield* arbiter.mark(tags.slice(1001), true, 0)
      const all = yield* allMarks(arbiter, 0)
      assert.equal(new Set(all.map(({ tag }) => tag)).size, tags.length)
      assert.equal((yield* allMarks(arbiter, number)).length, tags.length - 1001)
    }),

  "law 12: marks beyond one answer come in several pages, and none is missing": (subject) =>
    Effect.gen(function* () {
      const { arbiter } = yield* arbitrated(subject)
      const tags = Array.from({ length: 6_000 }, (_, i) => `tag ${i}`)
      let known = 0
      for (let i = 0; i < tags.length; i += 800) {
        known = (yield* arbiter.mark(tags.slice(i, i + 800), true, known)).last
      }
      const { number } = yield* arbiter.mark(["last"], true, 0)
      const all = yield* allMarks(arbiter, 0)
      assert.deepEqual(new Set(all.map(({ tag }) => tag)), new Set([...tags, "last"]))
      assert.equal(all.at(-1)?.number, number)
    }),

  "law 11: storing a value returns the number of the newest mark": (subject) =>
    Effect.gen(function* () {
      const { arbiter, commit, store, time, win } = yield* arbitrated(subject)
      const token = yield* win("k")
      const { number } = yield* arbiter.mark(["a"], true, 0)
      const now = yield* time
      const committed = yield* arbiter.commit("k", token, envelope("v", now), lifeMillis)
      const set: Tier.Write = { _tag: "Set", envelope: envelope("w", now), lifeMillis }
      const written = yield* arbiter.write("k", set, 0)
      const other = { key: "l", token: yield* win("l"), envelope: envelope("v", now), lifeMillis }
      const among = arbiter.commitAll === undefined ? [] : yield* arbiter.commitAll([other])
      for (const { lastMark } of [
        committed,
        written,
        ...among.filter((one) => one !== undefined),
      ]) {
        if (lastMark === undefined) assert.ok(store.partOf, "a tier of one server knows its marks")
        else assert.ok(lastMark >= number, `${lastMark} is told after the mark ${number}`)
      }
      assert.equal(yield* commit("k", token, "late"), "Superseded")
    }),
})
