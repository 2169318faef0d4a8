/** Checks for every store of outboxes: order, bound, claims, retries, dead letters, merges. */
import type { OutboxRow, OutboxStore } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { strict as assert } from "node:assert"
import { freshName } from "./subject.ts"

/**
 * The input of a check: a store of outboxes, and how its time passes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject {
  /** The store, as its layer built it. */
  readonly store: OutboxStore.OutboxStore["Service"]
  /** Lets this much time (ms) pass on the store's clock. */
  readonly pass: (millis: number) => Effect.Effect<void>
  /** How often a check repeats its random steps: fewer where each is a trip to a server. */
  readonly rounds: number
}

/**
 * One rule of the contract, as a test.
 *
 * @category models
 * @since 0.1.0
 */
export interface Check {
  /** The rule, as the name of a test. */
  readonly name: string
  /** Fails, or dies with an `AssertionError`, when the store breaks the rule in the name. */
  readonly run: (subject: Subject) => Effect.Effect<void, unknown, Scope.Scope>
}

type Store = OutboxStore.Store

/** Locks of checks that do not wait for their end; those that do, wait for `shortMillis`. */
const lockMillis = 60_000
const shortMillis = 200

const opened = ({ store }: Subject, options: Partial<OutboxStore.OpenOptions> = {}) =>
  Effect.flatMap(freshName("outbox"), (outbox) =>
    store.open({ outbox, maxPending: 1_000, merges: false, ...options }),
  )

const write = (
  key: string,
  version: number,
  payload: string | undefined = `${key}${version}`,
  merged: ReadonlyArray<number> = [],
): OutboxRow.Offer => ({ key, version, payload, merged })

const answersTo = (store: Store, ...offers: ReadonlyArray<OutboxRow.Offer>) =>
  Effect.map(store.offer(offers), (answers) => answers.map(({ _tag }) => _tag))

const accepted = (store: Store, ...offers: ReadonlyArray<OutboxRow.Offer>) =>
  Effect.map(answersTo(store, ...offers), (answers) =>
    assert.deepEqual(new Set(answers), new Set(["Accepted"])),
  )

const claimed = (store: Store, options: Partial<OutboxStore.ClaimRequest> = {}) =>
  Effect.map(
    store.claim({ max: 100, lockMillis, minCount: 1, minAgeMillis: 0, ...options }),
    ({ writes }) => writes,
  )

const versions = (writes: ReadonlyArray<OutboxStore.Claimed>) =>
  writes.map(({ key, version }) => `${key}${version}`)

const rowOf = (store: Store, key: string) => Effect.map(store.rows([key]), (rows) => rows.get(key))

const depthOf = (store: Store) =>
  Effect.map(store.depth, ({ dead, inFlight, waiting }) => ({ waiting, inFlight, dead }))

const check = (
  name: string,
  run: (subject: Subject) => Effect.Effect<void, unknown, Scope.Scope>,
): Check => ({ name, run })

const offering: ReadonlyArray<Check> = [
  check("keeps the newest write of each key, with its payload as it is", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      const text = 'a "quoted" text,\nwith \\, 0, é and 😀'
      yield* accepted(store, write("milk", 1), write(text, 7, text))
      yield* accepted(store, write("milk", 2))
      assert.equal((yield* rowOf(store, "milk"))?.waiting?.payload, "milk2")
      assert.equal((yield* rowOf(store, text))?.waiting?.payload, text)
      assert.deepEqual(yield* depthOf(store), { waiting: 2, inFlight: 0, dead: 0 })
      assert.equal(yield* rowOf(store, "bread"), undefined)
    }),
  ),
  check("a write that came late is no newer: versions decide", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      yield* accepted(store, write("milk", 2))
      assert.deepEqual(yield* answersTo(store, write("milk", 1), write("milk", 2)), [
        "Superseded",
        "Superseded",
      ])
      assert.deepEqual(versions(yield* claimed(store)), ["milk2"])
      assert.deepEqual(yield* answersTo(store, write("milk", 1)), ["Superseded"])
      assert.deepEqual(yield* depthOf(store), { waiting: 0, inFlight: 1, dead: 0 })
    }),
  ),
  check("versions are exact up to 2^53 - 1", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      const highest = Number.MAX_SAFE_INTEGER
      yield* accepted(store, write("milk", highest - 1))
      yield* accepted(store, write("milk", highest, "last"))
      const [one] = yield* claimed(store)
      assert.equal(one?.version, highest)
      assert.equal(one?.payload, "last")
    }),
  ),
  check("a removal is a write like any other, and the empty text is not a removal", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      yield* accepted(store, write("milk", 1), { ...write("milk2", 1), payload: "" })
      yield* accepted(store, { ...write("milk", 2), payload: undefined })
      const writes = yield* claimed(store)
      const payloads = new Map(writes.map(({ key, payload }) => [key, payload]))
      assert.deepEqual(
        payloads,
        new Map([
          ["milk", undefined],
          ["milk2", ""],
        ]),
      )
    }),
  ),
  check("ten writes of a key are one to flush", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      for (let version = 1; version <= 10; version += 1)
        yield* accepted(store, write("milk", version))
      assert.deepEqual(versions(yield* claimed(store)), ["milk10"])
      assert.deepEqual(versions(yield* claimed(store)), [])
    }),
  ),
  check("takes no more keys than it may have, and drops none", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject, { maxPending: 3 })
      yield* accepted(store, write("a", 1), write("b", 1))
      assert.deepEqual(yield* answersTo(store, write("c", 1), write("d", 1), write("a", 2)), [
        "Accepted",
        "Full",
        "Accepted",
      ])
      assert.deepEqual(yield* depthOf(store), { waiting: 3, inFlight: 0, dead: 0 })
      const [first, ...others] = yield* claimed(store)
      // A key in flight keeps its place, also with a newer write behind it.
      assert.deepEqual(yield* answersTo(store, write("d", 1), write(first!.key, 9)), [
        "Full",
        "Accepted",
      ])
      yield* store.done([first!])
      assert.deepEqual(yield* answersTo(store, write("d", 1)), ["Full"])
      yield* store.done(others)
      yield* accepted(store, write("d", 1), write("e", 1))
      assert.deepEqual(yield* answersTo(store, write("f", 1)), ["Full"])
    }),
  ),
  check("a dead letter keeps its place until it is discarded", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject, { maxPending: 1 })
      yield* accepted(store, write("a", 1))
      const [one] = yield* claimed(store)
      assert.ok(yield* store.bury(one!, { why: "too long" }))
      assert.deepEqual(yield* answersTo(store, write("b", 1)), ["Full"])
      assert.ok(yield* store.discard("a"))
      assert.ok(!(yield* store.discard("a")))
      yield* accepted(store, write("b", 1))
    }),
  ),
  check("outboxes of one name share their writes, others do not", (subject) =>
    Effect.gen(function* () {
      const outbox = yield* freshName("outbox")
      const options = { maxPending: 1, merges: false }
      const one = yield* subject.store.open({ ...options, outbox })
      const same = yield* subject.store.open({ ...options, outbox })
      const other = yield* subject.store.open({ ...options, outbox: `${outbox}2` })
      yield* accepted(one, write("a", 1))
      assert.equal((yield* rowOf(same, "a"))?.waiting?.version, 1)
      assert.equal(yield* rowOf(other, "a"), undefined)
      assert.deepEqual(yield* answersTo(same, write("b", 1)), ["Full"])
      yield* accepted(other, write("b", 1))
      assert.deepEqual(versions(yield* claimed(other)), ["b1"])
      assert.deepEqual(versions(yield* claimed(same)), ["a1"])
    }),
  ),
  check("takes and gives many keys at once", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      const keys = Array.from({ length: 600 }, (_, i) => `k${i}`)
      yield* accepted(store, ...keys.map((key) => write(key, 1)))
      assert.equal((yield* store.rows(keys)).size, 600)
      const writes = yield* claimed(store, { max: 600 })
      assert.deepEqual(new Set(writes.map(({ key }) => key)), new Set(keys))
      yield* store.done(writes)
      assert.deepEqual(yield* depthOf(store), { waiting: 0, inFlight: 0, dead: 0 })
      assert.deepEqual(yield* store.offer([]), [])
    }),
  ),
]

const claiming: ReadonlyArray<Check> = [
  check("gives those that have waited longest first, by their first write", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      for (const key of ["c", "a", "b"]) {
        yield* accepted(store, write(key, 1))
        yield* subject.pass(5)
      }
      yield* accepted(store, write("c", 2))
      assert.deepEqual(versions(yield* claimed(store, { max: 2 })), ["c2", "a1"])
      assert.deepEqual(versions(yield* claimed(store, { max: 2 })), ["b1"])
    }),
  ),
  check("nobody else claims what is claimed, nor a newer write of its key", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      yield* accepted(store, write("milk", 1))
      const [one] = yield* claimed(store)
      assert.equal(one?.attempts, 1)
      assert.deepEqual(yield* claimed(store), [])
      yield* accepted(store, write("milk", 2))
      assert.deepEqual(yield* claimed(store), [])
      const row = yield* rowOf(store, "milk")
      assert.deepEqual([row?.inFlight?.version, row?.waiting?.version], [1, 2])
      yield* store.done([one!])
      assert.deepEqual(versions(yield* claimed(store)), ["milk2"])
    }),
  ),
  check("claims of flushers at the same time share no key", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
      yield* accepted(store, ...keys.map((key) => write(key, 1)))
      const all = yield* Effect.all(
        Array.from({ length: 8 }, () => claimed(store, { max: 10 })),
        { concurrency: "unbounded" },
      )
      const got = all.flat().map(({ key }) => key)
      assert.equal(new Set(got).size, got.length)
      const rest = yield* claimed(store)
      assert.deepEqual(new Set([...got, ...rest.map(({ key }) => key)]), new Set(keys))
      assert.equal(
        new Set(all.flat().map(({ claim }) => claim)).size,
        all.filter((c) => c.length > 0).length,
      )
    }),
  ),
  check("claims nothing before a write is old enough or there are enough of them", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      const request = { max: 10, lockMillis, minCount: 3, minAgeMillis: 400 }
      assert.deepEqual(yield* store.claim(request), { writes: [], nextMillis: undefined })
      yield* accepted(store, write("a", 1), write("b", 1))
      const early = yield* store.claim(request)
      assert.deepEqual(early.writes, [])
      assert.ok(early.nextMillis! > 0 && early.nextMillis! <= 400, String(early.nextMillis))
      yield* accepted(store, write("c", 1))
      assert.equal((yield* store.claim(request)).writes.length, 3)
      yield* accepted(store, write("d", 1))
      yield* subject.pass(400)
      assert.deepEqual(versions((yield* store.claim(request)).writes), ["d1"])
    }),
  ),
  check("a lock that lapsed passes the write on, and the first flusher has lost it", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      yield* accepted(store, write("milk", 1))
      const [late] = yield* claimed(store, { lockMillis: shortMillis })
      const { nextMillis } = yield* store.claim({
        max: 1,
        lockMillis,
        minCount: 1,
        minAgeMillis: 0,
      })
      assert.ok(nextMillis! > 0 && nextMillis! <= shortMillis, String(nextMillis))
      yield* subject.pass(shortMillis)
      const [second] = yield* claimed(store)
      assert.deepEqual([second?.version, second?.attempts], [1, 2])
      assert.notEqual(second?.claim, late?.claim)
      assert.equal(yield* store.renew([late!], lockMillis), 0)
      yield* store.done([late!])
      yield* store.retry([late!], 0)
      assert.ok(!(yield* store.bury(late!, { why: "late" })))
      assert.deepEqual(yield* depthOf(store), { waiting: 0, inFlight: 1, dead: 0 })
      assert.deepEqual(yield* claimed(store), [])
      yield* store.done([second!])
      assert.deepEqual(yield* depthOf(store), { waiting: 0, inFlight: 0, dead: 0 })
    }),
  ),
  check("a lapsed write gives way to a newer one that waits", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      yield* accepted(store, write("milk", 1))
      const late = yield* claimed(store, { lockMillis: shortMillis })
      yield* accepted(store, write("milk", 2))
      yield* subject.pass(shortMillis)
      const [second] = yield* claimed(store)
      assert.deepEqual([second?.version, second?.payload, second?.attempts], [2, "milk2", 1])
      // The newer write does not go with the older one's acknowledgement.
      yield* store.done(late)
      assert.equal((yield* rowOf(store, "milk"))?.inFlight?.version, 2)
    }),
  ),
  check("a renewed lock does not lapse", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      yield* accepted(store, write("milk", 1))
      const writes = yield* claimed(store, { lockMillis: shortMillis })
      assert.equal(yield* store.renew(writes, lockMillis), 1)
      yield* subject.pass(shortMillis * 2)
      assert.deepEqual(yield* claimed(store), [])
    }),
  ),
]

const failing: ReadonlyArray<Check> = [
  check(
    "a write rests after a failure, then comes again before the newer one of its key",
    (subject) =>
      Effect.gen(function* () {
        const store = yield* opened(subject)
        yield* accepted(store, write("milk", 1))
        yield* store.retry(yield* claimed(store), shortMillis)
        assert.deepEqual(yield* claimed(store), [])
        yield* accepted(store, write("bread", 1))
        assert.deepEqual(versions(yield* claimed(store)), ["bread1"])
        yield* subject.pass(shortMillis)
        const [again] = yield* claimed(store, { minCount: 100, minAgeMillis: 1_000_000 })
        assert.deepEqual([again?.key, again?.version, again?.attempts], ["milk", 1, 2])
      }),
  ),
  check("a newer write takes the place of one that rests, after its rest", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      yield* accepted(store, write("milk", 1))
      yield* store.retry(yield* claimed(store), shortMillis)
      yield* accepted(store, write("milk", 2))
      assert.deepEqual(yield* answersTo(store, write("milk", 1)), ["Superseded"])
      assert.deepEqual(yield* claimed(store), [])
      yield* subject.pass(shortMillis)
      assert.deepEqual(versions(yield* claimed(store)), ["milk2"])
      assert.deepEqual(yield* claimed(store), [])
    }),
  ),
  check("a dead letter is no write any more, and says why", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      yield* accepted(store, write("milk", 1), write("bread", 3), write("salt", 1))
      const writes = yield* claimed(store)
      for (const each of writes.filter(({ key }) => key !== "salt")) {
        assert.ok(yield* store.bury(each, { why: `${each.key} is too long` }))
      }
      assert.deepEqual(yield* depthOf(store), { waiting: 0, inFlight: 1, dead: 2 })
      assert.deepEqual(yield* claimed(store), [])
      const first = yield* store.dead(undefined, 1)
      const rest = yield* store.dead(first[0]?.key, 10)
      const all = [...first, ...rest]
      assert.deepEqual(
        all.map(({ key, version, why }) => ({ key, version, why })),
        [
          { key: "bread", version: 3, why: "bread is too long" },
          { key: "milk", version: 1, why: "milk is too long" },
        ],
      )
      assert.equal((yield* rowOf(store, "milk"))?.dead?.payload, "milk1")
    }),
  ),
  check("a dead letter keeps its payload, also an empty one, which is no removal", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      yield* accepted(store, write("a", 1, ""), { ...write("b", 1), payload: undefined })
      for (const each of yield* claimed(store)) yield* store.bury(each, { why: "damaged" })
      const dead = yield* store.dead(undefined, 10)
      assert.deepEqual(
        dead.map(({ key, payload }) => [key, payload]),
        [
          ["a", ""],
          ["b", undefined],
        ],
      )
    }),
  ),
  check("a dead letter waits again once it is revived", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      yield* accepted(store, write("milk", 1))
      const [one] = yield* claimed(store)
      yield* store.bury(one!, { why: "too long" })
      assert.ok(yield* store.revive("milk"))
      assert.ok(!(yield* store.revive("milk")))
      assert.ok(!(yield* store.revive("bread")))
      const [again] = yield* claimed(store)
      assert.deepEqual([again?.version, again?.payload, again?.attempts], [1, "milk1", 1])
      assert.deepEqual(yield* depthOf(store), { waiting: 0, inFlight: 1, dead: 0 })
    }),
  ),
  check("a newer write takes the place of a dead letter", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      yield* accepted(store, write("milk", 2), write("bread", 1))
      const writes = yield* claimed(store)
      yield* accepted(store, write("bread", 2))
      for (const each of writes) yield* store.bury(each, { why: "too long" })
      // A newer one waited already: there is nothing to bury.
      assert.deepEqual(yield* depthOf(store), { waiting: 1, inFlight: 0, dead: 1 })
      assert.deepEqual(yield* answersTo(store, write("milk", 1)), ["Superseded"])
      yield* accepted(store, write("milk", 3))
      assert.deepEqual(yield* depthOf(store), { waiting: 2, inFlight: 0, dead: 0 })
      assert.ok(!(yield* store.revive("milk")))
      assert.deepEqual(new Set(versions(yield* claimed(store))), new Set(["milk3", "bread2"]))
    }),
  ),
  check("the depth says how old the oldest write is", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      assert.equal((yield* store.depth).oldestMillis, 0)
      yield* accepted(store, write("milk", 1))
      yield* subject.pass(50)
      yield* accepted(store, write("milk", 2), write("bread", 1))
      assert.ok((yield* store.depth).oldestMillis >= 50)
      const writes = yield* claimed(store)
      assert.ok((yield* store.depth).oldestMillis >= 50)
      yield* store.done(writes.filter(({ key }) => key === "milk"))
      yield* store.done(writes)
      assert.equal((yield* store.depth).oldestMillis, 0)
    }),
  ),
  check("tells of offers and revivals", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject)
      const heard: Array<number> = []
      yield* store.listen((waiting) => heard.push(waiting))
      const hears = (waiting: number) =>
        Effect.gen(function* () {
          for (let i = 0; i < 200 && !heard.includes(waiting); i += 1) yield* subject.pass(10)
          assert.ok(heard.includes(waiting), `${JSON.stringify(heard)} has no ${waiting}`)
          heard.length = 0
        })
      yield* accepted(store, write("milk", 1), write("bread", 1))
      yield* hears(2)
      const [one] = yield* claimed(store, { max: 1 })
      yield* store.bury(one!, { why: "too long" })
      yield* store.revive(one!.key)
      yield* hears(2)
    }),
  ),
]

const merging: ReadonlyArray<Check> = [
  check("an outbox that merges refuses a write that does not contain the waiting one", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject, { merges: true })
      yield* accepted(store, write("n", 1, "1"))
      const [answer] = yield* store.offer([write("n", 2, "1")])
      assert.ok(answer?._tag === "Unmerged")
      assert.deepEqual(
        answer.writes.map(({ payload, version }) => ({ version, payload })),
        [{ version: 1, payload: "1" }],
      )
      yield* accepted(store, write("n", 2, "2", [1]))
      // Also one with a lower version: its payload would be lost.
      assert.deepEqual(yield* answersTo(store, write("n", 1, "1")), ["Unmerged"])
      yield* accepted(store, write("n", 1, "3", [2]))
      const [one] = yield* claimed(store)
      assert.deepEqual([one?.version, one?.payload], [2, "3"])
    }),
  ),
  check("an outbox that merges tries a lapsed write again before the newer one", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject, { merges: true })
      yield* accepted(store, write("n", 5, "1"))
      yield* claimed(store, { lockMillis: shortMillis })
      yield* accepted(store, write("n", 3, "10"))
      yield* subject.pass(shortMillis)
      const [first] = yield* claimed(store)
      assert.deepEqual([first?.version, first?.payload, first?.attempts], [5, "1", 2])
      yield* store.done([first!])
      const [second] = yield* claimed(store)
      assert.deepEqual([second?.version, second?.payload], [6, "10"])
    }),
  ),
  check("an outbox that merges tries a failed write again before the newer one", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject, { merges: true })
      yield* accepted(store, write("n", 1, "1"))
      const failed = yield* claimed(store)
      yield* accepted(store, write("n", 2, "10"))
      yield* store.retry(failed, 0)
      const [first] = yield* claimed(store)
      assert.deepEqual([first?.version, first?.payload, first?.attempts], [1, "1", 2])
      yield* store.done([first!])
      assert.deepEqual(versions(yield* claimed(store)), ["n2"])
    }),
  ),
  check("an outbox that merges loses no dead letter", (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject, { merges: true })
      yield* accepted(store, write("n", 1, "1"))
      const [first] = yield* claimed(store)
      yield* accepted(store, write("n", 2, "10"))
      assert.ok(yield* store.bury(first!, { why: "down" }))
      const [second] = yield* claimed(store)
      assert.deepEqual([second?.version, second?.payload], [2, "10"])
      // The earlier dead letter is not in it.
      assert.ok(!(yield* store.bury(second!, { why: "down" })))
      const merged = { payload: "11", version: 1 }
      assert.ok(yield* store.bury(second!, { why: "still down", merged }))
      assert.deepEqual(yield* answersTo(store, write("n", 3, "100")), ["Unmerged"])
      yield* accepted(store, write("n", 3, "111", [2]))
      const [third] = yield* claimed(store)
      assert.deepEqual([third?.version, third?.payload], [3, "111"])
      assert.deepEqual(yield* depthOf(store), { waiting: 0, inFlight: 1, dead: 0 })
    }),
  ),
]

/** Writes of one key, flushed by two flushers that fail, lapse and are late, in any order. */
const random = check(
  "in any order of steps, versions of a key are claimed in order, the last one last",
  (subject) =>
    Effect.gen(function* () {
      const { rounds } = subject
      for (let round = 0; round < rounds; round += 1) {
        const store = yield* opened(subject, { maxPending: 2 })
        const held: Array<OutboxStore.Claimed> = []
        const written = new Map<string, number>()
        const offered = new Map<string, number>()
        const request = { max: 2, lockMillis: shortMillis, minCount: 1, minAgeMillis: 0 }
        const claim = Effect.map(store.claim(request), ({ writes }) => {
          for (const { key, version } of writes) {
            assert.ok(version >= (written.get(key) ?? 0), `${key}${version} came again`)
            written.set(key, version)
          }
          held.push(...writes)
        })
        for (let step = 0; step < 30; step += 1) {
          const key = (yield* Random.nextBoolean) ? "a" : "b"
          const pick = yield* Random.nextIntBetween(0, 6)
          const [one] =
            held.length === 0 ? [] : held.splice(yield* Random.nextIntBetween(0, held.length), 1)
          if (pick <= 1) {
            const version = (offered.get(key) ?? 0) + 1
            offered.set(key, version)
            assert.deepEqual(yield* answersTo(store, write(key, version)), ["Accepted"])
            if (one !== undefined) held.push(one)
          } else if (pick === 2) {
            if (one !== undefined) held.push(one)
            yield* claim
          } else if (pick === 3) {
            if (one !== undefined) yield* store.done([one])
          } else if (pick === 4) {
            if (one !== undefined) yield* store.retry([one], 0)
          } else if (rounds > 50) {
            if (one !== undefined) held.push(one)
            yield* subject.pass(shortMillis)
          }
        }
        for (let i = 0; i < 4; i += 1) {
          for (const one of held.splice(0)) yield* store.done([one])
          yield* subject.pass(shortMillis)
          yield* claim
        }
        for (const [key, version] of offered) assert.equal(written.get(key), version)
        assert.deepEqual(yield* depthOf(store), { waiting: 0, inFlight: 0, dead: 0 })
      }
    }),
)

/** Writers and flushers that do not wait for each other, on overlapping keys in different orders. */
const together = check(
  "writers and flushers at the same time lose nothing, and keep the order of each key",
  (subject) =>
    Effect.gen(function* () {
      const store = yield* opened(subject, { maxPending: 20 })
      const keys = Array.from({ length: 20 }, (_, i) => `k${i}`)
      const offered = new Map<string, number>()
      const written = new Map<string, number>()
      const held = new Set<string>()
      let last = 0
      let writing = 4
      const writer = Effect.gen(function* () {
        for (let i = 0; i < 10; i += 1) {
          const some = yield* Random.shuffle(keys)
          const offers = some.slice(0, 8).map((key) => write(key, (last += 1)))
          yield* store.offer(offers)
          for (const { key, version } of offers) {
            offered.set(key, Math.max(version, offered.get(key) ?? 0))
          }
        }
        writing -= 1
      })
      const flusher = Effect.gen(function* () {
        for (;;) {
          const writes = yield* claimed(store, { max: 7 })
          for (const { key, version } of writes) {
            assert.ok(!held.has(key), `${key} is claimed twice`)
            assert.ok(version >= (written.get(key) ?? 0), `${key}${version} came late`)
            held.add(key)
            written.set(key, version)
          }
          yield* Effect.yieldNow
          for (const { key } of writes) held.delete(key)
          const again = writes.filter(({ attempts }) => attempts === 1).slice(0, 1)
          if (writes.length > 0) {
            yield* store.renew(writes, lockMillis)
            yield* store.retry(again, 0)
            yield* store.done(writes.filter((each) => !again.includes(each)))
          } else if (writing === 0) {
            const { inFlight, waiting } = yield* store.depth
            if (inFlight + waiting === 0) return
          }
        }
      })
      yield* Effect.all([writer, writer, writer, writer, flusher, flusher, flusher], {
        concurrency: "unbounded",
      })
      assert.deepEqual(written, offered)
    }),
)

export const outboxChecks: ReadonlyArray<Check> = [
  ...offering,
  ...claiming,
  ...failing,
  ...merging,
  random,
  together,
]
