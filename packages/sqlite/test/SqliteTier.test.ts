import { assert, describe, it } from "@effect/vitest"
import type { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import * as fs from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { temporaryFile, temporaryFolder } from "./support/files.ts"
import { larderOn } from "./support/larders.ts"
import { open, openOn, tierOn, warnings } from "./support/stores.ts"

const evicted = (notices: ReadonlyArray<Tier.Notice>): ReadonlyArray<string> =>
  notices.flatMap((notice) => (notice._tag === "Evicted" ? [`${notice.key}: ${notice.cause}`] : []))

/** The rows that another program sees in the file. */
const look = <A>(filename: string, use: (database: DatabaseSync) => A): A => {
  const database = new DatabaseSync(filename)
  try {
    return use(database)
  } finally {
    database.close()
  }
}

const rows = (filename: string, table = "entries"): number =>
  look(filename, (database) =>
    Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]),
  )

describe("what it declares", () => {
  it.effect("a tier of the machine without messages from other processes", () =>
    Effect.gen(function* () {
      const { abilities, kind, name, scope } = yield* tierOn({ filename: ":memory:" })
      assert.deepStrictEqual([kind, name, scope], ["bytes", "sqlite", "machine"])
      assert.deepStrictEqual(abilities, { notifies: false })
    }),
  )

  it.effect("a folder that does not exist is not made: the warning names it", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const { notices, put, text } = yield* openOn({ filename: `${folder}/a/b/larder.sqlite` })
      yield* Effect.flip(put("k", "v", 1))
      assert.isFalse(fs.existsSync(`${folder}/a`))
      assert.deepStrictEqual(warnings(notices), [
        `${folder}/a/b/larder.sqlite cannot be opened: there is no folder ${folder}/a/b; larders continue without the tier until it can. Create the folder, or correct the path`,
      ])
      fs.mkdirSync(`${folder}/a/b`, { recursive: true })
      yield* TestClock.adjust("1 second")
      assert.isTrue(yield* put("k", "v", 1))
      assert.strictEqual(yield* text("k"), "v")
    }),
  )
})

describe("bounds", () => {
  it.effect(
    "law 17: at most maxEntries, the oldest written go first, and those read since later",
    () =>
      Effect.gen(function* () {
        const filename = yield* temporaryFile
        const { notices, put, text } = yield* openOn({ filename, maxEntries: 100 })
        for (let i = 0; i < 100; i++) yield* put(`k${i}`, "v", 1)
        assert.strictEqual(yield* text("k3"), "v")
        for (let i = 100; i < 110; i++) {
          yield* put(`k${i}`, "v", 1)
          assert.isAtMost(rows(filename), 100)
        }
        assert.strictEqual(yield* text("k3"), "v")
        assert.deepStrictEqual(
          evicted(notices),
          [0, 1, 2, 4, 5, 6, 7, 8, 9, 10].map((i) => `k${i}: size`),
        )
      }),
  )

  it.effect("law 17: at most maxBytes, over all larders", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const tier = yield* tierOn({ filename, maxBytes: 100_000 })
      const one = yield* open(tier, "one")
      const other = yield* open(tier, "other")
      for (let i = 0; i < 20; i++) {
        yield* one.put(`k${i}`, "x".repeat(4000), 1)
        yield* other.put(`k${i}`, "x".repeat(4000), 1)
        const total = look(filename, (database) =>
          Number(database.prepare("SELECT sum(length(envelope)) AS n FROM entries").get()?.["n"]),
        )
        assert.isAtMost(total, 100_000)
      }
      assert.match(evicted(one.notices)[0]!, /^k0: weight$/)
      assert.match(evicted(other.notices)[0]!, /^k0: weight$/)
      assert.strictEqual(yield* one.text("k19"), "x".repeat(4000))
    }),
  )

  it.effect("law 17: a large value takes the room of many small ones", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const { put, text } = yield* openOn({ filename, maxBytes: 50_000 })
      for (let i = 0; i < 40; i++) yield* put(`k${i}`, "x".repeat(1000), 1)
      yield* put("large", "x".repeat(45_000), 1)
      assert.strictEqual((yield* text("large"))?.length, 45_000)
      assert.isBelow(rows(filename), 10)
    }),
  )

  it.effect("law 13: what is larger than the bound is refused, and the previous value goes", () =>
    Effect.gen(function* () {
      const { notices, put, set, text } = yield* openOn({ filename: ":memory:", maxBytes: 10_000 })
      yield* put("k", "small", 1)
      yield* put("l", "small", 1)
      yield* put("k", "x".repeat(20_000), 2)
      yield* set("l", "x".repeat(20_000))
      assert.strictEqual(yield* text("k"), "[tombstone]")
      assert.strictEqual(yield* text("l"), "[tombstone]")
      assert.deepStrictEqual(evicted(notices), ["k: refused", "l: refused"])
    }),
  )

  it.effect("a value over maxBytes is told in the log with its size, without its key", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      const { larder } = yield* larderOn(yield* temporaryFile, 10, { maxBytes: 10_000_000 }).pipe(
        Effect.provide(Logger.layer([logger])),
      )
      yield* larder.set("secret", "s".repeat(20_000_000))
      assert.lengthOf(lines, 1)
      assert.match(lines[0]!, /^products: sqlite refused a value of 20.0 MB and /)
      assert.notMatch(lines[0]!, /secret|sss/)
    }),
  )

  it.effect("law 17: what has expired goes with later writes, and is told", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const { notices, put } = yield* openOn({ filename })
      for (let i = 0; i < 40; i++) yield* put(`k${i}`, "v", 1, 1000)
      yield* TestClock.adjust(1000)
      assert.strictEqual(rows(filename), 40)
      for (let i = 0; i < 6; i++) yield* put("later", "v", i + 1)
      assert.strictEqual(rows(filename), 1)
      assert.lengthOf(evicted(notices), 40)
      assert.strictEqual(evicted(notices)[0], "k0: expired")
    }),
  )

  it.effect(
    "law 17: one write takes eight expired rows away at most, so that none takes long",
    () =>
      Effect.gen(function* () {
        const filename = yield* temporaryFile
        const { put } = yield* openOn({ filename })
        for (let i = 0; i < 40; i++) yield* put(`k${i}`, "v", 1, 1000)
        yield* TestClock.adjust(1000)
        for (const left of [33, 25, 17]) {
          yield* put("later", "v", left)
          assert.strictEqual(rows(filename), left)
        }
      }),
  )

  it.effect("law 17: records of leases do not pile up, and no token comes back", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const { arbiter } = yield* openOn({ filename })
      const acquire = (key: string) =>
        arbiter.acquire(key, { known: 0, leaseMillis: 1000, force: false })
      let highest = 0
      for (let i = 0; i < 40; i++) {
        const acquired = yield* acquire(`k${i}`)
        if (acquired._tag === "Won") highest = Math.max(highest, acquired.token)
      }
      yield* TestClock.adjust(60_000)
      for (let i = 0; i < 6; i++) yield* acquire("later")
      assert.isAtMost(rows(filename, "leases"), 1)
      // Its record is gone: only what was lost says that the number was given out.
      yield* TestClock.adjust(-60_000)
      const again = yield* acquire("k0")
      assert.isTrue(again._tag === "Won" && again.token > highest)
    }),
  )

  it.effect("law 12: a tombstone lives twice the settleTime, the record of a lease as long", () =>
    Effect.gen(function* () {
      const { arbiter, text } = yield* openOn({ filename: ":memory:", settleTime: "7 seconds" })
      const won = (key: string) =>
        Effect.map(
          arbiter.acquire(key, { known: 0, leaseMillis: 1_000, force: false }),
          (acquired) => (acquired._tag === "Won" ? acquired.token : 0),
        )
      const tokens = { held: yield* won("held"), lost: yield* won("lost") }
      yield* arbiter.write("removed", { _tag: "Remove" }, 0)
      yield* TestClock.adjust(6_999)
      assert.isTrue(yield* arbiter.renew("held", tokens.held, 1_000))
      yield* TestClock.adjust(1)
      assert.isFalse(yield* arbiter.renew("lost", tokens.lost, 1_000))
      yield* TestClock.adjust(6_999)
      assert.strictEqual(yield* text("removed"), "[tombstone]")
      yield* TestClock.adjust(1)
      assert.isUndefined(yield* text("removed"))
    }),
  )

  it.effect("marks are kept for a week, and then the floors rise", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const { arbiter } = yield* openOn({ filename })
      const { number } = yield* arbiter.mark(["old"], true, 0)
      const dropping = yield* arbiter.mark(["dropping"], false, 0)
      yield* TestClock.adjust("7 days")
      yield* arbiter.mark(["new"], true, 0)
      const page = yield* arbiter.marks(0)
      assert.deepStrictEqual(
        page.marks.map(({ tag }) => tag),
        ["new"],
      )
      assert.isAtLeast(page.floor, number)
      assert.strictEqual(page.dropFloor, dropping.number)
      assert.strictEqual(rows(filename, "marks"), 1)
    }),
  )
})

describe("a restart", () => {
  it.effect("everything is as it was: entries, leases, marks, floors, numbers", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const before = yield* Effect.scoped(
        Effect.gen(function* () {
          const { arbiter, put, set } = yield* openOn({ filename })
          yield* put("k", "kept", 5)
          const version = yield* set("set", "v")
          const held = yield* arbiter.acquire("held", {
            known: 0,
            leaseMillis: 10_000,
            force: false,
          })
          const { number } = yield* arbiter.mark(["t"], true, 0)
          return { version, held, number, page: yield* arbiter.marks(0) }
        }),
      )
      const { arbiter, set, text } = yield* openOn({ filename })
      assert.strictEqual(yield* text("k"), "kept")
      assert.strictEqual(
        (yield* arbiter.acquire("held", { known: 0, leaseMillis: 10_000, force: false }))._tag,
        "Busy",
      )
      assert.deepStrictEqual(yield* arbiter.marks(0), before.page)
      assert.isAbove(yield* set("set", "w"), before.version)
      assert.isAbove((yield* arbiter.mark(["t"], true, 0)).number, before.number)
    }),
  )

  it.effect("the closed tier answers nothing, and leaves no log behind", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const { store, put } = yield* Effect.scoped(openOn({ filename }))
      const error = yield* Effect.flip(put("k", "v", 1))
      assert.strictEqual(error._tag, "TierError")
      assert.strictEqual((yield* Effect.flip(store.read(["k"]))).operation, "read")
      assert.isFalse(fs.existsSync(`${filename}-wal`))
    }),
  )

  it.effect("a file of this format is opened as it is; it says whose it is", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* Effect.scoped(Effect.flatMap(openOn({ filename }), ({ put }) => put("k", "v", 1)))
      look(filename, (database) => {
        assert.strictEqual(
          Number(database.prepare("PRAGMA application_id").get()?.["application_id"]),
          0x4c415244,
        )
        assert.strictEqual(
          Number(database.prepare("PRAGMA user_version").get()?.["user_version"]),
          1,
        )
        assert.strictEqual(database.prepare("PRAGMA journal_mode").get()?.["journal_mode"], "wal")
      })
    }),
  )
})
