/** Files that are locked, damaged, full, gone, somebody else's: law 14 for what is behind a disk. */
import { assert, describe, it } from "@effect/vitest"
import {
  Larder,
  type LarderEvent,
  MemoryTier,
  Policy,
  Tier,
  TierStack,
  Upstream,
} from "@larder/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { temporaryFile, temporaryFolder } from "./support/files.ts"
import { openOn, tierOn } from "./support/stores.ts"

const Events = {
  named: (events: ReadonlyArray<LarderEvent.LarderEvent>, _tag: string) =>
    events.filter((event) => event._tag === _tag),
}

/** A larder over the file alone, that counts what upstream is asked. */
const larderOn = (filename: string, maxEntries = 1000) =>
  Effect.gen(function* () {
    const tier = yield* tierOn({ filename })
    const asked: Array<string> = []
    const larder = yield* Larder.make({
      name: "products",
      value: Schema.String,
      upstream: Upstream.make({
        lookup: (key: string) => Effect.sync(() => (asked.push(key), `${key} ${asked.length}`)),
      }),
      policy: Policy.make({ freshFor: "1 hour", staleIfError: "1 hour" }),
    }).pipe(
      Effect.provide(
        TierStack.layer(MemoryTier.layer({ maxEntries }), Layer.succeed(Tier.Tier, tier)),
      ),
    )
    const subscription = yield* larder.subscribe
    return { larder, asked, events: PubSub.takeUpTo(subscription, 1000) }
  })

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

  it.effect("a database of something else is refused, and left as it is", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const theirs = new DatabaseSync(filename)
      theirs.exec("CREATE TABLE accounts (id INTEGER); INSERT INTO accounts VALUES (1)")
      theirs.close()
      assert.match(yield* refusal(filename), /database of something else/)
      yield* assertHarmless(filename)
      const again = new DatabaseSync(filename)
      assert.strictEqual(again.prepare("SELECT count(*) AS n FROM accounts").get()?.["n"], 1)
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
      const garbage = "this is no database, and never was one ".repeat(100)
      fs.writeFileSync(filename, garbage)
      const { asked, events, larder } = yield* larderOn(filename)
      assert.strictEqual(yield* larder.get("a"), "a 1")
      assert.isTrue((yield* larder.set("b", "set")).settled)
      const [warning] = Events.named(yield* events, "TierWarning")
      assert.match(JSON.stringify(warning), /is damaged .* kept as .*corrupt-1/)
      assert.strictEqual(fs.readFileSync(`${filename}.corrupt-1`, "utf8"), garbage)
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
})

/** A disk of so many KiB, where this process may have one. */
const canMount = process.platform === "linux" && process.getuid?.() === 0
const disk = (kibibytes: number) =>
  Effect.acquireRelease(
    Effect.map(temporaryFolder, (folder) => {
      const size = `size=${kibibytes}k`
      const done = spawnSync("mount", ["-t", "tmpfs", "-o", size, "tmpfs", folder])
      return { folder, mounted: done.status === 0 }
    }),
    ({ folder, mounted }) => Effect.sync(() => mounted && spawnSync("umount", ["-l", folder])),
  )

describe("a full disk", () => {
  for (const size of [300, 2000]) {
    it.effect.skipIf(!canMount)(
      `law 13: ${size} KiB make room, or refuse: never an older value in place of a newer`,
      (context) =>
        Effect.gen(function* () {
          const { folder, mounted } = yield* disk(size)
          if (!mounted) return context.skip("no disk can be mounted here")
          const filename = `${folder}/larder.sqlite`
          const { put, text } = yield* openOn({ filename })
          let refused = 0
          for (let i = 1; i <= 600; i++) {
            const key = `k${i % 40}`
            const done = yield* Effect.exit(put(key, `${i} ${"x".repeat(8000)}`, i))
            if (done._tag === "Failure") refused += 1
            const found = yield* text(key)
            // What could not be written at all is told by the failure.
            if (done._tag === "Success") assert.match(found ?? "", new RegExp(`^${i} `))
          }
          // The log takes as much as the file; where both are too small, nothing can be moved.
          if (size > 1000) assert.strictEqual(refused, 0)
          else assert.isAbove(refused, 0)
        }),
    )

    it.effect.skipIf(!canMount)(
      `laws 13, 14: over ${size} KiB callers get what was set last, or what upstream says`,
      (context) =>
        Effect.gen(function* () {
          const { folder, mounted } = yield* disk(size)
          if (!mounted) return context.skip("no disk can be mounted here")
          const { larder } = yield* larderOn(`${folder}/larder.sqlite`, 3)
          for (let i = 1; i <= 200; i++) {
            const key = `k${i % 20}`
            yield* larder.set(key, `${i} ${"x".repeat(8000)}`)
            const found = yield* larder.get(key)
            assert.match(found, new RegExp(`^(?:${i}|${key}) `))
            const before = yield* larder.get(`k${(i + 10) % 20}`)
            if (i > 20 && /^\d/.test(before)) assert.isAtLeast(Number.parseInt(before, 10), i - 10)
            yield* TestClock.adjust("1 second")
          }
        }),
    )
  }
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
