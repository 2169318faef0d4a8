/** Disks without room: laws 12 to 14 for a cache that has to give way. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as fs from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { canMount, disk, fill } from "./support/disk.ts"
import { larderOn } from "./support/larders.ts"
import { openOn, warnings } from "./support/stores.ts"

type Store = Effect.Success<ReturnType<typeof openOn>>

const onDisk = (
  name: string,
  kibibytes: number,
  body: (folder: string) => Effect.Effect<void, unknown, Scope.Scope>,
) =>
  it.effect.skipIf(!canMount)(
    name,
    (context) =>
      Effect.gen(function* () {
        const { folder, mounted } = yield* disk(kibibytes)
        if (!mounted) return context.skip("no disk can be mounted here")
        yield* body(folder)
      }),
    20_000,
  )

const isTold = (told: ReadonlyArray<string>, what: RegExp) =>
  assert.lengthOf(
    told.filter((message) => what.test(message)),
    1,
    told.join("\n"),
  )

/** Each way to invalidate, at keys that are there. */
const invalidations = ({ arbiter, store }: Store) =>
  [
    ["remove", arbiter.write("k1", { _tag: "Remove" }, 0)],
    ["expire", arbiter.write("k2", { _tag: "Expire" }, 0)],
    ["expire of nothing", arbiter.write("none", { _tag: "Expire" }, 0)],
    ["drop", store.drop("k3", 1_000_000)],
    ["tags", arbiter.mark(["t", "u"], true, 0)],
    ["clear", arbiter.mark([undefined], false, 0)],
    ["acquire", arbiter.acquire("k4", { known: 0, leaseMillis: 1000, force: true })],
  ] as const

const assertAllFit = (opened: Store) =>
  Effect.forEach(invalidations(opened), ([name, invalidation]) =>
    Effect.catchCause(Effect.asVoid(invalidation), (cause) =>
      Effect.sync(() => assert.fail(`${name}: ${String(cause)}`)),
    ),
  )

describe("a full disk", () => {
  for (const size of [300, 2000]) {
    onDisk(
      `law 13: ${size} KiB make room: never an older value in place of a newer`,
      size,
      (folder) =>
        Effect.gen(function* () {
          const { put, text } = yield* openOn({ filename: `${folder}/larder.sqlite` })
          for (let i = 1; i <= 600; i++) {
            const key = `k${i % 40}`
            assert.isTrue(yield* put(key, `${i} ${"x".repeat(8000)}`, i))
            assert.match((yield* text(key)) ?? "", new RegExp(`^${i} `))
          }
        }),
    )

    onDisk(
      `laws 13, 14: over ${size} KiB callers get what was set last, or what upstream says`,
      size,
      (folder) =>
        Effect.gen(function* () {
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

  for (const size of [400, 2000, 30_000]) {
    onDisk(
      `values of ${size} bytes beyond the disk: each is settled, the oldest go, one warning`,
      1536,
      (folder) =>
        Effect.gen(function* () {
          const opened = yield* openOn({ filename: `${folder}/larder.sqlite` })
          const { notices, put, text } = opened
          const keys = Math.ceil((2 * 1024 * 1024) / (size + 300))
          for (let i = 0; i < keys; i++)
            assert.isTrue(yield* put(`k${i}`, "x".repeat(size), 1), `${i}`)
          assert.isUndefined(yield* text("k0"))
          let kept = 0
          for (let i = keys - 1; i >= 0 && (yield* text(`k${i}`)) !== undefined; i--) kept += 1
          // What is there is what was written last, and most of the disk.
          assert.isAbove(kept * size, 300_000)
          let others = 0
          for (let i = 0; i < keys - kept; i++)
            if ((yield* text(`k${i}`)) !== undefined) others += 1
          assert.strictEqual(others, 0)
          yield* assertAllFit(opened)
          isTold(warnings(notices), /is full: the tier evicts its oldest entries/)
          assert.lengthOf(warnings(notices), 1)
        }),
    )
  }

  onDisk("what was read since goes later there too", 2048, (folder) =>
    Effect.gen(function* () {
      const { put, text } = yield* openOn({ filename: `${folder}/larder.sqlite` })
      for (let i = 0; i < 20; i++) yield* put(`k${i}`, "x".repeat(8000), 1)
      for (let i = 20; i < 1000; i++) {
        yield* put(`k${i}`, "x".repeat(8000), 1)
        assert.isDefined(yield* text("k3"), `after ${i}`)
      }
      assert.isUndefined(yield* text("k4"))
    }),
  )

  onDisk(
    "a value that the disk cannot take leaves a tombstone, and costs no other",
    4096,
    (folder) =>
      Effect.gen(function* () {
        const { notices, put, text } = yield* openOn({ filename: `${folder}/larder.sqlite` })
        for (let i = 0; i < 20; i++) yield* put(`k${i}`, "small", 1)
        const error = yield* Effect.flip(put("k5", "x".repeat(6_000_000), 2))
        assert.match(String(error.cause), /no room for 6000\d\d\d bytes/)
        assert.strictEqual(yield* text("k5"), "[tombstone]")
        for (const other of ["k0", "k6", "k19"]) assert.strictEqual(yield* text(other), "small")
        const refused = notices.find(({ _tag }) => _tag === "Evicted")
        assert.deepInclude(refused, { key: "k5", cause: "refused" })
      }),
  )

  onDisk(
    "that somebody else fills: invalidations fit, room is made, and used again later",
    16_384,
    (folder) =>
      Effect.gen(function* () {
        const opened = yield* openOn({ filename: `${folder}/larder.sqlite` })
        const { notices, put, text } = opened
        // Whatever of it is in the log still when the disk is full.
        for (let i = 0; i < 500; i++) yield* put(`k${i}`, "x".repeat(2000), 1)
        const theirs = fill(folder)
        yield* assertAllFit(opened)
        for (let i = 500; i < 1500; i++) {
          assert.isTrue(yield* put(`k${i}`, "x".repeat(2000), 1))
          // Not one after the other all of them.
          if (i === 520) assert.isDefined(yield* text("k400"))
        }
        yield* assertAllFit(opened)
        isTold(warnings(notices), /is full: the tier evicts its oldest/)
        theirs.free()
        for (let i = 0; i < 3000; i++) yield* put(`l${i}`, "x".repeat(2000), 1)
        for (let i = 0; i < 3000; i += 100) assert.isDefined(yield* text(`l${i}`))
      }),
  )

  onDisk(
    "when the process starts: the file is opened as it was, and invalidations fit",
    16_384,
    (folder) =>
      Effect.gen(function* () {
        const filename = `${folder}/larder.sqlite`
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { put } = yield* openOn({ filename })
            for (let i = 0; i < 500; i++) yield* put(`k${i}`, "x".repeat(2000), 1)
          }),
        )
        fill(folder)
        const opened = yield* openOn({ filename })
        assert.isDefined(yield* opened.text("k7"))
        yield* assertAllFit(opened)
        assert.isTrue(yield* opened.put("l", "w", 1))
        assert.strictEqual(yield* opened.text("l"), "w")
      }),
  )

  onDisk(
    "when the process starts, and nothing was kept free: entries go, invalidations fit",
    4096,
    (folder) =>
      Effect.gen(function* () {
        const filename = `${folder}/larder.sqlite`
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { put } = yield* openOn({ filename })
            for (let i = 0; i < 500; i++) yield* put(`k${i}`, "x".repeat(2000), 1)
          }),
        )
        fill(folder)
        const opened = yield* openOn({ filename })
        yield* assertAllFit(opened)
        assert.isTrue(yield* opened.put("l", "w", 1))
        assert.strictEqual(yield* opened.text("l"), "w")
        isTold(
          warnings(opened.notices),
          /so full that nothing can be written: .* begins a new file/,
        )
      }),
  )

  onDisk(
    "without room for as much as a file: nothing settles, nobody waits, and later it does",
    4096,
    (folder) =>
      Effect.gen(function* () {
        const theirs = fill(folder)
        const opened = yield* openOn({ filename: `${folder}/larder.sqlite` })
        for (let i = 0; i < 3; i++) yield* Effect.flip(opened.put("k", "v", 1))
        yield* Effect.flip(opened.arbiter.mark(["t"], true, 0))
        isTold(warnings(opened.notices), /cannot be opened: .* Free disk space/)
        theirs.free()
        yield* TestClock.adjust("1 second")
        assert.isTrue(yield* opened.put("k", "v", 1))
        yield* assertAllFit(opened)
      }),
  )

  onDisk("while somebody holds a snapshot, so that the log cannot begin anew", 4096, (folder) =>
    Effect.gen(function* () {
      const filename = `${folder}/larder.sqlite`
      const opened = yield* openOn({ filename })
      const { put, text, notices } = opened
      for (let i = 0; i < 100; i++) yield* put(`k${i}`, "x".repeat(2000), 1)
      const reader = new DatabaseSync(filename)
      reader.exec("BEGIN")
      reader.prepare("SELECT count(*) FROM entries").get()
      for (let i = 0; i < 3000; i++)
        assert.isTrue(yield* put(`k${i}`, `${i} ${"x".repeat(2000)}`, i + 2), `${i}`)
      yield* assertAllFit(opened)
      assert.match((yield* text("k2999")) ?? "", /^2999 /)
      isTold(warnings(notices), /begins a new file/)
      reader.close()
    }),
  )

  onDisk(
    "law 12: what was marked and removed in a file that was given up does not come back",
    4096,
    (folder) =>
      Effect.gen(function* () {
        const filename = `${folder}/larder.sqlite`
        const { arbiter, put, set, text } = yield* openOn({ filename })
        for (let i = 0; i < 500; i++) yield* put(`k${i}`, "x".repeat(2000), 1)
        const version = yield* set("k", "v")
        const dropping = yield* arbiter.mark(["t"], false, 0)
        const reader = new DatabaseSync(filename)
        reader.exec("BEGIN")
        reader.prepare("SELECT count(*) FROM entries").get()
        fill(folder)
        for (let i = 0; i < 200; i++) yield* put(`l${i}`, "x".repeat(2000), 1)
        reader.close()
        assert.isUndefined(yield* text("k"))
        // The clock has not moved: numbers go on from what was seen.
        const page = yield* arbiter.marks(0)
        assert.isAbove(page.floor, dropping.number)
        assert.isAbove(page.dropFloor, dropping.number)
        assert.isAbove(yield* set("k", "w"), version)
        assert.isAbove((yield* arbiter.mark(["t"], true, 0)).number, dropping.number)
      }),
  )

  onDisk(
    "law 14: a larder over it settles every change, and says one thing in the log",
    4096,
    (folder) =>
      Effect.gen(function* () {
        const { larder } = yield* larderOn(`${folder}/larder.sqlite`, 3)
        for (let i = 0; i < 1500; i++) {
          assert.isTrue((yield* larder.set(`k${i}`, "x".repeat(4000))).settled, `set ${i}`)
        }
        assert.isTrue((yield* larder.remove("k1400")).settled)
        assert.isTrue((yield* larder.expire("k1401")).settled)
        assert.isTrue((yield* larder.invalidateTags(["t"])).settled)
        assert.isTrue((yield* larder.clear()).settled)
        assert.isAbove(fs.statSync(`${folder}/larder.sqlite`).size, 1_000_000)
      }),
  )
})
