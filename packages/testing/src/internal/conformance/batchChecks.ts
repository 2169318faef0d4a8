/**
 * Checks for leases and commits of many keys at once. A tier without batches is asked key by key,
 * and must pass all of them.
 */
import type { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import { strict as assert } from "node:assert"
import {
  arbitrated,
  type Arbitrated,
  assertNoValue,
  checksThat,
  envelope,
  leaseMillis,
  lifeMillis,
  textOf,
} from "./subject.ts"

type Request = Partial<Tier.AcquireRequest> & { readonly key: string }

const acquireAll = (
  arbiter: Tier.Arbiter,
  requests: ReadonlyArray<Request>,
): Effect.Effect<ReadonlyArray<Tier.Acquired | undefined>, Tier.TierError> =>
  arbiter.acquireAll?.(requests.map((one) => ({ known: 0, leaseMillis, force: false, ...one }))) ??
  Effect.succeed([])

const commitAll = (
  { arbiter, time }: Arbitrated,
  commits: ReadonlyArray<
    readonly [key: string, token: number, text: string, life?: number | undefined]
  >,
): Effect.Effect<ReadonlyArray<Tier.Committed["decision"] | undefined>, Tier.TierError> =>
  Effect.flatMap(time, (now) =>
    arbiter.commitAll === undefined
      ? Effect.succeed([])
      : Effect.map(
          arbiter.commitAll(
            commits.map(([key, token, text, life = lifeMillis]) => ({
              key,
              token,
              envelope: envelope(text, now),
              lifeMillis: life,
            })),
          ),
          (answers) => answers.map((answer) => answer?.decision),
        ),
  )

const tags = (answers: ReadonlyArray<{ readonly _tag: string } | undefined>) =>
  answers.map((answer) => answer?._tag)

const keysOf = (count: number) => Array.from({ length: count }, (_, i) => `k${i}`)

/** Acquires the tokens of these keys one by one. */
const tokensOf = ({ win }: Arbitrated, keys: ReadonlyArray<string>) =>
  Effect.forEach(keys, (key) => win(key))

export const batchChecks = checksThat("arbiter")({
  "acquireAll returns for each key the answer of acquire, in the order of the requests": (
    subject,
  ) =>
    Effect.gen(function* () {
      const { arbiter, set, win } = yield* arbitrated(subject)
      if (arbiter.acquireAll === undefined) return
      const version = yield* set("newer", "kept")
      const known = yield* set("known", "kept")
      yield* win("busy")
      yield* win("forced")
      yield* arbiter.release("failed", yield* win("failed"), 5000)
      yield* arbiter.release("despite", yield* win("despite"), 5000)
      const requests = [
        { key: "free" },
        { key: "newer", known: version - 1 },
        { key: "busy" },
        { key: "known", known },
        { key: "failed" },
        { key: "forced", force: true },
        { key: "despite", despiteFailure: true },
        { key: "last" },
      ]
      const answers = yield* acquireAll(arbiter, requests)
      const expected = ["Won", "Newer", "Busy", "Won", "Failed", "Won", "Won", "Won"]
      assert.deepEqual(tags(answers), expected)
      const [, newer, busy, above] = answers
      assert.ok(newer?._tag === "Newer")
      assert.equal(textOf(newer.envelope), "kept")
      assert.ok(busy?._tag === "Busy" && busy.leftMillis > 0 && busy.leftMillis <= leaseMillis)
      assert.ok(above?._tag === "Won" && above.token > known)
    }),

  "law 7: acquireAll grants the lease of each key once, for its own time": (subject) =>
    Effect.gen(function* () {
      const { acquire, arbiter } = yield* arbitrated(subject)
      if (arbiter.acquireAll === undefined) return
      const keys = keysOf(1200)
      const requests = keys.map((key) => ({ key, leaseMillis: 1000 }))
      const [one, other] = yield* Effect.all(
        [acquireAll(arbiter, requests), acquireAll(arbiter, requests)],
        { concurrency: "unbounded" },
      )
      assert.equal(one.length, keys.length)
      for (const [i, key] of keys.entries()) {
        assert.deepEqual([one[i]?._tag, other[i]?._tag].toSorted(), ["Busy", "Won"], key)
      }
      assert.equal((yield* acquire("k7"))._tag, "Busy")
      yield* subject.pass(1000)
      assert.equal((yield* acquire("k7"))._tag, "Won")
    }),

  "leases of acquireAll are renewed, released and committed like any lease": (subject) =>
    Effect.gen(function* () {
      const { acquire, arbiter, commit, text } = yield* arbitrated(subject)
      if (arbiter.acquireAll === undefined) return
      const answers = yield* acquireAll(arbiter, [{ key: "a" }, { key: "b" }, { key: "c" }])
      const [a, b, c] = answers.map((answer) => (answer?._tag === "Won" ? answer.token : 0))
      assert.equal(yield* arbiter.renew("a", a!, leaseMillis), true)
      assert.equal(yield* commit("a", a!, "of a"), "Stored")
      assert.equal(yield* text("a"), "of a")
      yield* arbiter.release("b", b!, 0)
      assert.equal((yield* acquire("b"))._tag, "Won")
      assert.equal(yield* commit("c", a!, "late"), a === c ? "Stored" : "Superseded")
    }),

  "commitAll stores each key under its own token, and decides each for itself": (subject) =>
    Effect.gen(function* () {
      const own = yield* arbitrated(subject)
      const { acquire, arbiter, set, text, version } = own
      if (arbiter.commitAll === undefined) return
      const [first, changed, taken, last] = yield* tokensOf(own, ["a", "b", "c", "e"])
      const later = yield* set("b", "set meanwhile")
      yield* acquire("c", { force: true })
      const answers = yield* commitAll(own, [
        ["a", first!, "of a"],
        ["b", changed!, "late"],
        ["c", taken!, "late"],
        ["d", later, "without a lease"],
        ["e", last!, "of e"],
      ])
      assert.deepEqual(answers, ["Stored", "Superseded", "Superseded", "Lost", "Stored"])
      const texts = yield* Effect.forEach(["a", "b", "c", "d", "e"], text)
      assert.deepEqual(texts, ["of a", "set meanwhile", undefined, undefined, "of e"])
      assert.equal(yield* version("a"), first)
      assert.equal(yield* version("e"), last)
      // The commits above used up the leases.
      assert.deepEqual(yield* commitAll(own, [["a", first!, "again"]]), ["Superseded"])
      assert.equal((yield* acquire("a", { known: first! }))._tag, "Won")
    }),

  "commitAll stores very many keys, each for its own life": (subject) =>
    Effect.gen(function* () {
      const own = yield* arbitrated(subject)
      const { arbiter, store, text } = own
      if (arbiter.commitAll === undefined || arbiter.acquireAll === undefined) return
      const keys = keysOf(1200)
      const granted = yield* acquireAll(
        arbiter,
        keys.map((key) => ({ key })),
      )
      const answers = yield* commitAll(
        own,
        keys.map((key, i) => {
          const lease = granted[i]
          return [
            key,
            lease?._tag === "Won" ? lease.token : 0,
            `of ${key}`,
            i === 7 ? 1000 : undefined,
          ]
        }),
      )
      assert.deepEqual(
        answers,
        keys.map(() => "Stored"),
      )
      const found = yield* store.read(keys)
      assert.deepEqual(
        found.map(textOf),
        keys.map((key) => `of ${key}`),
      )
      yield* subject.pass(1000)
      assertNoValue(yield* text("k7"))
      assert.equal(yield* text("k8"), "of k8")
    }),

  "law 13: among many keys a value without a life removes the previous one": (subject) =>
    Effect.gen(function* () {
      const own = yield* arbitrated(subject)
      const { arbiter, set, text, win } = own
      if (arbiter.commitAll === undefined) return
      const known = yield* set("a", "previous")
      const a = yield* win("a", { known })
      const b = yield* win("b")
      const answers = yield* commitAll(own, [
        ["a", a, "nothing", 0],
        ["b", b, "of b"],
      ])
      assert.deepEqual(answers, ["Stored", "Stored"])
      assertNoValue(yield* text("a"))
      assert.equal(yield* text("b"), "of b")
    }),

  "commitAll does not store bytes that are not an envelope": (subject) =>
    Effect.gen(function* () {
      const own = yield* arbitrated(subject)
      const { arbiter, set, text, time, win } = own
      if (arbiter.commitAll === undefined) return
      const known = yield* set("a", "previous")
      const tokens = [yield* win("a", { known }), yield* win("b")]
      const now = yield* time
      const bytes = [new Uint8Array([1, 2, 3]), envelope("of b", now)]
      const commits = ["a", "b"].map((key, i) => ({
        key,
        token: tokens[i]!,
        envelope: bytes[i]!,
        lifeMillis,
      }))
      const answers = yield* Effect.orElseSucceed(arbiter.commitAll(commits), () => [])
      assert.equal(answers[0], undefined)
      assert.equal(yield* text("a"), "previous")
      if (answers[1]?.decision === "Stored") assert.equal(yield* text("b"), "of b")
    }),
})
