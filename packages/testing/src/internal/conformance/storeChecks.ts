/** Checks for every tier that stores bytes. */
import { Envelope, type Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import { strict as assert } from "node:assert"
import {
  arbitrated,
  assertNoValue,
  byteTier,
  checksThat,
  envelope,
  freshName,
  lifeMillis,
  opened,
  openedAs,
  textOf,
} from "./subject.ts"

/** Keys and larder names that resemble a tier's internal names. */
const oddTexts = [
  "",
  " ",
  "a",
  "A",
  "a:b",
  "a:",
  ":a",
  "{a}",
  "{",
  "}{",
  "%",
  "%25",
  "%3A",
  "a/b",
  "../a",
  "a\\b",
  "*",
  "a?",
  "[a]",
  "'",
  '"',
  "; DROP TABLE entries",
  "__proto__",
  "constructor",
  "#1",
  "1",
  "é",
  "e\u0301",
  "鍵",
  "🗝",
  "k".repeat(1024),
  `${"k".repeat(1023)}l`,
]

const allBytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)

const walked = [
  ...["a", "ab", "a:", "a*", "a{", "a%", "a\\", "aé", "a鍵", "a\u{10FFFF}"],
  ...Array.from({ length: 600 }, (_, i) => `a${i}`),
]

const notWalked = ["A", "b", "", "é", "ba", "`", "%a"]

/** All keys of a walk; undefined where the tier cannot list keys. */
const keysListed = (
  { keys }: Tier.ByteStore,
  prefix: string,
  between: (page: number) => Effect.Effect<unknown, Tier.TierError> = () => Effect.void,
) =>
  Effect.gen(function* () {
    if (keys === undefined) return undefined
    const listed = new Set<string>()
    let after: string | undefined
    for (let page = 0; page < 10_000; page++) {
      const found: Tier.KeysPage = yield* keys(prefix, after)
      for (const key of found.keys) listed.add(key)
      after = found.next
      if (after === undefined) return listed
      yield* between(page)
    }
    return assert.fail("the walk does not end")
  })

export const storeChecks = checksThat("bytes")({
  "the declared abilities are those of its stores": (subject) =>
    Effect.gen(function* () {
      const { abilities, name, scope } = byteTier(subject)
      const { store } = yield* opened(subject)
      assert.notEqual(name.trim(), "")
      assert.ok(["process", "machine", "shared"].includes(scope), scope)
      const { store: other } = yield* opened(subject)
      assert.equal(store.arbiter !== undefined, subject.arbitrates)
      assert.equal(other.arbiter !== undefined, subject.arbitrates)
      assert.ok(subject.arbitrates || !abilities.notifies, "messages are those of an arbiter")
    }),

  "a walk lists each key with the prefix that has a value from its begin to its end": (subject) =>
    Effect.gen(function* () {
      const name = yield* freshName("walk")
      const { put, store } = yield* openedAs(subject, name)
      const other = yield* openedAs(subject, `${name}:`)
      for (const key of [...walked, ...notWalked]) yield* put(key, "value", 5)
      yield* other.put("a of another larder", "value", 5)
      // What comes and goes meanwhile must not end the walk early, nor hide a key.
      const listed = yield* keysListed(store, "a", (page) =>
        Effect.andThen(put(`a new ${page}`, "value", 5), store.drop(`a new ${page - 1}`, 5)),
      )
      if (listed === undefined) return
      const missing = walked.filter((key) => !listed.has(key))
      assert.deepEqual(missing, [], "keys that were not listed")
      const known = new Set(walked)
      const surplus = [...listed].filter((key) => !known.has(key) && !key.startsWith("a new "))
      assert.deepEqual(surplus, [], "keys that must not be listed")
      assert.deepEqual(yield* keysListed(store, "a{"), new Set(["a{"]))
      assert.deepEqual(yield* keysListed(store, "nothing"), new Set())
    }),

  "a walk lists the keys that are looked up under a lease": (subject) =>
    Effect.gen(function* () {
      if (!subject.arbitrates) return
      const { acquire, store } = yield* arbitrated(subject)
      assert.equal((yield* acquire("a looked up"))._tag, "Won")
      const listed = yield* keysListed(store, "a ")
      assert.deepEqual(listed ?? new Set(["a looked up"]), new Set(["a looked up"]))
    }),

  "a walk lists a key whose lookup is stored while it goes on": (subject) =>
    Effect.gen(function* () {
      if (!subject.arbitrates) return
      const { arbiter, now, put, store, win } = yield* arbitrated(subject)
      for (const key of walked) yield* put(key, "value", 5)
      const key = "a0 looked up"
      const token = yield* win(key)
      const found = envelope("found", yield* now, { version: token })
      const listed = yield* keysListed(store, "a", () =>
        arbiter.commit(key, token, found, lifeMillis),
      )
      assert.ok(listed === undefined || listed.has(key))
    }),

  "a larder opened again finds its entries; other larders do not": (subject) =>
    Effect.gen(function* () {
      const name = yield* freshName("reopened")
      yield* Effect.scoped(
        Effect.flatMap(openedAs(subject, name), ({ put }) => put("k", "kept", 5)),
      )
      const again = yield* openedAs(subject, name)
      assert.equal(yield* again.text("k"), "kept")
      const other = yield* openedAs(subject, `${name}:`)
      assert.equal(yield* other.text("k"), undefined)
      yield* other.put("k", "other", 6)
      yield* other.store.drop("k", 6)
      assert.equal(yield* again.text("k"), "kept")
    }),

  "any string is a key, and different strings are different keys": (subject) =>
    Effect.gen(function* () {
      const { put, store } = yield* opened(subject)
      for (const [i, key] of oddTexts.entries()) assert.ok(yield* put(key, `of ${i}`, 5), key)
      const read = yield* store.read(oddTexts)
      assert.deepEqual(
        read.map(textOf),
        oddTexts.map((_, i) => `of ${i}`),
      )
    }),

  "any string is the name of a larder, and different strings are different larders": (subject) =>
    Effect.gen(function* () {
      const prefix = yield* freshName("odd")
      for (const text of oddTexts) {
        const { put } = yield* openedAs(subject, `${prefix}${text}`)
        assert.ok(yield* put("k", text, 5), text)
      }
      for (const text of oddTexts) {
        const own = yield* openedAs(subject, `${prefix}${text}`)
        assert.equal(yield* own.text("k"), text)
      }
    }),

  "bytes are returned unchanged, few or many": (subject) =>
    Effect.gen(function* () {
      const { first, now, store } = yield* opened(subject)
      const header = envelope("", yield* now, { version: 5 })
      for (const value of [new Uint8Array(0), allBytes, new Uint8Array(1_000_000).fill(0xff)]) {
        const parsed = Envelope.parse(header)
        assert.ok(parsed._tag === "Value")
        const bytes = Envelope.make({ ...parsed, value })
        const key = `of ${value.length}`
        assert.ok(yield* store.put(key, bytes, lifeMillis))
        const found = yield* first(key)
        assert.ok(found !== undefined && Buffer.compare(found, bytes) === 0, key)
      }
    }),

  "buffers are not shared with callers": (subject) =>
    Effect.gen(function* () {
      const { now, store, text } = yield* opened(subject)
      const given = envelope("kept", yield* now, { version: 5 })
      yield* store.put("k", given, lifeMillis)
      given.fill(0)
      const [read] = yield* store.read(["k"])
      read?.fill(0)
      assert.equal(yield* text("k"), "kept")
    }),

  "a part of a larger buffer is stored as that part alone": (subject) =>
    Effect.gen(function* () {
      const { now, store, text } = yield* opened(subject)
      const whole = envelope("kept", yield* now, { version: 5 })
      const larger = new Uint8Array(whole.length + 20)
      larger.set(whole, 10)
      yield* store.put("k", larger.subarray(10, 10 + whole.length), lifeMillis)
      assert.equal(yield* text("k"), "kept")
    }),

  "bytes that are not an envelope are rejected with the operation's name, and not stored": (
    subject,
  ) =>
    Effect.gen(function* () {
      const { store, text } = yield* opened(subject)
      const error = yield* Effect.flip(store.put("k", new Uint8Array([1, 2, 3]), lifeMillis))
      assert.deepEqual(
        [error._tag, error.tier, error.operation],
        ["TierError", byteTier(subject).name, "put"],
      )
      assert.equal(yield* text("k"), undefined)
    }),

  "put stores over a lower version only, and returns whether it did": (subject) =>
    Effect.gen(function* () {
      const { put, text } = yield* opened(subject)
      assert.equal(yield* put("k", "five", 5), true)
      assert.equal(yield* put("k", "four", 4), false)
      assert.equal(yield* put("k", "another five", 5), false)
      assert.equal(yield* text("k"), "five")
      assert.equal(yield* put("k", "six", 6), true)
      assert.equal(yield* text("k"), "six")
      const high = 9_007_199_254_740_000
      assert.equal(yield* put("k", "high", high), true)
      assert.equal(yield* put("k", "not as high", high - 1), false)
      assert.equal(yield* text("k"), "high")
    }),

  "law 13: a value without a life removes the previous one": (subject) =>
    Effect.gen(function* () {
      const { put, text } = yield* opened(subject)
      for (const life of [0, -1000]) {
        const key = `life ${life}`
        yield* put(key, "five", 5)
        assert.equal(yield* put(key, "six", 6, life), true)
        assertNoValue(yield* text(key))
      }
    }),

  "drop removes an entry up to a version": (subject) =>
    Effect.gen(function* () {
      const { put, store, text } = yield* opened(subject)
      yield* put("k", "five", 5)
      yield* put("l", "five", 5)
      yield* store.drop("k", 4)
      assert.equal(yield* text("k"), "five")
      yield* store.drop("k", 5)
      assert.equal(yield* text("k"), undefined)
      yield* store.drop("k", 5)
      yield* store.drop("nothing", Number.MAX_SAFE_INTEGER)
      assert.equal(yield* text("l"), "five")
      yield* store.drop("l", Number.MAX_SAFE_INTEGER)
      assert.equal(yield* text("l"), undefined)
    }),

  "read answers in the order of the keys, however many": (subject) =>
    Effect.gen(function* () {
      const { put, store } = yield* opened(subject)
      yield* put("a", "of a", 1)
      yield* put("b", "of b", 1)
      const read = (...keys: ReadonlyArray<string>) =>
        Effect.map(store.read(keys), (all) => all.map(textOf))
      assert.deepEqual(yield* read(), [])
      assert.deepEqual(yield* read("b", "x", "a", "b"), ["of b", undefined, "of a", "of b"])
      const many = Array.from({ length: 2500 }, (_, i) => (i % 2 === 0 ? "a" : `none ${i}`))
      assert.deepEqual(
        yield* read(...many),
        many.map((key) => (key === "a" ? "of a" : undefined)),
      )
    }),

  "an entry expires at the end of its life, and not before": (subject) =>
    Effect.gen(function* () {
      const { put, store } = yield* opened(subject)
      yield* put("short", "short", 1, 1000)
      yield* put("replaced", "short", 1, 1000)
      yield* put("replaced", "long", 2)
      yield* put("long", "long", 1)
      yield* put("for ever", "for ever", 1, Infinity)
      const read = Effect.map(store.read(["short", "replaced", "long", "for ever"]), (all) =>
        all.map(textOf),
      )
      assert.deepEqual(yield* read, ["short", "long", "long", "for ever"])
      yield* subject.pass(1000)
      assert.deepEqual(yield* read, [undefined, "long", "long", "for ever"])
    }),

  "many concurrent operations do not disturb each other": (subject) =>
    Effect.gen(function* () {
      const { put, store, text } = yield* opened(subject)
      const keys = Array.from({ length: 50 }, (_, i) => `k${i % 10}`)
      yield* Effect.forEach(keys, (key, i) => put(key, `${i}`, i + 1), { concurrency: "unbounded" })
      for (let i = 40; i < 50; i++) assert.equal(yield* text(`k${i % 10}`), `${i}`)
      yield* Effect.forEach(keys, (key) => store.drop(key, 100), { concurrency: "unbounded" })
      assert.equal(yield* text("k0"), undefined)
    }),
})
