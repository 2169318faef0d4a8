/** Checks for the messages of tiers that notify, and for the versions that confirm entries after a gap. */
import { Envelope, Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import { strict as assert } from "node:assert"
import { arbitrated, arbitratedAs, checksThat, freshName, limitsOf } from "./subject.ts"

/**
 * The messages up to a change of the key `end`, so that the test need not wait to prove an absence.
 */
const heardUpToEnd = (queue: Queue.Dequeue<Tier.Message>) =>
  Effect.gen(function* () {
    const all: Array<Tier.Message> = []
    for (;;) {
      const message = yield* Queue.take(queue)
      all.push(message)
      if (message._tag === "Changed" && message.key === "end") return all
    }
  })

const shown = (message: Tier.Message): string => {
  if (message._tag === "Gap") return `gap ${message.reason}`
  if (message._tag === "Released") return `${message.key} released`
  return message._tag === "Changed"
    ? `${message.key} ${message.isRemoval ? "removed" : "has"} ${message.version}`
    : `${message.previous} -> ${message.page.last} ${message.page.marks.map((mark) => `${mark.tag}:${mark.keepStale}:${mark.number}`).join()}`
}

/** Grouped by subject: servers that share the keys publish in orders of their own. */
const apart = (messages: ReadonlyArray<string>): ReadonlyArray<string> =>
  messages.toSorted((a, b) => {
    const [one, other] = [a.split(" ")[0]!, b.split(" ")[0]!]
    return one < other ? -1 : one > other ? 1 : 0
  })

export const messageChecks = checksThat("notifies")({
  "law 18: every node gets a message for every change, those of a key in order": (subject) =>
    Effect.gen(function* () {
      const name = yield* freshName("told")
      const one = yield* arbitratedAs(subject, name)
      const { arbiter, commit, expire, put, remove, set, time, win } = one
      const queues = [
        yield* Tier.messages(arbiter),
        yield* Tier.messages((yield* arbitratedAs(subject, name)).arbiter),
      ]
      const { last } = yield* arbiter.marks(0)
      const first = yield* set("set", "v")
      const second = yield* win("commit")
      yield* commit("commit", second, "v")
      const third = yield* remove("remove")
      const fourth = yield* expire("set")
      const fifth = yield* expire("nothing")
      const { number } = yield* arbiter.mark(["t", undefined], true, 0)
      const ahead = ((yield* time) + 1000) * 1000
      yield* put("put", "v", ahead)
      const end = yield* set("end", "v")
      const expected = [
        `set has ${first}`,
        `commit has ${second}`,
        `remove removed ${third}`,
        `set has ${fourth}`,
        `nothing has ${fifth}`,
        `${last} -> ${number} t:true:${number},undefined:true:${number}`,
        `put has ${ahead}`,
        `end has ${end}`,
      ]
      for (const queue of queues) {
        const all = yield* Effect.forEach(expected, () => Queue.take(queue))
        assert.deepEqual(apart(all.map(shown)), apart(expected))
      }
    }),

  "law 10: a lease that is returned without a value is told to every node, with or without a failure":
    (subject) =>
      Effect.gen(function* () {
        const name = yield* freshName("released")
        const { acquire, arbiter, set, win } = yield* arbitratedAs(subject, name)
        const queues = [
          yield* Tier.messages(arbiter),
          yield* Tier.messages((yield* arbitratedAs(subject, name)).arbiter),
        ]
        yield* arbiter.release("failed", yield* win("failed"), 5_000)
        yield* arbiter.release("given up", yield* win("given up"), 0)
        assert.equal((yield* acquire("failed"))._tag, "Failed")
        assert.equal((yield* acquire("given up"))._tag, "Won")
        const end = yield* set("end", "v")
        const expected = [`end has ${end}`, "failed released", "given up released"]
        for (const queue of queues) {
          const all = yield* Effect.forEach(expected, () => Queue.take(queue))
          assert.deepEqual(apart(all.map(shown)), expected)
        }
      }),

  "refused changes and other operations on leases publish no message": (subject) =>
    Effect.gen(function* () {
      const { arbiter, commit, put, set, store, win } = yield* arbitrated(subject)
      const version = yield* set("k", "v")
      const queue = yield* Tier.messages(arbiter)
      yield* put("k", "refused", version)
      yield* commit("k", version, "refused")
      yield* commit("l", 5, "refused")
      const token = yield* win("k", { known: version })
      yield* arbiter.renew("k", token, 10_000)
      yield* arbiter.release("k", token - 1, 0)
      yield* arbiter.release("l", token, 5_000)
      yield* store.drop("k", version)
      const end = yield* set("end", "v")
      assert.deepEqual((yield* heardUpToEnd(queue)).map(shown), [`end has ${end}`])
    }),

  "messages of one larder do not reach another, and end with their scope": (subject) =>
    Effect.gen(function* () {
      const other = yield* arbitrated(subject)
      const { arbiter, set } = yield* arbitrated(subject)
      const queue = yield* Effect.scoped(
        Effect.gen(function* () {
          const queue = yield* Tier.messages(arbiter)
          const waiting = yield* Effect.forkChild(Queue.take(queue), { startImmediately: true })
          yield* other.set("k", "v")
          const version = yield* set("k", "v")
          assert.equal(shown(yield* Fiber.join(waiting)), `k has ${version}`)
          return queue
        }),
      )
      yield* set("k", "w")
      assert.equal(Queue.sizeUnsafe(queue), 0)
    }),

  "a mark names the mark before it, so that a missing message shows as a hole": (subject) =>
    Effect.gen(function* () {
      const name = yield* freshName("chain")
      const [one, other] = [yield* arbitratedAs(subject, name), yield* arbitratedAs(subject, name)]
      const queue = yield* Tier.messages(one.arbiter)
      let { last } = yield* one.arbiter.marks(0)
      for (const { arbiter } of [one, other, one]) {
        const { number } = yield* arbiter.mark(["a", "b"], false, 0)
        const message = yield* Queue.take(queue)
        assert.ok(message._tag === "Marked")
        assert.equal(message.previous, last, "the mark before it")
        assert.equal(message.page.last, number)
        assert.deepEqual(
          message.page.marks.map(({ keepStale, number }) => ({ keepStale, number })),
          [number, number].map((number) => ({ keepStale: false, number })),
        )
        last = number
      }
    }),

  "a message carries the envelope that is stored, where the tier pushes it, and never a larger one":
    (subject) =>
      Effect.gen(function* () {
        const { pushBytes } = yield* limitsOf(subject)
        const { arbiter, commit, expire, first, remove, set, win } = yield* arbitrated(subject)
        const queue = yield* Tier.messages(arbiter)
        const large = "v".repeat(pushBytes + 1)
        yield* set("small", "v")
        yield* commit("looked up", yield* win("looked up"), "v")
        yield* set("large", large)
        yield* remove("removed")
        yield* set("expired", "v")
        const expired = yield* expire("expired")
        for (let i = 0; i < 6; i += 1) {
          const message = yield* Queue.take(queue)
          assert.ok(message._tag === "Changed")
          const { envelope, key, version } = message
          const stored = yield* first(key)
          const isValue = key !== "removed" && version !== expired
          const isPushed = isValue && stored!.length <= pushBytes
          assert.equal(envelope !== undefined, isPushed, `${key}: pushed or not`)
          // The expiry has changed the stored envelope since the message of the value.
          if (envelope === undefined || key === "expired") continue
          assert.equal(Envelope.version(envelope), version)
          assert.deepEqual(new Uint8Array(envelope), new Uint8Array(stored!))
        }
      }),
})

export const versionChecks = checksThat("arbiter")({
  "versions are those of the entries that a read shows": (subject) =>
    Effect.gen(function* () {
      const { arbiter, commit, expire, put, remove, set, store, time, win } =
        yield* arbitrated(subject)
      if (arbiter.versions === undefined) return
      yield* set("set", "v")
      yield* set("expired", "v")
      yield* expire("expired")
      yield* commit("commit", yield* win("commit"), "v")
      yield* set("removed", "v")
      yield* remove("removed")
      yield* put("put", "v", ((yield* time) + 1000) * 1000)
      yield* win("leased")
      const keys = ["absent", "set", "expired", "commit", "removed", "put", "leased", "set"]
      const stored = yield* store.read(keys)
      const expected = stored.map((envelope) => ({
        version: envelope === undefined ? 0 : Envelope.version(envelope),
        isValue: envelope !== undefined && !Envelope.isTombstone(envelope),
      }))
      assert.deepEqual(yield* arbiter.versions(keys), expected)
      assert.deepEqual(yield* arbiter.versions([]), [])
      const many = Array.from({ length: 2_500 }, (_, i) => (i % 2 === 0 ? "set" : "absent"))
      const answers = yield* arbiter.versions(many)
      assert.deepEqual(answers.slice(-2), [expected[1], expected[0]])
      assert.equal(answers.length, many.length)
    }),
})
