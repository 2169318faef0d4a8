/** Checks for every tier that issues versions and leases. */
import { Arbitration, Envelope } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { strict as assert } from "node:assert"
import {
  arbitrated,
  type Arbitrated,
  assertNoValue,
  byteTier,
  checksThat,
  envelope,
  leaseMillis,
  lifeMillis,
  limitsOf,
  textOf,
} from "./subject.ts"

/** The ways to change a key while a lookup may hold its lease. */
const changes = ({ expire, remove, set }: Arbitrated) => [
  ["set", (key: string) => set(key, "new")] as const,
  ["remove", remove] as const,
  ["expire", expire] as const,
]

const leases = checksThat("arbiter")({
  "a token is the tier's time in microseconds, or one above all that are known": (subject) =>
    Effect.gen(function* () {
      const { acquire, time, win } = yield* arbitrated(subject)
      const before = yield* time
      const won = yield* acquire("k")
      const after = yield* time
      assert.ok(won._tag === "Won")
      assert.ok(won.token >= before * 1000, `${won.token} is before ${before} ms`)
      assert.ok(won.token < (after + 1000) * 1000, `${won.token} is long after ${after} ms`)
      const known = won.token + 3_600_000_000
      assert.equal(yield* win("known", { known }), known + 1)
    }),

  "law 7: one node at a time has the lease of a key; leases of other keys are independent": (
    subject,
  ) =>
    Effect.gen(function* () {
      const { acquire } = yield* arbitrated(subject)
      const all = yield* Effect.all(
        Array.from({ length: 20 }, () => acquire("k")),
        { concurrency: "unbounded" },
      )
      assert.equal(all.filter(({ _tag }) => _tag === "Won").length, 1)
      for (const acquired of all) {
        if (acquired._tag === "Won") continue
        assert.ok(acquired._tag === "Busy", acquired._tag)
        assert.ok(acquired.leftMillis > 0 && acquired.leftMillis <= leaseMillis)
      }
      assert.equal((yield* acquire("other"))._tag, "Won")
    }),

  "acquire returns a value newer than the caller knows, but no tombstone": (subject) =>
    Effect.gen(function* () {
      const { acquire, remove, set, text, win } = yield* arbitrated(subject)
      const version = yield* set("k", "kept")
      const newer = yield* acquire("k", { known: version - 1 })
      assert.ok(newer._tag === "Newer", newer._tag)
      assert.equal(textOf(newer.envelope), "kept")
      newer.envelope.fill(0)
      assert.equal(yield* text("k"), "kept")
      assert.ok((yield* win("k", { known: version })) > version)
      yield* remove("k")
      assert.equal((yield* acquire("k"))._tag, "Won")
    }),

  "a lease that is won tells the version below it, also of a tombstone, where the tier tells versions":
    (subject) =>
      Effect.gen(function* () {
        const { acquire, arbiter, expire, remove, set } = yield* arbitrated(subject)
        const above = (key: string, force = true) =>
          Effect.gen(function* () {
            const acquired = yield* acquire(key, { force })
            assert.ok(acquired._tag === "Won", acquired._tag)
            yield* arbiter.release(key, acquired.token, 0)
            return acquired.storedVersion
          })
        if ((yield* above("nothing")) === undefined) return
        assert.equal(yield* above("nothing"), 0)
        assert.equal(yield* above("nothing", false), 0)
        const version = yield* set("k", "kept")
        assert.equal(yield* above("k"), version)
        assert.equal(yield* above("k"), version)
        const expired = yield* expire("k")
        assert.equal(yield* above("k"), expired)
        const removed = yield* remove("k")
        assert.equal(yield* above("k"), removed)
        assert.equal(yield* above("k", false), removed)
      }),

  "law 10: a lease whose holder is gone passes on after its time, with a higher token": (subject) =>
    Effect.gen(function* () {
      const { acquire, arbiter, commit, text, win } = yield* arbitrated(subject)
      const first = yield* win("k", { lease: 1000 })
      assert.equal((yield* acquire("k"))._tag, "Busy")
      yield* subject.pass(1000)
      const second = yield* win("k")
      assert.ok(second > first, `${second} after ${first}`)
      assert.equal(yield* commit("k", first, "late"), "Superseded")
      assert.equal(yield* arbiter.renew("k", first, leaseMillis), false)
      yield* arbiter.release("k", first, 5000)
      assert.equal((yield* acquire("k"))._tag, "Busy")
      assert.equal(yield* text("k"), undefined)
      assert.equal(yield* commit("k", second, "second"), "Stored")
      assert.equal(yield* commit("k", first, "late"), "Superseded")
      assert.equal(yield* text("k"), "second")
    }),

  "law 10: a slow holder renews, and commits later": (subject) =>
    Effect.gen(function* () {
      const { acquire, arbiter, commit, text, win } = yield* arbitrated(subject)
      const token = yield* win("k", { lease: 1000 })
      assert.equal(yield* arbiter.renew("k", token, leaseMillis), true)
      yield* subject.pass(1000)
      assert.equal((yield* acquire("k"))._tag, "Busy")
      assert.equal(yield* commit("k", token, "slow"), "Stored")
      assert.equal(yield* text("k"), "slow")
      assert.equal(yield* arbiter.renew("k", token, leaseMillis), false)
    }),

  "force takes the lease, whatever is stored, held or failed": (subject) =>
    Effect.gen(function* () {
      const { acquire, arbiter, commit, set, text, win } = yield* arbitrated(subject)
      const known = yield* set("k", "kept")
      const held = yield* win("k", { known })
      const forced = yield* win("k", { force: true })
      assert.ok(forced > held, `${forced} after ${held}`)
      assert.equal(yield* commit("k", held, "held"), "Superseded")
      yield* arbiter.release("k", forced, 5000)
      assert.equal((yield* acquire("k", { known }))._tag, "Failed")
      assert.equal((yield* acquire("k", { force: true }))._tag, "Won")
      assert.equal(yield* text("k"), "kept")
    }),

  "a released lease can be won at once, and its token commits nothing": (subject) =>
    Effect.gen(function* () {
      const { arbiter, commit, text, win } = yield* arbitrated(subject)
      const first = yield* win("k")
      yield* arbiter.release("k", first, 0)
      assert.notEqual(yield* commit("k", first, "late"), "Stored")
      assert.equal(yield* arbiter.renew("k", first, leaseMillis), false)
      assert.ok((yield* win("k")) > first)
      assert.equal(yield* text("k"), undefined)
    }),

  "a failed lookup keeps other nodes from looking up for a while": (subject) =>
    Effect.gen(function* () {
      const { acquire, arbiter, win } = yield* arbitrated(subject)
      yield* arbiter.release("k", yield* win("k"), 1000)
      const failed = yield* acquire("k")
      assert.ok(failed._tag === "Failed", failed._tag)
      assert.ok(failed.leftMillis > 0 && failed.leftMillis <= 1000, String(failed.leftMillis))
      yield* subject.pass(1000)
      assert.equal((yield* acquire("k"))._tag, "Won")
    }),

  "law 7: despite a failed lookup one caller without a stale value may look up, and only one": (
    subject,
  ) =>
    Effect.gen(function* () {
      const { acquire, arbiter, commit, set, win } = yield* arbitrated(subject)
      yield* arbiter.release("k", yield* win("k"), 5000)
      const token = yield* win("k", { despiteFailure: true })
      const second = yield* acquire("k", { despiteFailure: true })
      assert.equal(second._tag, "Busy")
      assert.equal(yield* commit("k", token, "looked up"), "Stored")
      assert.equal((yield* acquire("k", { despiteFailure: true }))._tag, "Newer")

      const known = yield* set("kept", "kept")
      yield* arbiter.release("kept", yield* win("kept", { known }), 5000)
      assert.equal((yield* acquire("kept", { known }))._tag, "Failed")
      assert.equal((yield* acquire("kept", { despiteFailure: true }))._tag, "Newer")
      assert.equal((yield* acquire("kept", { known, despiteFailure: true }))._tag, "Won")
    }),
})

const commits = checksThat("arbiter")({
  "law 11: a value looked up before a change is not stored after it": (subject) =>
    Effect.gen(function* () {
      const own = yield* arbitrated(subject)
      const { arbiter, commit, set, text, win } = own
      for (const [name, change] of changes(own)) {
        const token = yield* win(name)
        yield* change(name)
        assert.equal(yield* arbiter.renew(name, token, leaseMillis), false, name)
        assert.notEqual(yield* commit(name, token, "old"), "Stored", name)
        const next = yield* win(name, { force: true })
        assert.ok(next > token, `${name}: ${next} after ${token}`)
        assert.notEqual(yield* commit(name, token, "old"), "Stored", name)
        assert.notEqual(yield* text(name), "old")

        const present = `${name} of what is there`
        const known = yield* set(present, "kept")
        const late = yield* win(present, { known })
        yield* change(present)
        assert.notEqual(yield* commit(present, late, "old"), "Stored", present)
        assert.notEqual(yield* text(present), "old")
      }
    }),

  "commit stores an envelope once, under the token, whatever version it carries": (subject) =>
    Effect.gen(function* () {
      const { arbiter, commit, text, time, version, win } = yield* arbitrated(subject)
      const token = yield* win("k")
      const bytes = envelope("kept", yield* time, { version: 9_000_000_000_000_000 })
      const { decision } = yield* arbiter.commit("k", token, bytes, lifeMillis)
      assert.equal(decision, "Stored")
      assert.equal(yield* version("k"), token)
      assert.equal(yield* commit("k", token, "again"), "Superseded")
      assert.equal(yield* text("k"), "kept")
    }),

  "commit without a record of the lease stores nothing": (subject) =>
    Effect.gen(function* () {
      const { commit, text, time } = yield* arbitrated(subject)
      const now = yield* time
      for (const token of [5, now * 1000, (now + 60_000) * 1000]) {
        assert.equal(yield* commit("k", token, "never looked up"), "Lost")
        assert.equal(yield* text("k"), undefined)
      }
    }),

  "law 13: a committed value without a life removes the previous one": (subject) =>
    Effect.gen(function* () {
      const { commit, set, text, win } = yield* arbitrated(subject)
      const known = yield* set("k", "old")
      assert.equal(yield* commit("k", yield* win("k", { known }), "new", 0), "Stored")
      assertNoValue(yield* text("k"))
    }),

  "bytes that are not an envelope are rejected with the operation's name": (subject) =>
    Effect.gen(function* () {
      const { arbiter, text, win } = yield* arbitrated(subject)
      const garbage = new Uint8Array([1, 2, 3])
      const errors = [
        yield* Effect.flip(arbiter.commit("k", yield* win("k"), garbage, lifeMillis)),
        yield* Effect.flip(arbiter.write("k", { _tag: "Set", envelope: garbage, lifeMillis }, 0)),
      ]
      const { name } = byteTier(subject)
      assert.deepEqual(
        errors.map(({ operation, tier }) => [tier, operation]),
        [
          [name, "commit"],
          [name, "write"],
        ],
      )
      assert.equal(yield* text("k"), undefined)
    }),
})

const writes = checksThat("arbiter")({
  "law 20: the version of a change is above all stored, leased and known numbers": (subject) =>
    Effect.gen(function* () {
      const { put, set, text, time, version, win } = yield* arbitrated(subject)
      const ahead = ((yield* time) + 3_600_000) * 1000
      assert.equal(yield* put("k", "ahead", ahead), true)
      const stored = yield* set("k", "set")
      assert.ok(stored > ahead, `${stored} over ${ahead}`)
      const token = yield* win("k", { known: ahead + 1000 })
      const held = yield* set("k", "set over a lease")
      assert.ok(held > token, `${held} over the token ${token}`)
      assert.equal(yield* set("k", "known", held + 1000), held + 1001)
      assert.equal(yield* version("k"), held + 1001)
      assert.equal(yield* text("k"), "known")
    }),

  "a version at the highest number does not stop writes": (subject) =>
    Effect.gen(function* () {
      const { put, set, text } = yield* arbitrated(subject)
      assert.equal(yield* put("k", "damaged", Number.MAX_SAFE_INTEGER), false)
      const version = yield* set("k", "kept", Number.MAX_SAFE_INTEGER)
      assert.ok(version < Number.MAX_SAFE_INTEGER)
      assert.equal(yield* text("k"), "kept")
    }),

  "numbers without room above them count as 0": (subject) =>
    Effect.gen(function* () {
      const { acquire, arbiter, commit, put, set, text, win } = yield* arbitrated(subject)
      for (const end of [1, 2, 3].map((left) => 2 ** 53 - left)) {
        const key = `of ${end}`
        assert.equal(yield* put(key, "damaged", end), false)
        assert.equal(yield* text(key), undefined)
        const token = yield* win(key, { known: end })
        assert.ok(token < end - 1_000_000, `the token ${token}`)
        assert.equal((yield* acquire(key, { known: end }))._tag, "Busy")
        assert.equal(yield* commit(key, token, "looked up"), "Stored")
        assert.equal((yield* acquire(key, { known: end }))._tag, "Newer")
        const version = yield* set(key, "set", end)
        assert.ok(token < version && version < end - 1_000_000, `the version ${version}`)
        assert.ok((yield* set(key, "again")) > version)
        const first = yield* arbiter.mark(["t"], true, end)
        assert.ok(first.number < end - 1_000_000, `the mark ${first.number}`)
        const second = yield* arbiter.mark(["t"], true, end)
        assert.ok(second.number > first.number, `${second.number} after ${first.number}`)
        assert.ok(second.marks.some(({ number }) => number === second.number))
        assert.ok((yield* arbiter.marks(end)).marks.length > 0)
      }
    }),

  "the highest number that a caller may send does not break the arbiter": (subject) =>
    Effect.gen(function* () {
      const { acquire, arbiter, commit, put, set, text, win } = yield* arbitrated(subject)
      const highest = Arbitration.highestBrought
      const token = yield* win("k", { known: highest })
      assert.equal(token, highest + 1)
      assert.equal((yield* acquire("k", { known: highest }))._tag, "Busy")
      const forced = yield* win("k", { known: highest, force: true })
      assert.equal(forced, token + 1)
      assert.equal(yield* commit("k", forced, "looked up"), "Stored")
      const version = yield* set("k", "set", highest)
      assert.equal(version, forced + 1)
      const next = yield* win("k", { known: version })
      assert.equal(next, version + 1)
      assert.equal(yield* commit("k", next, "later"), "Stored")
      assert.equal(yield* text("k"), "later")
      const above = highest + 1
      assert.equal(yield* put("l", "damaged", above), false)
      assert.ok((yield* win("l", { known: above })) < highest)
      assert.ok((yield* set("l", "set", above)) < highest)
      assert.ok((yield* arbiter.mark(["t"], true, above)).number < highest)
      assert.ok((yield* arbiter.marks(above)).marks.length > 0)
    }),

  "law 20: a change that its caller has given up does not win over a later one": (subject) =>
    Effect.gen(function* () {
      const own = yield* arbitrated(subject)
      for (const [name, change] of changes(own)) {
        const key = `given up: ${name}`
        yield* own.set(key, "older")
        const given = yield* Effect.forkChild(change(key))
        yield* Effect.yieldNow
        yield* Fiber.interrupt(given)
        const version = yield* own.set(key, "newer")
        yield* subject.pass(1_000)
        assert.equal(yield* own.text(key), "newer", name)
        assert.equal(yield* own.version(key), version, name)
      }
    }),

  "law 12: a delayed write does not bring a removed value back": (subject) =>
    Effect.gen(function* () {
      const { put, remove, set, text } = yield* arbitrated(subject)
      const version = yield* set("k", "removed")
      const removed = yield* remove("k")
      assert.ok(removed > version)
      assertNoValue(yield* text("k"))
      assert.equal(yield* put("k", "delayed", version), false)
      assert.equal(yield* put("k", "delayed", removed), false)
      assertNoValue(yield* text("k"))
      assert.equal(yield* put("k", "later", removed + 1), true)
    }),

  "expire keeps the value for error grace, and the end of its life": (subject) =>
    Effect.gen(function* () {
      const { expire, first, set, time } = yield* arbitrated(subject)
      yield* set("k", "kept")
      const before = Envelope.parse((yield* first("k"))!)
      const version = yield* expire("k")
      const now = yield* time
      const after = Envelope.parse((yield* first("k"))!)
      assert.ok(before._tag === "Value" && after._tag === "Value")
      assert.equal(after.version, version)
      assert.equal(after.staleUntil, before.staleUntil)
      assert.ok(after.freshUntil <= now && after.revalidateUntil <= now, "fresh no longer")
      assert.deepEqual(
        { ...after, version: 0, freshUntil: 0, revalidateUntil: 0 },
        { ...before, version: 0, freshUntil: 0, revalidateUntil: 0 },
      )
    }),

  "expire never lengthens a life": (subject) =>
    Effect.gen(function* () {
      const { arbiter, expire, text, time } = yield* arbitrated(subject)
      const bytes = envelope("short", yield* time, { freshFor: 500, staleFor: 1000 })
      yield* arbiter.write("k", { _tag: "Set", envelope: bytes, lifeMillis: 1000 }, 0)
      yield* expire("k")
      yield* subject.pass(1000)
      assertNoValue(yield* text("k"))
      yield* expire("k")
      assertNoValue(yield* text("k"))
    }),

  "expire of an entry past its life removes it, and of an absent key stores nothing": (subject) =>
    Effect.gen(function* () {
      const { arbiter, expire, text, time } = yield* arbitrated(subject)
      const bytes = envelope("over", yield* time, { freshFor: 0, staleFor: 0 })
      yield* arbiter.write("k", { _tag: "Set", envelope: bytes, lifeMillis }, 0)
      yield* expire("k")
      assertNoValue(yield* text("k"))
      yield* expire("nothing")
      assertNoValue(yield* text("nothing"))
    }),

  "a change ends any lease and failure: a reader after it can win at once": (subject) =>
    Effect.gen(function* () {
      const own = yield* arbitrated(subject)
      const { acquire, arbiter, win } = own
      for (const [name, change] of changes(own)) {
        yield* win(name)
        const held = yield* change(name)
        assert.equal((yield* acquire(name, { known: held }))._tag, "Won", name)
        const failing = `${name} after a failure`
        yield* arbiter.release(failing, yield* win(failing), 10_000)
        const failed = yield* change(failing)
        assert.equal((yield* acquire(failing, { known: failed }))._tag, "Won", failing)
      }
    }),

  "a delayed value from before a lease or an expiry is not stored": (subject) =>
    Effect.gen(function* () {
      const { expire, put, text, win } = yield* arbitrated(subject)
      const token = yield* win("k")
      assert.equal(yield* put("k", "delayed", token - 1), false)
      assert.equal(yield* put("k", "the holder's own, replayed", token), true)
      const version = yield* expire("l")
      assert.equal(yield* put("l", "delayed", version - 1), false)
      assert.equal(yield* put("l", "delayed", version), false)
      assert.equal(yield* text("l"), undefined)
    }),

  "a dropped version is not issued again": (subject) =>
    Effect.gen(function* () {
      const { put, set, store, time } = yield* arbitrated(subject)
      const ahead = ((yield* time) + 30_000) * 1000
      yield* put("k", "ahead", ahead)
      yield* store.drop("k", ahead)
      assert.ok((yield* set("k", "next")) > ahead)
    }),
})

/** The changes that can arrive late, each at a place in the order. */
const delayedChanges = ({ removeAt, setAt }: Arbitrated) => [
  ["set", (key: string, at: number) => setAt(key, "delayed", at)] as const,
  ["remove", removeAt] as const,
]

const delayed = checksThat("arbiter")({
  "law 20: a delayed change takes its place in the order: it replaces older entries, at its version":
    (subject) =>
      Effect.gen(function* () {
        const own = yield* arbitrated(subject)
        const { set, setAt, text, time, removeAt, version } = own
        const older = yield* set("set", "older")
        assert.equal(yield* setAt("set", "delayed", older + 1), older + 1)
        assert.equal(yield* text("set"), "delayed")
        assert.equal(yield* version("set"), older + 1)
        const removed = yield* set("remove", "older")
        assert.equal(yield* removeAt("remove", removed + 1), removed + 1)
        assertNoValue(yield* text("remove"))
        const now = (yield* time) * 1000
        assert.equal(yield* setAt("nothing", "delayed", now), now)
        assert.equal(yield* text("nothing"), "delayed")
      }),

  "law 13: a delayed change leaves a newer entry, and returns its version": (subject) =>
    Effect.gen(function* () {
      const own = yield* arbitrated(subject)
      const { set, text, version } = own
      for (const [name, change] of delayedChanges(own)) {
        const newer = yield* set(name, "newer")
        assert.equal(yield* change(name, newer - 1), newer, name)
        assert.equal(yield* change(name, newer), newer, `${name} at the same place`)
        assert.equal(yield* text(name), "newer")
        assert.equal(yield* version(name), newer)
      }
    }),

  "law 13: a delayed change replaces an older value that was expired after it, and is not fresh": (
    subject,
  ) =>
    Effect.gen(function* () {
      const own = yield* arbitrated(subject)
      const { expire, first, set, text, time } = own
      for (const [name, change] of delayedChanges(own)) {
        const at = (yield* set(name, "older")) + 1
        const expired = yield* expire(name)
        assert.equal(yield* change(name, at), expired + 1, name)
        if (name === "remove") {
          assertNoValue(yield* text(name))
          continue
        }
        const found = Envelope.parse((yield* first(name))!)
        const now = yield* time
        assert.equal(yield* text(name), "delayed")
        assert.ok(found._tag === "Value" && found.version === expired + 1)
        assert.ok(found.freshUntil <= now && found.revalidateUntil <= now && found.staleUntil > now)
      }
    }),

  "law 13: a delayed change leaves a newer value that was expired": (subject) =>
    Effect.gen(function* () {
      const own = yield* arbitrated(subject)
      const { expire, set, text, time } = own
      for (const [name, change] of delayedChanges(own)) {
        const at = (yield* time) * 1000 - 1
        yield* set(name, "newer")
        const expired = yield* expire(name)
        assert.equal(yield* change(name, at), expired, name)
        assert.equal(yield* text(name), "newer")
      }
    }),

  "law 12: a delayed set does not bring back a key that was removed after it": (subject) =>
    Effect.gen(function* () {
      const { remove, set, setAt, text } = yield* arbitrated(subject)
      const before = yield* set("k", "older")
      const removed = yield* remove("k")
      assert.equal(yield* setAt("k", "delayed", before + 1), removed)
      assertNoValue(yield* text("k"))
    }),

  "law 11: a delayed set from before an expire that met no value is not fresh": (subject) =>
    Effect.gen(function* () {
      const { expire, first, setAt, text, time } = yield* arbitrated(subject)
      const at = yield* expire("k")
      assert.equal(yield* setAt("k", "delayed", at - 1), at - 1)
      assert.equal(yield* text("k"), "delayed")
      const found = Envelope.parse((yield* first("k"))!)
      const now = yield* time
      assert.ok(found._tag === "Value" && found.freshUntil <= now && found.revalidateUntil <= now)
      assert.ok(found.staleUntil > now, "it is kept for error grace")
      yield* setAt("k", "set later", at + 1)
      const later = Envelope.parse((yield* first("k"))!)
      assert.ok(later._tag === "Value" && later.freshUntil > now)
    }),

  "law 12: a delayed write does not bring back a value that a delayed removal removed": (subject) =>
    Effect.gen(function* () {
      const { put, removeAt, text, time } = yield* arbitrated(subject)
      const at = (yield* time) * 1000
      yield* removeAt("k", at)
      assert.equal(yield* put("k", "delayed", at), false)
      assertNoValue(yield* text("k"))
      assert.equal(yield* put("k", "later", at + 1), true)
    }),

  "law 11: a delayed change ends the lease of a lookup that began before it": (subject) =>
    Effect.gen(function* () {
      const own = yield* arbitrated(subject)
      const { acquire, arbiter, commit, text, win } = own
      for (const [name, change] of delayedChanges(own)) {
        for (const ahead of [0, 1]) {
          const key = `${name} ${ahead} above the token`
          const token = yield* win(key)
          yield* change(key, token + ahead)
          assert.equal(yield* arbiter.renew(key, token, leaseMillis), false, key)
          assert.notEqual(yield* commit(key, token, "old"), "Stored", key)
          assert.notEqual(yield* text(key), "old")
          assert.equal((yield* acquire(key, { known: token + ahead }))._tag, "Won", key)
        }
      }
    }),

  "a delayed change leaves a lookup that began after it: the lookup keeps its lease, and commits": (
    subject,
  ) =>
    Effect.gen(function* () {
      const own = yield* arbitrated(subject)
      const { acquire, arbiter, commit, text, win } = own
      for (const [name, change] of delayedChanges(own)) {
        const token = yield* win(name)
        assert.equal(yield* change(name, token - 1), token - 1)
        assert.equal((yield* acquire(name, { known: token - 1 }))._tag, "Busy", name)
        assert.equal(yield* arbiter.renew(name, token, leaseMillis), true, name)
        assert.equal(yield* commit(name, token, "looked up later"), "Stored", name)
        assert.equal(yield* text(name), "looked up later")
      }
    }),

  "numbers rise above a delayed change": (subject) =>
    Effect.gen(function* () {
      const own = yield* arbitrated(subject)
      const { set, time, win } = own
      const ahead = ((yield* time) + 3_600_000) * 1000
      for (const [name, change] of delayedChanges(own)) {
        assert.equal(yield* change(name, ahead), ahead)
        assert.ok((yield* win(name, { force: true })) > ahead, name)
        assert.ok((yield* set(name, "next")) > ahead, name)
      }
    }),

  "law 12: a value delayed for longer than tombstones are sure to be kept is not stored": (
    subject,
  ) =>
    Effect.gen(function* () {
      const { setAt, text, time } = yield* arbitrated(subject)
      const now = (yield* time) * 1000
      const { settleTime } = yield* limitsOf(subject)
      yield* setAt("young", "young", now - settleTime * 750)
      assert.equal(yield* text("young"), "young")
      yield* setAt("old", "old", now - settleTime * 1250)
      assertNoValue(yield* text("old"))
    }),

  "laws 10, 12: records outlive each change that may still come: for settleTime, tombstones for twice as long":
    (subject) =>
      Effect.gen(function* () {
        const { settleTime } = yield* limitsOf(subject)
        // Minutes on a server's clock; it waits only where they are seconds.
        if (!subject.isVirtual && settleTime > 2_000) return
        const { commit, remove, text, win } = yield* arbitrated(subject)
        const token = yield* win("late", { lease: settleTime / 4 })
        yield* remove("removed")
        yield* subject.pass(settleTime * 0.75)
        assert.equal(yield* commit("late", token, "late"), "Stored")
        yield* subject.pass(settleTime)
        assert.equal(yield* text("removed"), "[tombstone]")
      }),

  "law 13: a delayed value without a life removes older entries": (subject) =>
    Effect.gen(function* () {
      const { set, setAt, text } = yield* arbitrated(subject)
      const older = yield* set("k", "older")
      yield* setAt("k", "delayed", older + 1, 0)
      assertNoValue(yield* text("k"))
    }),

  "a delayed change at no usable number changes nothing": (subject) =>
    Effect.gen(function* () {
      const own = yield* arbitrated(subject)
      const { set, text, win } = own
      for (const [name, change] of delayedChanges(own)) {
        const version = yield* set(name, "kept")
        for (const at of [0, -1, Number.NaN, Number.MAX_SAFE_INTEGER, Infinity]) {
          assert.equal(yield* change(name, at), version, `${name} at ${at}`)
          assert.equal(yield* text(name), "kept")
        }
        assert.ok((yield* win(name, { force: true })) < Number.MAX_SAFE_INTEGER)
      }
    }),
})

export const arbiterChecks = [...leases, ...commits, ...writes, ...delayed]
