/** Marks and their floors: which marks are kept, which are forgotten, and the effect of a loss of either. */
import { it } from "@effect/vitest"
import type { Tier } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { assert, describe } from "vitest"
import { keysOf } from "../../../src/internal/keys.ts"
import { Asking } from "../../../src/internal/scripts/asking.ts"
import { Clocks } from "../../../src/internal/scripts/clocks.ts"
import { type Bounds, defaultBounds, Marks } from "../../../src/internal/marks/marks.ts"
import { freshName, openOn, useServer } from "../../support/tiers.ts"
import { redisSuite } from "../../support/withRedis.ts"

const tagsOf = (page: Tier.MarkPage) => page.marks.map(({ tag }) => tag)

redisSuite("marks", () => {
  const { client, server } = useServer()

  const open = (bounds: Partial<Bounds> = {}) =>
    Effect.gen(function* () {
      const redis = yield* client
      const keys = keysOf("larder", freshName())
      const node = () =>
        new Marks(new Asking("redis", redis, new Clocks(redis)), keys, {
          ...defaultBounds,
          ...bounds,
        })
      return { redis, keys, node, a: node(), b: node() }
    })

  it.live("the first opening makes floors, which stay", () =>
    Effect.gen(function* () {
      const { a, b } = yield* open()
      const before = (yield* Clock.currentTimeMillis) * 1000
      const first = yield* a.marks(0)
      assert.isAtLeast(first.last, before - 5_000)
      assert.deepStrictEqual([first.floor, first.dropFloor, first.marks], [first.last, 0, []])
      assert.isAtMost(Math.abs(first.time * 1000 - first.last), 2_000)
      const again = yield* b.marks(0)
      assert.deepStrictEqual({ ...again, time: 0 }, { ...first, time: 0 })
    }),
  )

  it.live(
    "mark returns the marks that the caller has missed, its own included, by rising numbers",
    () =>
      Effect.gen(function* () {
        const { a, b } = yield* open()
        const first = yield* a.mark(["a"], true, 0)
        const second = yield* b.mark(["b", undefined, "b", ""], false, 0)
        assert.isAbove(second.number, first.number)
        assert.strictEqual(second.last, second.number)
        const expected: ReadonlyArray<Tier.Mark> = [
          { tag: "a", keepStale: true, number: first.number },
          { tag: undefined, keepStale: false, number: second.number },
          { tag: "", keepStale: false, number: second.number },
          { tag: "b", keepStale: false, number: second.number },
        ]
        assert.deepStrictEqual(second.marks, expected)
        const third = yield* a.mark(["c"], true, second.number)
        assert.deepStrictEqual(third.marks, [{ tag: "c", keepStale: true, number: third.number }])
        assert.deepStrictEqual((yield* b.marks(second.number)).marks, third.marks)
        const known = third.number + 1_000_000_000
        assert.strictEqual((yield* a.mark(["d"], true, known)).number, known + 1)
      }),
  )

  it.live("a tag that is marked again has the higher number alone; each kind has its own", () =>
    Effect.gen(function* () {
      const { a } = yield* open()
      yield* a.mark(["t", "u"], true, 0)
      const drop = yield* a.mark(["t"], false, 0)
      const { marks, number } = yield* a.mark(["t"], true, 0)
      assert.deepStrictEqual(
        marks.map(({ keepStale, tag }) => [tag, keepStale]),
        [
          ["u", true],
          ["t", false],
          ["t", true],
        ],
      )
      assert.deepStrictEqual(
        marks.slice(1).map((mark) => mark.number),
        [drop.number, number],
      )
    }),
  )

  it.live("a mark of nothing takes a number and raises no floor", () =>
    Effect.gen(function* () {
      const { a } = yield* open()
      const { floor, last } = yield* a.marks(0)
      const empty = yield* a.mark([], true, 0)
      assert.isAbove(empty.number, last)
      assert.deepStrictEqual([empty.floor, (yield* a.marks(0)).floor], [floor, floor])
    }),
  )

  it.live("what comes in pages is complete, marks of one number included", () =>
    Effect.gen(function* () {
      const { a, b } = yield* open({ pageSize: 4 })
      const tags: Array<string> = []
      for (const size of [1, 2, 3, 9, 1, 4, 1]) {
        const some = Array.from({ length: size }, (_, i) => `t${tags.length + i}`)
        tags.push(...some)
        yield* a.mark(some, true, 0)
      }
      const pages = [yield* b.marks(0)]
      for (let next = pages[0]!.next; next !== undefined; next = pages.at(-1)!.next) {
        pages.push(yield* b.marks(next))
      }
      const all = pages.flatMap(tagsOf)
      assert.deepStrictEqual(all.toSorted(), tags.toSorted())
      assert.deepStrictEqual(
        pages.map(({ marks }) => marks.length),
        [6, 9, 5, 1],
      )
      const { number } = yield* b.mark(["own"], true, 0)
      const page = yield* a.mark(["last"], true, number)
      assert.strictEqual(page.last, page.number)
      assert.deepStrictEqual(tagsOf(page), ["last"])
      assert.deepStrictEqual(tagsOf(yield* a.mark(["again"], true, 0)), all.slice(0, 6))
    }),
  )

  describe("forgetting", () => {
    it.live(
      "beyond the bound the oldest go, and the floors rise to the highest number removed",
      () =>
        Effect.gen(function* () {
          const { a } = yield* open({ maxMarks: 3 })
          const { floor } = yield* a.marks(0)
          const one = yield* a.mark(["a"], false, 0)
          const two = yield* a.mark(["b"], true, 0)
          const three = yield* a.mark(["c", "d"], true, 0)
          assert.deepStrictEqual([two.floor, two.dropFloor], [floor, 0])
          assert.deepStrictEqual([three.floor, three.dropFloor], [one.number, one.number])
          assert.deepStrictEqual(tagsOf(three), ["b", "c", "d"])
          const four = yield* a.mark(["e", "f"], true, 0)
          assert.deepStrictEqual([four.floor, four.dropFloor], [three.number, one.number])
          assert.deepStrictEqual(tagsOf(four), ["d", "e", "f"])
        }),
    )

    it.live("a call removes a bounded number, and more than it adds", () =>
      Effect.gen(function* () {
        const { keys, node, redis } = yield* open()
        const tags = Array.from({ length: 3_000 }, (_, i) => `t${i}`)
        yield* node().mark(tags, true, 0)
        const small = new Marks(new Asking("redis", redis, new Clocks(redis)), keys, {
          ...defaultBounds,
          maxMarks: 10,
        })
        const count = redis.use((client) => client.zcard(keys.marks))
        yield* small.mark(["x"], true, 0)
        assert.strictEqual(yield* count, 2_001)
        for (let i = 0; i < 3; i++) yield* small.mark(["x"], true, 0)
        assert.strictEqual(yield* count, 10)
      }),
    )

    it.live("marks that are too old go", () =>
      Effect.gen(function* () {
        const { a, keys, node, redis } = yield* open()
        const old = yield* a.mark(["old"], false, 0)
        const week = 7 * 24 * 3600 * 1e6
        yield* redis.use((client) => client.zadd(keys.marks, old.number - week, "d:old"))
        const next = yield* node().mark(["new"], true, 0)
        assert.deepStrictEqual(tagsOf(next), ["new"])
        assert.strictEqual(next.dropFloor, old.number - week)
      }),
    )
  })

  describe("loss", () => {
    it.live("of everything: new floors, above all numbers that were known", () =>
      Effect.gen(function* () {
        const { a, b, keys, redis } = yield* open()
        yield* a.mark(["t"], true, 0)
        const ahead = yield* a.mark(["t"], true, 8e15)
        yield* redis.use((client) => client.unlink(keys.marks, keys.floors))
        const page = yield* a.marks(0)
        assert.deepStrictEqual([page.floor, page.last], [ahead.number + 1, ahead.number + 1])
        assert.deepStrictEqual([page.dropFloor, page.marks], [0, []])
        assert.strictEqual((yield* b.marks(0)).floor, page.floor)
        yield* redis.use((client) => client.unlink(keys.marks, keys.floors))
        const known = page.last + 100
        assert.strictEqual((yield* b.marks(known)).floor, known + 1)
        assert.isAbove((yield* b.mark(["t"], true, 0)).number, known + 1)
      }),
    )

    it.live("of everything, after a mark that drops: what is older is gone", () =>
      Effect.gen(function* () {
        const { a, keys, redis } = yield* open()
        yield* a.mark(["t"], false, 0)
        yield* redis.use((client) => client.unlink(keys.marks, keys.floors))
        const { dropFloor, floor } = yield* a.marks(0)
        assert.strictEqual(dropFloor, floor)
      }),
    )

    for (const write of [false, true]) {
      it.live(
        `of the marks alone: the floors rise to the last one; noticed by ${write ? "mark" : "marks"}`,
        () =>
          Effect.gen(function* () {
            const { a, b, keys, redis } = yield* open()
            const drop = yield* a.mark(["t"], false, 0)
            const keep = yield* a.mark(["u"], true, 0)
            yield* redis.use((client) => client.unlink(keys.marks))
            const page = yield* write ? b.mark(["v"], true, 0) : b.marks(0)
            assert.deepStrictEqual([page.floor, page.dropFloor], [keep.number, drop.number])
            assert.deepStrictEqual(tagsOf(page), write ? ["v"] : [])
          }),
      )

      it.live(
        `of the floors alone: everything is in doubt; noticed by ${write ? "mark" : "marks"}`,
        () =>
          Effect.gen(function* () {
            const { a, b, keys, redis } = yield* open()
            const { number } = yield* a.mark(["t"], true, 0)
            yield* redis.use((client) => client.unlink(keys.floors))
            const page = yield* write ? b.mark(["v"], true, 0) : b.marks(0)
            assert.isAbove(page.floor, number)
            assert.strictEqual(page.dropFloor, page.floor)
            assert.deepStrictEqual(tagsOf(page), write ? ["v"] : [])
          }),
      )
    }

    it.live("of the latest marks, as by a failover: the floors rise to the last number seen", () =>
      Effect.gen(function* () {
        const { a, b, keys, redis } = yield* open()
        yield* a.mark(["before"], true, 0)
        const copies = yield* redis.use((client) =>
          Promise.all([client.dumpBuffer(keys.marks), client.dumpBuffer(keys.floors)]),
        )
        const drop = yield* a.mark(["lost"], false, 0)
        const lost = yield* a.mark(["lost too"], true, 0)
        yield* redis.use((client) =>
          Promise.all([
            client.restore(keys.marks, 0, copies[0]!, "REPLACE"),
            client.restore(keys.floors, 0, copies[1]!, "REPLACE"),
          ]),
        )
        const { dropFloor, floor, last, marks } = yield* a.marks(0)
        assert.deepStrictEqual([floor, dropFloor, last], [lost.number, drop.number, lost.number])
        assert.deepStrictEqual(
          marks.map(({ tag }) => tag),
          ["before"],
        )
        assert.strictEqual((yield* b.marks(0)).floor, lost.number)
      }),
    )

    it.live("of a mark of another node, as by a failover: a node that has heard of it knows", () =>
      Effect.gen(function* () {
        const { a, b, keys, redis } = yield* open()
        yield* b.marks(0)
        const copy = yield* redis.use((client) => client.dumpBuffer(keys.floors))
        const drop = yield* a.mark(["lost"], false, 0)
        const lost = yield* a.mark(["lost too"], true, 0)
        for (const { last: previous, ...page } of [drop, lost]) {
          b.hear({ _tag: "Marked", previous, page: { ...page, last: page.number } })
        }
        yield* redis.use((client) =>
          Promise.all([
            client.unlink(keys.marks),
            client.restore(keys.floors, 0, copy!, "REPLACE"),
          ]),
        )
        const { dropFloor, floor, last } = yield* b.marks(0)
        assert.deepStrictEqual([floor, dropFloor, last], [lost.number, drop.number, lost.number])
      }),
    )

    it.live("of the type of either key counts as its loss", () =>
      Effect.gen(function* () {
        const { a, keys, redis } = yield* open()
        const { number } = yield* a.mark(["t"], true, 0)
        yield* redis.use((client) => client.set(keys.marks, "x"))
        assert.strictEqual((yield* a.marks(0)).floor, number)
        yield* redis.use((client) => client.set(keys.floors, "x"))
        assert.isAbove((yield* a.mark(["t"], true, 0)).floor, number)
        yield* redis.use((client) => client.hset(keys.floors, "last", "x"))
        assert.isAbove((yield* a.marks(0)).floor, number)
      }),
    )

    it.live("of sense in the floors counts as their loss", () =>
      Effect.gen(function* () {
        const { a, keys, redis } = yield* open()
        for (const garbage of [
          "nan",
          "inf",
          "1e300",
          "-1",
          "9007199254740993000",
          "9007199254740990",
          "0.5",
        ]) {
          const { number } = yield* a.mark(["t"], true, 0)
          yield* redis.use((client) =>
            client.hset(keys.floors, { last: garbage, floor: garbage, marked: garbage }),
          )
          assert.isAbove((yield* a.mark(["t"], true, 0)).floor, number, garbage)
        }
      }),
    )

    it.live("where keys without an end may be evicted, new floors are for what drops too", () =>
      Effect.gen(function* () {
        const { a } = yield* open()
        const { cli } = yield* server
        yield* cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        const { dropFloor, floor } = yield* a
          .marks(0)
          .pipe(
            Effect.ensuring(Effect.orDie(cli("CONFIG", "SET", "maxmemory-policy", "noeviction"))),
          )
        assert.strictEqual(dropFloor, floor)
      }),
    )
  })

  it.live("reading marks writes nothing", () =>
    Effect.gen(function* () {
      const redis = yield* client
      const { arbiter } = yield* openOn(redis)
      yield* arbiter.mark(["t"], true, 0)
      const { info } = yield* server
      const changes = Effect.map(info("persistence"), (all) =>
        all.get("rdb_changes_since_last_save"),
      )
      const before = yield* changes
      yield* arbiter.marks(0)
      assert.strictEqual(yield* changes, before)
    }),
  )
})
