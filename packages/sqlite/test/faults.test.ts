/** Law 14 for files: locked, damaged, full, removed, or of another application. */
import { assert, describe, it } from "@effect/vitest"
import type { LarderEvent } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { canMount, disk } from "./support/disk.ts"
import { temporaryFile, temporaryFolder } from "./support/files.ts"
import { larderOn } from "./support/larders.ts"
import { openOn, warnings } from "./support/stores.ts"

const Events = {
  named: (events: ReadonlyArray<LarderEvent.LarderEvent>, _tag: string) =>
    events.filter((event) => event._tag === _tag),
}

/** Whatever is there: callers get values, and changes are acknowledged as unsettled. */
const assertHarmless = (filename: string) =>
  Effect.gen(function* () {
    const { events, larder } = yield* larderOn(filename)
    assert.strictEqual(yield* larder.get("a"), "a 1")
    assert.strictEqual(yield* larder.get("a"), "a 1")
    const ack = yield* larder.set("b", "set")
    assert.isFalse(ack.settled)
    assert.deepStrictEqual(ack.pending, ["sqlite"])
    assert.strictEqual(yield* larder.get("b"), "set")
    assert.isNotEmpty(Events.named(yield* events, "TierFailed"))
  })

const refusal = (filename: string) =>
  Effect.flatMap(openOn({ filename }), ({ put }) =>
    Effect.map(Effect.flip(put("k", "v", 1)), ({ cause }) => String(cause)),
  )

const corruptions = (filename: string): ReadonlyArray<string> =>
  fs.readdirSync(path.dirname(filename)).filter((name) => name.includes("corrupt"))

describe("a file that cannot be used", () => {
  it.effect("law 14: a folder in its place costs nothing but the tier", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFolder
      assert.match(yield* refusal(filename), /unable to open database file/)
      yield* assertHarmless(filename)
    }),
  )

  for (const [what, content] of [
    ["a text file", "this is no database, and never was one ".repeat(100)],
    ["a short text file", "keep me"],
    ["half a database", Buffer.from("SQLite format 3\0")],
  ] as const) {
    it.effect(`${what} given as the cache is left as it is, and the tier stays closed`, () =>
      Effect.gen(function* () {
        const filename = yield* temporaryFile
        fs.writeFileSync(filename, content)
        yield* assertHarmless(filename)
        const { notices, put, store, text } = yield* openOn({ filename })
        for (let i = 0; i < 3; i++) {
          yield* Effect.flip(put("k", "v", 1))
          yield* Effect.flip(store.read(["k"]))
          yield* TestClock.adjust("1 second")
        }
        assert.deepStrictEqual(warnings(notices), [
          `${filename} cannot be opened: it is not an SQLite database; larders continue without the tier until it can. Give the tier another file; this one stays unchanged`,
        ])
        assert.deepStrictEqual(fs.readFileSync(filename), Buffer.from(content))
        assert.deepStrictEqual(fs.readdirSync(path.dirname(filename)), [path.basename(filename)])
        fs.rmSync(filename)
        yield* TestClock.adjust("1 second")
        assert.isTrue(yield* put("k", "v", 1))
        assert.strictEqual(yield* text("k"), "v")
      }),
    )
  }

  it.effect("a pipe in its place is not opened, which would wait for a writer", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      if (spawnSync("mkfifo", [filename]).status !== 0) return
      assert.match(yield* refusal(filename), /it is not a file/)
    }),
  )

  it.effect("a damaged database of something else is left as it is", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const theirs = new DatabaseSync(filename)
      theirs.exec("CREATE TABLE accounts (id INTEGER); INSERT INTO accounts VALUES (1)")
      theirs.close()
      fs.truncateSync(filename, 5000)
      const before = fs.readFileSync(filename)
      yield* assertHarmless(filename)
      assert.deepStrictEqual(fs.readFileSync(filename), before)
      assert.deepStrictEqual(fs.readdirSync(path.dirname(filename)), [path.basename(filename)])
    }),
  )

  it.effect("a database of something else is refused, and left as it is", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const theirs = new DatabaseSync(filename)
      theirs.exec("CREATE TABLE accounts (id INTEGER); INSERT INTO accounts VALUES (1)")
      theirs.close()
      assert.match(yield* refusal(filename), /database of another application/)
      yield* assertHarmless(filename)
      const again = new DatabaseSync(filename)
      assert.strictEqual(again.prepare("SELECT count(*) AS n FROM accounts").get()?.["n"], 1)
      assert.strictEqual(again.prepare("PRAGMA journal_mode").get()?.["journal_mode"], "delete")
      again.close()
      assert.deepStrictEqual(corruptions(filename), [])
    }),
  )

  it.effect("a file of a newer release is refused, and left as it is", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* Effect.scoped(Effect.flatMap(openOn({ filename }), ({ put }) => put("k", "v", 1)))
      const newer = new DatabaseSync(filename)
      newer.exec("PRAGMA user_version = 99")
      newer.close()
      assert.match(yield* refusal(filename), /newer release, format 99/)
      yield* assertHarmless(filename)
      assert.deepStrictEqual(corruptions(filename), [])
    }),
  )

  it.effect.skipIf(process.getuid?.() !== 0)(
    "a file without the right to read it is told, once",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const filename = path.join(folder, "larder.sqlite")
        yield* Effect.scoped(Effect.flatMap(openOn({ filename }), ({ put }) => put("k", "v", 1)))
        fs.chmodSync(folder, 0o755)
        fs.chmodSync(filename, 0)
        const { notices, text } = yield* openOn({ filename })
        const as = process.seteuid!
        as.call(process, 65_534)
        try {
          for (let i = 0; i < 3; i++) yield* Effect.flip(text("k"))
          assert.lengthOf(warnings(notices), 1)
          assert.match(
            warnings(notices)[0]!,
            /EACCES.* Give this process the right to read and write/,
          )
        } finally {
          as.call(process, 0)
        }
        fs.chmodSync(filename, 0o644)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* text("k"), "v")
      }),
  )

  it.effect("it is tried again every second, and used once it can be", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      fs.mkdirSync(filename)
      const { put, text } = yield* openOn({ filename })
      yield* Effect.flip(put("k", "v", 1))
      fs.rmdirSync(filename)
      yield* Effect.flip(put("k", "v", 1))
      yield* TestClock.adjust(1000)
      assert.isTrue(yield* put("k", "v", 1))
      assert.strictEqual(yield* text("k"), "v")
    }),
  )
})

describe("a damaged file", () => {
  it.effect("law 14: is set aside with an event, and a new one begun", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* Effect.scoped(Effect.flatMap(larderOn(filename), ({ larder }) => larder.get("a")))
      fs.truncateSync(filename, 5000)
      const { asked, events, larder } = yield* larderOn(filename)
      assert.strictEqual(yield* larder.get("a"), "a 1")
      assert.isTrue((yield* larder.set("b", "set")).settled)
      const [warning] = Events.named(yield* events, "TierWarning")
      assert.match(JSON.stringify(warning), /is damaged .* moves it to .*corrupt-1/)
      assert.strictEqual(fs.statSync(`${filename}.corrupt-1`).size, 5000)
      assert.deepStrictEqual(asked, ["a"])
    }),
  )

  it.effect("that is found out while it is used costs that operation, and is set aside", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { put } = yield* openOn({ filename })
          for (let i = 0; i < 500; i++) yield* put(`k${i}`, "x".repeat(500), 1)
        }),
      )
      // Every page but the first, which says what the file is.
      const file = fs.openSync(filename, "r+")
      const { size } = fs.fstatSync(file)
      fs.writeSync(file, Buffer.alloc(size - 4096, 0xa5), 0, size - 4096, 4096)
      fs.closeSync(file)

      const { put, text, notices } = yield* openOn({ filename })
      const outcome = yield* Effect.exit(put("k", "v", 2))
      if (outcome._tag === "Success") assert.isTrue(outcome.value)
      assert.isTrue(yield* put("l", "w", 1))
      assert.strictEqual(yield* text("l"), "w")
      assert.strictEqual(notices.filter(({ _tag }) => _tag === "Warning").length, 1)
      assert.isNotEmpty(corruptions(filename))
    }),
  )

  it.effect("whose tables somebody has dropped is set aside as well", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const { put, text } = yield* openOn({ filename })
      yield* put("k", "v", 1)
      const other = new DatabaseSync(filename)
      other.exec("DROP TABLE entries; DROP TABLE leases")
      other.close()
      yield* Effect.exit(put("k", "w", 2))
      assert.isTrue(yield* put("l", "w", 1))
      assert.strictEqual(yield* text("l"), "w")
      assert.isNotEmpty(corruptions(filename))
    }),
  )

  it.effect("law 20: stored numbers without room above them count as 0", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const { arbiter, set, text } = yield* openOn({ filename })
      const acquire = arbiter.acquire("k", { known: 0, leaseMillis: 1000, force: false })
      yield* set("k", "v")
      yield* arbiter.acquire("leased", { known: 0, leaseMillis: 1000, force: false })
      const marked = yield* arbiter.mark(["t"], true, 0)
      const database = new DatabaseSync(filename)
      const end = 2 ** 53 - 2
      database.exec(`UPDATE entries SET version = ${end}; UPDATE leases SET token = ${end};
        UPDATE larders SET last = ${end}, lost = ${end}; UPDATE marks SET number = ${end}`)
      database.close()
      assert.strictEqual((yield* acquire)._tag, "Won")
      assert.strictEqual((yield* acquire)._tag, "Busy")
      const version = yield* set("k", "w")
      assert.isBelow(version, 2 ** 53 - 2 ** 40)
      assert.isAbove(yield* set("k", "x"), version)
      assert.strictEqual(yield* text("k"), "x")
      const leased = { known: 0, leaseMillis: 1000, force: true }
      const won = yield* arbiter.acquire("leased", leased)
      assert.isTrue(won._tag === "Won" && won.token < end)
      // What the damaged marks covered is not fresh any more, and nothing they say is believed.
      const page = yield* arbiter.marks(0)
      assert.isAtLeast(page.floor, marked.number)
      assert.isBelow(page.last, end)
      assert.deepStrictEqual(page.marks, [])
      assert.deepStrictEqual((yield* arbiter.marks(0)).floor, page.floor)
      assert.isAbove((yield* arbiter.mark(["t"], true, 0)).number, page.last)
    }),
  )

  it.effect("law 16: bytes changed behind its back are a miss, never another value", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      yield* Effect.scoped(Effect.flatMap(larderOn(filename), ({ larder }) => larder.get("a")))
      const database = new DatabaseSync(filename)
      database.exec(
        "UPDATE entries SET envelope = CAST(replace(CAST(envelope AS TEXT), 'a 1', 'x 1') AS BLOB)",
      )
      database.close()
      const { asked, events, larder } = yield* larderOn(filename)
      assert.strictEqual(yield* larder.get("a"), "a 1")
      assert.deepStrictEqual(asked, ["a"])
      assert.isNotEmpty(Events.named(yield* events, "Undecodable"))
    }),
  )
})

describe("a file that is changed behind the back of an open one", () => {
  const large = "x".repeat(500)
  const changesOf = (older: string) =>
    [
      ["truncated to nothing", (filename: string) => fs.truncateSync(filename), true],
      ["truncated", (filename: string) => fs.truncateSync(filename, 10_000), true],
      [
        "overwritten by an older copy",
        (filename: string) => fs.writeFileSync(filename, fs.readFileSync(older)),
        true,
      ],
      ["overwritten by text", (filename: string) => fs.writeFileSync(filename, "keep me"), false],
      [
        "overwritten by as much text",
        (filename: string) => {
          const file = fs.openSync(filename, "r+")
          fs.writeSync(
            file,
            Buffer.alloc(fs.fstatSync(file).size, "keep me"),
            0,
            fs.fstatSync(file).size,
            0,
          )
          fs.closeSync(file)
        },
        false,
      ],
      [
        "overwritten by a database of something else",
        (filename: string) => {
          const theirs = new DatabaseSync(`${filename}.theirs`)
          theirs.exec("CREATE TABLE accounts (id INTEGER); INSERT INTO accounts VALUES (1)")
          theirs.close()
          fs.writeFileSync(filename, fs.readFileSync(`${filename}.theirs`))
        },
        false,
      ],
    ] as const

  for (const [what, , goesOn] of changesOf("")) {
    it.effect(
      `law 12: ${what}: noticed within a second, what was in it is lost safely, one warning`,
      () =>
        Effect.gen(function* () {
          const filename = yield* temporaryFile
          const { arbiter, notices, put, set, text } = yield* openOn({ filename })
          for (let i = 0; i < 100; i++) yield* put(`k${i}`, large, 1)
          yield* set("removed", "v")
          const copy = new DatabaseSync(filename)
          copy.exec("PRAGMA wal_checkpoint(TRUNCATE)")
          copy.close()
          fs.copyFileSync(filename, `${filename}.older`)
          // As large as the copy: its size does not tell.
          for (let i = 0; i < 100; i++) yield* put(`k${i}`, large, 2)
          const { version } = yield* arbiter.write("removed", { _tag: "Remove" }, 0)
          const marked = yield* arbiter.mark(["t"], true, 0)
          const another = new DatabaseSync(filename)
          another.exec("PRAGMA wal_checkpoint(TRUNCATE)")
          another.close()
          yield* put("last", "in the log", 1)

          const change = changesOf(`${filename}.older`).find(([name]) => name === what)![1]
          yield* TestClock.adjust("1 second")
          assert.isDefined(yield* text("k7"))
          change(filename)
          const left = fs.readFileSync(filename)
          yield* TestClock.adjust("1 second")
          const outcome = yield* Effect.exit(put("l", "w", 1))
          assert.lengthOf(warnings(notices), 1, warnings(notices).join("\n"))
          assert.isUndefined(yield* Effect.catch(text("k7"), () => Effect.undefined))
          assert.isUndefined(yield* Effect.catch(text("removed"), () => Effect.undefined))
          if (goesOn) {
            assert.strictEqual(outcome._tag, "Success")
            assert.strictEqual(yield* text("l"), "w")
            const page = yield* arbiter.marks(0)
            assert.isAbove(page.floor, marked.number)
            assert.isAbove(yield* set("removed", "again"), version)
          } else {
            assert.strictEqual(outcome._tag, "Failure")
            assert.match(warnings(notices)[0]!, /cannot be opened: .* stays unchanged/)
            assert.deepStrictEqual(fs.readFileSync(filename), left)
            assert.deepStrictEqual(corruptions(filename), [])
            fs.rmSync(filename)
            yield* TestClock.adjust("1 second")
            assert.isTrue(yield* put("l", "w", 1))
            assert.isAbove((yield* arbiter.marks(0)).floor, marked.number)
          }
        }),
    )
  }

  it.effect("law 12: replaced by an older copy: what was removed since does not come back", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const { arbiter, put, set, text } = yield* openOn({ filename })
      yield* put("k", "v", 1)
      const version = yield* set("removed", "v")
      const { asOf } = yield* Effect.map(arbiter.marks(0), ({ last }) => ({ asOf: last }))
      const copy = new DatabaseSync(filename)
      copy.exec(`VACUUM INTO '${filename}.older'`)
      copy.close()
      const removed = yield* arbiter.write("removed", { _tag: "Remove" }, 0)
      assert.isAbove(removed.version, version)
      fs.renameSync(`${filename}.older`, filename)
      yield* TestClock.adjust("1 second")
      yield* text("k")
      // An entry of the copy is from before both floors: it is not given, not even in error grace.
      const page = yield* arbiter.marks(0)
      assert.isAbove(page.floor, Math.max(asOf, removed.version))
      assert.isAbove(page.dropFloor, Math.max(asOf, removed.version))
      assert.isAbove(yield* set("removed", "again"), removed.version)
      // Once: its floors do not rise with each connection.
      const again = yield* arbiter.marks(0)
      assert.strictEqual(again.floor, page.floor)
    }),
  )
})

describe("a file that is in use", () => {
  /** Another process in the middle of a transaction. */
  const lock = (filename: string) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const database = new DatabaseSync(filename)
        database.exec("BEGIN IMMEDIATE")
        return database
      }),
      (database) => Effect.sync(() => database.isOpen && database.close()),
    )

  it.effect(
    "law 14: reads go on while another process writes; writes wait, and give up in time",
    () =>
      Effect.gen(function* () {
        const filename = yield* temporaryFile
        const { put, text } = yield* openOn({ filename, busyTimeout: "20 millis" })
        yield* put("k", "before", 1)
        const other = yield* lock(filename)
        assert.strictEqual(yield* text("k"), "before")
        const writing = yield* Effect.forkChild(Effect.exit(put("k", "after", 2)), {
          startImmediately: true,
        })
        yield* TestClock.adjust("18 millis")
        assert.isUndefined(writing.pollUnsafe())
        yield* TestClock.adjust("4 millis")
        const exit = writing.pollUnsafe()
        assert.match(JSON.stringify(exit), /TierError/)
        other.exec("ROLLBACK")
        assert.isTrue(yield* put("k", "after", 2))
      }),
  )

  it.effect("a write waits for another process to finish, without blocking this one", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const { put, text } = yield* openOn({ filename })
      yield* put("k", "before", 1)
      const other = yield* lock(filename)
      const writing = yield* Effect.forkChild(put("k", "after", 2), { startImmediately: true })
      yield* TestClock.adjust("10 millis")
      other.exec("ROLLBACK")
      yield* TestClock.adjust("10 millis")
      assert.isTrue(yield* Fiber.join(writing))
      assert.strictEqual(yield* text("k"), "after")
    }),
  )
})

describe("a file that is gone", () => {
  for (const [what, remove] of [
    ["removed", (filename: string) => fs.rmSync(filename)],
    ["moved", (filename: string) => fs.renameSync(filename, `${filename}.old`)],
    [
      "replaced by a sound one",
      (filename: string) => {
        fs.renameSync(filename, `${filename}.old`)
        new DatabaseSync(filename).close()
        fs.writeFileSync(filename, "")
      },
    ],
  ] as const) {
    it.effect(`${what} while it is open: it is opened anew within a second of use`, () =>
      Effect.gen(function* () {
        const filename = yield* temporaryFile
        const { arbiter, notices, put, text } = yield* openOn({ filename })
        yield* put("k", "v", 1)
        const { last } = yield* arbiter.marks(0)
        remove(filename)
        yield* TestClock.adjust("1 second")
        assert.isTrue(yield* put("l", "w", 1))
        assert.strictEqual(yield* text("l"), "w")
        assert.isUndefined(yield* text("k"))
        assert.isTrue(fs.statSync(filename).size > 0)
        assert.isTrue(notices.some((notice) => notice._tag === "Warning"))
        // What was marked in the file that is gone is not forgotten.
        assert.isAbove((yield* arbiter.marks(0)).floor, last)
      }),
    )
  }

  it.effect("law 20: numbers ahead of the clock go on from what was seen", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const { arbiter } = yield* openOn({ filename })
      const ahead = 9_000_000_000
      const marked = yield* arbiter.mark(["t"], true, ahead)
      assert.strictEqual(marked.number, ahead + 1)
      fs.rmSync(filename)
      yield* TestClock.adjust("1 second")
      assert.isAbove((yield* arbiter.mark(["t"], true, 0)).number, marked.number)
      const { version } = yield* arbiter.write("k", { _tag: "Remove" }, ahead * 2)
      fs.rmSync(filename)
      yield* TestClock.adjust("1 second")
      assert.isAbove((yield* arbiter.write("k", { _tag: "Remove" }, 0)).version, version)
    }),
  )
})

describe("a read-only disk", () => {
  it.effect.skipIf(!canMount)(
    "law 14: costs nothing but the tier, and is used again once it can be written",
    (context) =>
      Effect.gen(function* () {
        const { folder, mounted } = yield* disk(2000)
        if (!mounted) return context.skip("no disk can be mounted here")
        const filename = `${folder}/larder.sqlite`
        yield* Effect.scoped(Effect.flatMap(openOn({ filename }), ({ put }) => put("k", "v", 1)))
        const remount = (how: "ro" | "rw") =>
          assert.strictEqual(spawnSync("mount", ["-o", `remount,${how}`, folder]).status, 0)
        remount("ro")
        yield* assertHarmless(filename)
        remount("rw")
        const { put, text } = yield* openOn({ filename })
        assert.strictEqual(yield* text("k"), "v")
        assert.isTrue(yield* put("k", "w", 2))
      }),
  )
})
