import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import * as Envelope from "../../../src/Envelope.ts"
import { layerShared } from "../../../src/internal/arbitrate/sharedTier.ts"
import { Tier, messages } from "../../../src/Tier.ts"
import type { Acquired, Arbiter, ByteStore, Message, TierError, Write } from "../../../src/Tier.ts"

const life = 100_000

const envelope = (text: string, times: { freshUntil?: number; staleUntil?: number } = {}) =>
  Envelope.make({
    version: 0,
    freshUntil: times.freshUntil ?? 10_000,
    revalidateUntil: times.freshUntil ?? 10_000,
    staleUntil: times.staleUntil ?? life,
    storedAt: 0,
    schemaVersion: 0,
    loadMillis: 1,
    asOf: 0,
    tags: [],
    wire: "json",
    value: new TextEncoder().encode(JSON.stringify(text)),
  })

const textOf = (bytes: Uint8Array | undefined): string | undefined => {
  if (bytes === undefined) return undefined
  const parsed = Envelope.parse(bytes)
  if (parsed._tag === "Tombstone") return "tombstone"
  return parsed._tag === "Value"
    ? JSON.parse(new TextDecoder().decode(parsed.value))
    : parsed.reason
}

const openTier = Effect.map(Layer.build(Layer.fresh(layerShared)), (context) => {
  const tier = Context.get(context, Tier)
  if (tier.kind !== "bytes") throw new Error("a byte tier")
  return tier
})

interface Opened {
  readonly store: ByteStore
  readonly arbiter: Arbiter
  readonly text: (key: string) => Effect.Effect<string | undefined, TierError>
  readonly version: (key: string) => Effect.Effect<number | undefined, TierError>
  readonly win: (key: string, known?: number) => Effect.Effect<number, TierError>
  readonly set: (key: string, text: string) => Effect.Effect<number, TierError>
}

const opened = (store: ByteStore): Opened => {
  const arbiter = store.arbiter!
  const first = (key: string) => Effect.map(store.read([key]), ([bytes]) => bytes)
  return {
    store,
    arbiter,
    text: (key) => Effect.map(first(key), textOf),
    version: (key) => Effect.map(first(key), (bytes) => bytes && Envelope.version(bytes)),
    win: (key, known = 0) =>
      Effect.map(arbiter.acquire(key, { known, leaseMillis: 10_000, force: false }), (acquired) => {
        assert.strictEqual(acquired._tag, "Won")
        return acquired._tag === "Won" ? acquired.token : 0
      }),
    set: (key, text) =>
      Effect.map(
        arbiter.write(key, { _tag: "Set", envelope: envelope(text), lifeMillis: life }, 0),
        ({ version }) => version,
      ),
  }
}

const open = Effect.flatMap(openTier, (tier) =>
  Effect.map(tier.open({ larder: "products" }), opened),
)

const acquire = (
  { arbiter }: Opened,
  key: string,
  { force = false, known = 0 }: { known?: number; force?: boolean } = {},
): Effect.Effect<Acquired, TierError> => arbiter.acquire(key, { known, leaseMillis: 10_000, force })

const drain = (queue: Queue.Dequeue<Message>) =>
  Effect.gen(function* () {
    const messages: Array<Message> = []
    for (;;) {
      const next = yield* Queue.poll(queue)
      if (Option.isNone(next)) return messages
      messages.push(next.value)
    }
  })

describe("what it declares", () => {
  it.effect("a shared byte tier with an arbiter that notifies", () =>
    Effect.gen(function* () {
      const { abilities, kind, name, scope } = yield* openTier
      assert.deepStrictEqual([kind, name, scope], ["bytes", "shared", "shared"])
      assert.deepStrictEqual(abilities, { notifies: true })
    }),
  )

  it.effect("a larder opened again, or by another node, finds what was there; others do not", () =>
    Effect.gen(function* () {
      const tier = yield* openTier
      const a = yield* Effect.scoped(Effect.map(tier.open({ larder: "products" }), opened))
      yield* a.set("k", "v")
      const b = opened(yield* tier.open({ larder: "products" }))
      assert.strictEqual(yield* b.text("k"), "v")
      const other = opened(yield* tier.open({ larder: "prices" }))
      assert.isUndefined(yield* other.text("k"))
    }),
  )

  it.effect("buffers are not shared with callers", () =>
    Effect.gen(function* () {
      const shared = yield* open
      const given = Buffer.from(Envelope.withVersion(envelope("v"), 5))
      yield* shared.store.put("k", given, life)
      given.fill(0)
      const [read] = yield* shared.store.read(["k"])
      read!.fill(0)
      const newer = yield* acquire(shared, "k")
      if (newer._tag === "Newer") newer.envelope.fill(0)
      assert.strictEqual(newer._tag, "Newer")
      assert.strictEqual(yield* shared.text("k"), "v")
    }),
  )

  it.effect("bytes that are not an envelope are rejected with the operation's name", () =>
    Effect.gen(function* () {
      const { arbiter, store, text, win } = yield* open
      const garbage = new TextEncoder().encode("garbage")
      const token = yield* win("k")
      const set: Write = { _tag: "Set", envelope: garbage, lifeMillis: life }
      const errors = [
        yield* Effect.flip(store.put("k", garbage, life)),
        yield* Effect.flip(arbiter.commit("k", token, garbage, life)),
        yield* Effect.flip(arbiter.write("k", set, 0)),
      ]
      assert.deepStrictEqual(
        errors.map((error) => [error._tag, error.tier, error.operation]),
        [
          ["TierError", "shared", "put"],
          ["TierError", "shared", "commit"],
          ["TierError", "shared", "write"],
        ],
      )
      assert.isUndefined(yield* text("k"))
    }),
  )

  it.effect("of commits, only those whose bytes are no envelope come to nothing", () =>
    Effect.gen(function* () {
      const { arbiter, text, win } = yield* open
      const all = [envelope("v"), new TextEncoder().encode("garbage"), envelope("w")]
      const commits = []
      for (const [i, bytes] of all.entries()) {
        const key = `k${i}`
        commits.push({ key, token: yield* win(key), envelope: bytes, lifeMillis: life })
      }
      const stored = { decision: "Stored", lastMark: 0 } as const
      assert.deepStrictEqual(yield* arbiter.commitAll!(commits), [stored, undefined, stored])
      assert.deepStrictEqual(yield* Effect.forEach(["k0", "k1", "k2"], text), ["v", undefined, "w"])
    }),
  )
})

describe("put, drop, read", () => {
  it.effect("put stores over a lower version only, and returns whether it did", () =>
    Effect.gen(function* () {
      const { store, text } = yield* open
      const put = (text: string, version: number) =>
        store.put("k", Envelope.withVersion(envelope(text), version), life)
      assert.isTrue(yield* put("five", 5))
      assert.isFalse(yield* put("four", 4))
      assert.isFalse(yield* put("other five", 5))
      assert.strictEqual(yield* text("k"), "five")
      assert.isTrue(yield* put("six", 6))
      assert.strictEqual(yield* text("k"), "six")
    }),
  )

  it.effect("law 13: a value without a life removes the previous one", () =>
    Effect.gen(function* () {
      const { store, text } = yield* open
      yield* store.put("k", Envelope.withVersion(envelope("five"), 5), life)
      assert.isTrue(yield* store.put("k", Envelope.withVersion(envelope("six"), 6), 0))
      assert.strictEqual(yield* text("k"), "tombstone")
      assert.isFalse(yield* store.put("k", Envelope.withVersion(envelope("five"), 5), life))
    }),
  )

  it.effect("a delayed value from before a lease or an expiry is not stored", () =>
    Effect.gen(function* () {
      const { arbiter, store, text, win } = yield* open
      const put = (key: string, version: number) =>
        store.put(key, Envelope.withVersion(envelope("late"), version), life)
      const token = yield* win("k")
      assert.isFalse(yield* put("k", token - 1))
      assert.isTrue(yield* put("k", token), "the holder's own value, replayed")
      const { version } = yield* arbiter.write("l", { _tag: "Expire" }, 0)
      assert.isFalse(yield* put("l", version - 1))
      assert.isFalse(yield* put("l", version))
      assert.isUndefined(yield* text("l"))
    }),
  )

  it.effect("a value is kept for a millisecond where that is its life", () =>
    Effect.gen(function* () {
      const { store, text } = yield* open
      yield* store.put("k", Envelope.withVersion(envelope("v"), 5), 1)
      assert.strictEqual(yield* text("k"), "v")
      yield* TestClock.adjust(1)
      assert.isUndefined(yield* text("k"))
    }),
  )

  it.effect("drop removes up to a version, tombstones too", () =>
    Effect.gen(function* () {
      const { store, text } = yield* open
      yield* store.put("k", Envelope.withVersion(envelope("five"), 5), life)
      yield* store.drop("k", 4)
      assert.strictEqual(yield* text("k"), "five")
      yield* store.drop("k", 5)
      assert.isUndefined(yield* text("k"))
      yield* store.drop("k", 5)
    }),
  )

  it.effect("read answers in the order of the keys, until the life of each ends", () =>
    Effect.gen(function* () {
      const { store } = yield* open
      yield* store.put("a", Envelope.withVersion(envelope("a"), 1), 1000)
      yield* store.put("b", Envelope.withVersion(envelope("b"), 1), Infinity)
      const read = Effect.map(store.read(["b", "x", "a", "b"]), (all) => all.map(textOf))
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(yield* read, ["b", undefined, "a", "b"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* read, ["b", undefined, undefined, "b"])
      yield* TestClock.adjust(Duration.days(10_000))
      assert.deepStrictEqual(yield* read, ["b", undefined, undefined, "b"])
    }),
  )

  it.effect("law 17: at most 100,000 entries, the oldest written go first", () =>
    Effect.gen(function* () {
      const { store, text } = yield* open
      const bytes = Envelope.withVersion(envelope("v"), 1)
      for (let i = 0; i <= 100_000; i++) yield* store.put(`k${i}`, bytes, life)
      assert.isUndefined(yield* text("k0"))
      assert.strictEqual(yield* text("k1"), "v")
      assert.strictEqual(yield* text("k100000"), "v")
    }),
  )
})

describe("acquire", () => {
  it.effect("Won with the time in microseconds; Busy for everybody else, in the tier's time", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5)
      const shared = yield* open
      assert.deepStrictEqual(yield* acquire(shared, "k"), {
        _tag: "Won",
        token: 5000,
        storedVersion: 0,
      })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* acquire(shared, "k"), {
        _tag: "Busy",
        leftMillis: 9999,
      })
      assert.strictEqual((yield* acquire(shared, "other"))._tag, "Won")
    }),
  )

  it.effect("Newer carries what the caller does not know, and no tombstone", () =>
    Effect.gen(function* () {
      const shared = yield* open
      const version = yield* shared.set("k", "v")
      const newer = yield* acquire(shared, "k", { known: version - 1 })
      assert.strictEqual(newer._tag, "Newer")
      if (newer._tag === "Newer") assert.strictEqual(textOf(newer.envelope), "v")
      assert.isAbove(yield* shared.win("k", version), version)
      yield* shared.arbiter.write("k", { _tag: "Remove" }, 0)
      assert.strictEqual((yield* acquire(shared, "k"))._tag, "Won")
    }),
  )

  it.effect("a caller that knows more than the tier gets a token above that", () =>
    Effect.gen(function* () {
      const { win } = yield* open
      assert.strictEqual(yield* win("k", 77_000), 77_001)
    }),
  )

  it.effect(
    "law 10: a lease whose holder dies passes on after the lease time, with a higher token",
    () =>
      Effect.gen(function* () {
        const shared = yield* open
        const { arbiter, text, win } = shared
        const first = yield* win("k")
        yield* TestClock.adjust(9999)
        assert.strictEqual((yield* acquire(shared, "k"))._tag, "Busy")
        yield* TestClock.adjust(1)
        const second = yield* win("k")
        assert.isAbove(second, first)
        assert.strictEqual(
          (yield* arbiter.commit("k", first, envelope("late"), life)).decision,
          "Superseded",
        )
        assert.isFalse(yield* arbiter.renew("k", first, 10_000))
        yield* arbiter.release("k", first, 5000)
        assert.isUndefined(yield* text("k"))
        assert.strictEqual(
          (yield* arbiter.commit("k", second, envelope("second"), life)).decision,
          "Stored",
        )
        assert.strictEqual(
          (yield* arbiter.commit("k", first, envelope("late"), life)).decision,
          "Superseded",
        )
        assert.strictEqual(yield* text("k"), "second")
      }),
  )

  it.effect("law 10: a slow holder renews, and commits later", () =>
    Effect.gen(function* () {
      const shared = yield* open
      const { arbiter, text, win } = shared
      const token = yield* win("k")
      yield* TestClock.adjust(9000)
      assert.isTrue(yield* arbiter.renew("k", token, 10_000))
      yield* TestClock.adjust(9000)
      assert.deepStrictEqual(yield* acquire(shared, "k"), {
        _tag: "Busy",
        leftMillis: 1000,
      })
      assert.strictEqual(
        (yield* arbiter.commit("k", token, envelope("slow"), life)).decision,
        "Stored",
      )
      assert.strictEqual(yield* text("k"), "slow")
    }),
  )

  it.effect(
    "a holder that is late but that nobody has replaced still commits, until its record is gone",
    () =>
      Effect.gen(function* () {
        const { arbiter, win } = yield* open
        const a = yield* win("a")
        const b = yield* win("b")
        yield* TestClock.adjust(59_999)
        assert.strictEqual((yield* arbiter.commit("a", a, envelope("a"), life)).decision, "Stored")
        yield* TestClock.adjust(1)
        assert.strictEqual((yield* arbiter.commit("b", b, envelope("b"), life)).decision, "Lost")
      }),
  )

  it.effect("force takes the lease, whatever is stored, held or failed", () =>
    Effect.gen(function* () {
      const shared = yield* open
      const { arbiter, set, text, win } = shared
      yield* set("k", "v")
      const held = yield* win("k", 1e9)
      const forced = yield* acquire(shared, "k", { force: true })
      assert.strictEqual(forced._tag, "Won")
      if (forced._tag !== "Won") return
      assert.isAbove(forced.token, held)
      assert.strictEqual(
        (yield* arbiter.commit("k", held, envelope("held"), life)).decision,
        "Superseded",
      )
      yield* arbiter.release("k", forced.token, 5000)
      assert.strictEqual((yield* acquire(shared, "k", { force: true }))._tag, "Won")
      assert.strictEqual(yield* text("k"), "v")
    }),
  )

  it.effect("a released lease can be won at once, and its token commits nothing", () =>
    Effect.gen(function* () {
      const { arbiter, win } = yield* open
      const first = yield* win("k")
      yield* arbiter.release("k", first, 0)
      assert.strictEqual((yield* arbiter.commit("k", first, envelope("x"), life)).decision, "Lost")
      assert.isFalse(yield* arbiter.renew("k", first, 10_000))
      assert.isAbove(yield* win("k"), first)
    }),
  )

  it.effect("law 20: a token is above a value that was there, though its record is gone", () =>
    Effect.gen(function* () {
      const { store, win } = yield* open
      const put = (key: string, version: number, lifeMillis: number) =>
        store.put(key, Envelope.withVersion(envelope("v"), version), lifeMillis)
      yield* put("ended", 90_000_000, 1000)
      yield* put("another", 9, 1000)
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(yield* store.read(["ended", "another"]), [undefined, undefined])
      assert.strictEqual(yield* win("ended"), 90_000_001)
    }),
  )

  it.effect("a lease that was given back is given back once: its failure stays known", () =>
    Effect.gen(function* () {
      const shared = yield* open
      const token = yield* shared.win("k")
      yield* shared.arbiter.release("k", token, 1000)
      yield* shared.arbiter.release("k", token, 0)
      assert.strictEqual((yield* acquire(shared, "k"))._tag, "Failed")
    }),
  )

  it.effect("a failed lookup keeps other nodes from looking up for a while", () =>
    Effect.gen(function* () {
      const shared = yield* open
      yield* shared.arbiter.release("k", yield* shared.win("k"), 1000)
      assert.deepStrictEqual(yield* acquire(shared, "k"), {
        _tag: "Failed",
        leftMillis: 1000,
      })
      yield* TestClock.adjust(1000)
      assert.strictEqual((yield* acquire(shared, "k"))._tag, "Won")
    }),
  )

  it.effect("a failure is remembered for a millisecond where that is asked", () =>
    Effect.gen(function* () {
      const shared = yield* open
      yield* shared.arbiter.release("k", yield* shared.win("k"), 1)
      assert.strictEqual((yield* acquire(shared, "k"))._tag, "Failed")
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* acquire(shared, "k"))._tag, "Won")
    }),
  )

  it.effect("a failure is remembered for longer than a lease record where that is asked", () =>
    Effect.gen(function* () {
      const shared = yield* open
      yield* shared.arbiter.release("k", yield* shared.win("k"), 600_000)
      yield* TestClock.adjust(599_999)
      assert.strictEqual((yield* acquire(shared, "k"))._tag, "Failed")
    }),
  )
})

describe("commit", () => {
  it.effect("law 11: a change that came in between wins", () =>
    Effect.gen(function* () {
      const shared = yield* open
      const { arbiter, set, text, win } = shared
      const changes: ReadonlyArray<readonly [string, Effect.Effect<unknown, TierError>]> = [
        ["set", set("set", "new")],
        ["remove", arbiter.write("remove", { _tag: "Remove" }, 0)],
      ]
      for (const [key, change] of changes) {
        const token = yield* win(key)
        yield* change
        assert.isFalse(yield* arbiter.renew(key, token, 10_000))
        assert.strictEqual(
          (yield* arbiter.commit(key, token, envelope("old"), life)).decision,
          "Superseded",
        )
      }
      assert.strictEqual(yield* text("set"), "new")
      assert.strictEqual(yield* text("remove"), "tombstone")
    }),
  )

  it.effect(
    "law 11: an expiry of nothing ends the lease too, and its token does not come back",
    () =>
      Effect.gen(function* () {
        const { arbiter, text, win } = yield* open
        const token = yield* win("k")
        yield* arbiter.write("k", { _tag: "Expire" }, 0)
        assert.notStrictEqual(
          (yield* arbiter.commit("k", token, envelope("old"), life)).decision,
          "Stored",
        )
        const next = yield* win("k")
        assert.isAbove(next, token)
        assert.strictEqual(
          (yield* arbiter.commit("k", token, envelope("old"), life)).decision,
          "Superseded",
        )
        assert.isUndefined(yield* text("k"))
      }),
  )

  it.effect("stores under the token, whatever version the envelope came with, once", () =>
    Effect.gen(function* () {
      const { arbiter, text, version, win } = yield* open
      const token = yield* win("k")
      assert.strictEqual(
        (yield* arbiter.commit("k", token, Envelope.withVersion(envelope("v"), 9e15), life))
          .decision,
        "Stored",
      )
      assert.strictEqual(yield* version("k"), token)
      assert.strictEqual(
        (yield* arbiter.commit("k", token, envelope("again"), life)).decision,
        "Superseded",
      )
      assert.strictEqual(yield* text("k"), "v")
    }),
  )

  it.effect("law 13: what has no life becomes a tombstone", () =>
    Effect.gen(function* () {
      const { arbiter, set, text, version, win } = yield* open
      const old = yield* set("k", "old")
      const token = yield* win("k", old)
      assert.strictEqual((yield* arbiter.commit("k", token, envelope("v"), 0)).decision, "Stored")
      assert.strictEqual(yield* text("k"), "tombstone")
      assert.strictEqual(yield* version("k"), token)
    }),
  )

  it.effect("never without a record of the lease", () =>
    Effect.gen(function* () {
      const { arbiter, text } = yield* open
      assert.strictEqual((yield* arbiter.commit("k", 5, envelope("v"), life)).decision, "Lost")
      assert.isUndefined(yield* text("k"))
    }),
  )

  it.effect("no token comes back after its record was lost, though the clock stands still", () =>
    Effect.gen(function* () {
      const { arbiter, win } = yield* open
      const token = yield* win("k")
      for (let i = 0; i < 100_000; i++) yield* win(`other${i}`)
      assert.strictEqual((yield* arbiter.commit("k", token, envelope("v"), life)).decision, "Lost")
      assert.isAbove(yield* win("k"), token)
      assert.strictEqual(
        (yield* arbiter.commit("k", token, envelope("v"), life)).decision,
        "Superseded",
      )
    }),
  )
})

describe("write", () => {
  it.effect("always wins: above what is stored, held and known", () =>
    Effect.gen(function* () {
      const { arbiter, store, version, win } = yield* open
      yield* store.put("k", Envelope.withVersion(envelope("v"), 50), life)
      const token = yield* win("k", 70)
      assert.strictEqual(token, 71)
      const set: Write = { _tag: "Set", envelope: envelope("w"), lifeMillis: life }
      assert.deepStrictEqual(yield* arbiter.write("k", set, 0), {
        version: 72,
        time: 0,
        lastMark: 0,
      })
      assert.deepStrictEqual(yield* arbiter.write("k", set, 99), {
        version: 100,
        time: 0,
        lastMark: 0,
      })
      assert.strictEqual(yield* version("k"), 100)
    }),
  )

  it.effect("a damaged version at the end of the numbers does not stop writes", () =>
    Effect.gen(function* () {
      const { arbiter, store, text } = yield* open
      const last = Envelope.withVersion(envelope("v"), Number.MAX_SAFE_INTEGER)
      assert.isFalse(yield* store.put("k", last, life))
      const set: Write = { _tag: "Set", envelope: last, lifeMillis: life }
      const { version } = yield* arbiter.write("k", set, Number.MAX_SAFE_INTEGER)
      assert.strictEqual(version, 1)
      assert.strictEqual(yield* text("k"), "v")
    }),
  )

  it.effect("remove leaves a tombstone for 120 seconds", () =>
    Effect.gen(function* () {
      const { arbiter, set, text } = yield* open
      yield* set("k", "v")
      yield* arbiter.write("k", { _tag: "Remove" }, 0)
      yield* TestClock.adjust(119_999)
      assert.strictEqual(yield* text("k"), "tombstone")
      yield* TestClock.adjust(1)
      assert.isUndefined(yield* text("k"))
    }),
  )

  it.effect("expire keeps the value for error grace, and the end of its life", () =>
    Effect.gen(function* () {
      const { arbiter, set, store } = yield* open
      yield* set("k", "v")
      yield* TestClock.adjust(1000)
      const { version } = yield* arbiter.write("k", { _tag: "Expire" }, 0)
      const [bytes] = yield* store.read(["k"])
      const parsed = Envelope.parse(bytes!)
      assert.strictEqual(parsed._tag, "Value")
      if (parsed._tag !== "Value") return
      assert.deepStrictEqual(
        [parsed.version, parsed.freshUntil, parsed.revalidateUntil, parsed.staleUntil],
        [version, 1000, 1000, life],
      )
      yield* TestClock.adjust(life - 1000)
      assert.deepStrictEqual(yield* store.read(["k"]), [undefined])
    }),
  )

  it.effect(
    "expire with no life left is a removal; of nothing or a tombstone it stores nothing",
    () =>
      Effect.gen(function* () {
        const { arbiter, text, version } = yield* open
        const short = envelope("v", { freshUntil: 500, staleUntil: 1000 })
        yield* arbiter.write("k", { _tag: "Set", envelope: short, lifeMillis: life }, 0)
        yield* TestClock.adjust(1000)
        yield* arbiter.write("k", { _tag: "Expire" }, 0)
        assert.strictEqual(yield* text("k"), "tombstone")
        const buried = yield* version("k")
        yield* arbiter.write("k", { _tag: "Expire" }, 0)
        assert.strictEqual(yield* version("k"), buried)
        yield* arbiter.write("l", { _tag: "Expire" }, 0)
        assert.isUndefined(yield* text("l"))
      }),
  )

  /** A change that was made so many milliseconds ago. */
  const delayed = ({ arbiter }: Opened, key: string, text: string | undefined, millis: number) =>
    Effect.gen(function* () {
      const at = ((yield* Clock.currentTimeMillis) - millis) * 1000
      const write: Write =
        text === undefined
          ? { _tag: "Remove", at }
          : { _tag: "Set", envelope: envelope(text), lifeMillis: life, at }
      const { version } = yield* arbiter.write(key, write, 0)
      assert.strictEqual(version, at)
      return at
    })

  it.effect("law 15: a delayed value is stored while it is young, else takes away older ones", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(600_000)
      const shared = yield* open
      for (const [key, millis, text] of [
        ["young", 60_000, "w"],
        ["old", 60_001, "tombstone"],
      ] as const) {
        yield* shared.store.put(key, Envelope.withVersion(envelope("v"), 1), life)
        const version = yield* delayed(shared, key, "w", millis)
        assert.strictEqual(yield* shared.text(key), text)
        assert.strictEqual(yield* shared.version(key), version)
      }
    }),
  )

  it.effect("law 15: a delayed removal leaves a tombstone, however late it comes", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(600_000)
      const shared = yield* open
      for (const millis of [10, 60_001]) {
        yield* shared.store.put("k", Envelope.withVersion(envelope("v"), 1), life)
        yield* delayed(shared, "k", undefined, millis)
        assert.strictEqual(yield* shared.text("k"), "tombstone")
        yield* shared.store.drop("k", Number.MAX_SAFE_INTEGER)
      }
    }),
  )

  it.effect(
    "law 20: a delayed change ends a failure from before it, and no lease from after it",
    () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(600_000)
        const shared = yield* open
        const { arbiter, text, win } = shared
        yield* arbiter.release("k", yield* win("k"), 10_000)
        yield* TestClock.adjust(20)
        const known = yield* delayed(shared, "k", "v", 10)
        assert.strictEqual((yield* acquire(shared, "k", { known }))._tag, "Won")
        const token = yield* win("l")
        yield* delayed(shared, "l", "v", 10)
        const { decision } = yield* arbiter.commit("l", token, envelope("w"), life)
        assert.strictEqual(decision, "Stored")
        assert.strictEqual(yield* text("l"), "w")
      }),
  )

  it.effect("ends any lease and failure: a reader after it can win at once", () =>
    Effect.gen(function* () {
      const shared = yield* open
      const { arbiter, win } = shared
      for (const write of [{ _tag: "Remove" }, { _tag: "Expire" }] as const) {
        yield* win(write._tag)
        yield* arbiter.write(write._tag, write, 0)
        assert.strictEqual((yield* acquire(shared, write._tag))._tag, "Won")
        const failed = yield* win(`${write._tag} failed`)
        yield* arbiter.release(`${write._tag} failed`, failed, 10_000)
        yield* arbiter.write(`${write._tag} failed`, write, 0)
        assert.strictEqual((yield* acquire(shared, `${write._tag} failed`))._tag, "Won")
      }
    }),
  )
})

describe("marks and messages", () => {
  it.effect("the first opening makes a floor, which stays", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5)
      const tier = yield* openTier
      const { arbiter } = opened(yield* tier.open({ larder: "products" }))
      yield* TestClock.adjust(5)
      const again = opened(yield* tier.open({ larder: "products" }))
      for (const page of [yield* arbiter.marks(0), yield* again.arbiter.marks(0)]) {
        assert.deepStrictEqual(page, { last: 5000, floor: 5000, dropFloor: 0, marks: [], time: 10 })
      }
    }),
  )

  it.effect("mark answers what the caller has missed, its own included", () =>
    Effect.gen(function* () {
      const { arbiter } = yield* open
      const first = yield* arbiter.mark(["a"], true, 0)
      yield* TestClock.adjust(1)
      const second = yield* arbiter.mark(["b", undefined], false, 0)
      assert.deepStrictEqual([first.number, second.number], [1, 1000])
      assert.strictEqual(second.marks.length, 3)
      const third = yield* arbiter.mark(["c"], true, second.number)
      assert.deepStrictEqual(third.marks, [{ tag: "c", keepStale: true, number: 1001 }])
      assert.deepStrictEqual((yield* arbiter.marks(1000)).marks, third.marks)
    }),
  )

  it.effect("law 17: at most 100,000 marks; of those forgotten the floor tells", () =>
    Effect.gen(function* () {
      const { arbiter } = yield* open
      const tags = Array.from({ length: 100_001 }, (_, i) => `t${i}`)
      const { floor, marks, number } = yield* arbiter.mark(tags, true, 0)
      assert.strictEqual(marks.length, 100_000)
      assert.strictEqual(floor, number)
    }),
  )

  it.effect("tells many marks in answers of 5,000", () =>
    Effect.gen(function* () {
      const { arbiter } = yield* open
      let last = 0
      for (let i = 0; i < 5_001; i++) last = (yield* arbiter.mark([`t${i}`], true, last)).number
      const first = yield* arbiter.marks(0)
      assert.strictEqual(first.marks.length, 5_000)
      assert.strictEqual(first.next, last - 1)
      const second = yield* arbiter.marks(first.next!)
      assert.deepStrictEqual(second.marks, [{ tag: "t5000", keepStale: true, number: last }])
      assert.isUndefined(second.next)
    }),
  )

  it.effect("every applied change is told to every node, in the order of the changes", () =>
    Effect.gen(function* () {
      const shared = yield* open
      const { arbiter, set, store, win } = shared
      const a = yield* messages(arbiter)
      const b = yield* messages(arbiter)
      const one = yield* set("set", "v")
      const two = yield* win("commit")
      yield* arbiter.commit("commit", two, envelope("v"), life)
      const three = yield* arbiter.write("remove", { _tag: "Remove" }, 0)
      const four = yield* arbiter.write("set", { _tag: "Expire" }, 0)
      const five = yield* arbiter.write("nothing", { _tag: "Expire" }, 0)
      const { number } = yield* arbiter.mark(["t"], true, 0)
      yield* store.put("put", Envelope.withVersion(envelope("v"), 3), life)
      const expected: ReadonlyArray<Message> = [
        { _tag: "Changed", key: "set", version: one, isRemoval: false },
        { _tag: "Changed", key: "commit", version: two, isRemoval: false },
        { _tag: "Changed", key: "remove", version: three.version, isRemoval: true },
        { _tag: "Changed", key: "set", version: four.version, isRemoval: false },
        { _tag: "Changed", key: "nothing", version: five.version, isRemoval: false },
        {
          _tag: "Marked",
          previous: 0,
          page: {
            last: number,
            floor: 0,
            dropFloor: 0,
            marks: [{ tag: "t", keepStale: true, number }],
          },
        },
        { _tag: "Changed", key: "put", version: 3, isRemoval: false },
      ]
      assert.deepStrictEqual(yield* drain(a), expected)
      assert.deepStrictEqual(yield* drain(b), expected)
    }),
  )

  it.effect("laws 7, 20: a listener finds every change complete when its message comes", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(600_000)
      const shared = yield* open
      const { arbiter, text, win } = shared
      const runSync = Effect.runSyncWith(yield* Effect.context<never>())
      const found: Array<string> = []
      let asked: Effect.Effect<unknown, TierError> = Effect.void
      yield* arbiter.listen!(() => {
        const asking = asked
        asked = Effect.void
        runSync(asking)
      })
      const token = yield* win("k")
      for (const write of [
        { _tag: "Remove", at: token - 2 },
        { _tag: "Set", at: token - 1, envelope: envelope("late"), lifeMillis: life },
      ] as const) {
        asked = Effect.map(acquire(shared, "k", { known: token }), ({ _tag }) => found.push(_tag))
        yield* arbiter.write("k", write, 0)
      }
      assert.deepStrictEqual(found, ["Busy", "Busy"], "the lookup came after both changes")
      yield* arbiter.commit("k", token, envelope("looked up"), life)
      assert.strictEqual(yield* text("k"), "looked up")
    }),
  )

  it.effect("a lease that is returned without a value is told, unless nobody held it", () =>
    Effect.gen(function* () {
      const { arbiter, win } = yield* open
      const queue = yield* messages(arbiter)
      const token = yield* win("k")
      yield* arbiter.release("k", token - 1, 5_000)
      assert.deepStrictEqual(yield* drain(queue), [])
      yield* arbiter.release("k", token, 5_000)
      yield* arbiter.release("k", token, 5_000)
      assert.deepStrictEqual(yield* drain(queue), [{ _tag: "Released", key: "k" }])
    }),
  )

  it.effect("refused changes and other operations on leases publish no message", () =>
    Effect.gen(function* () {
      const shared = yield* open
      const { arbiter, set, store, win } = shared
      const version = yield* set("k", "v")
      const queue = yield* messages(arbiter)
      yield* store.put("k", Envelope.withVersion(envelope("v"), version), life)
      yield* arbiter.commit("k", version, envelope("v"), life)
      yield* arbiter.commit("l", 5, envelope("v"), life)
      const token = yield* win("k", version)
      yield* arbiter.renew("k", token, 10_000)
      yield* store.drop("k", version)
      assert.deepStrictEqual(yield* drain(queue), [])
    }),
  )

  it.effect("a waiting reader wakes; messages end with their scope", () =>
    Effect.gen(function* () {
      const { arbiter, set } = yield* open
      const queue = yield* Effect.scoped(
        Effect.gen(function* () {
          const queue = yield* messages(arbiter)
          const waiting = yield* Effect.forkChild(Queue.take(queue), { startImmediately: true })
          const version = yield* set("k", "v")
          const message = yield* Fiber.join(waiting)
          assert.deepStrictEqual(message, { _tag: "Changed", key: "k", version, isRemoval: false })
          return queue
        }),
      )
      yield* set("k", "w")
      assert.strictEqual(Queue.sizeUnsafe(queue), 0)
      const taking = yield* Effect.forkChild(Effect.exit(Queue.take(queue)), {
        startImmediately: true,
      })
      yield* Effect.yieldNow
      assert.isDefined(taking.pollUnsafe(), "a reader that comes late does not wait for ever")
    }),
  )
})

it.effect("law 17: keeps nothing of a node that listens no longer", () =>
  Effect.gen(function* () {
    setFlagsFromString("--expose-gc")
    const collect: () => void = runInNewContext("gc")
    const { arbiter, set } = yield* open
    const listened = yield* Effect.scoped(
      Effect.map(messages(arbiter), (queue) => new WeakRef(queue)),
    )
    yield* set("k", "v")
    yield* Effect.promise(() => new Promise(setImmediate))
    collect()
    assert.isUndefined(listened.deref())
  }),
)

describe("any sequence of operations", () => {
  const key = fc.constantFrom("a", "b")
  const wait = fc.constantFrom(0, 0, 1, 700, 11_000, 61_000, -5000)
  const operation = fc.constantFrom(
    "acquire",
    "force",
    "commit",
    "release",
    "renew",
    "set",
    "remove",
    "expire",
    "put",
    "drop",
  )
  const step = fc.record({ key, wait, operation, pick: fc.nat(), version: fc.nat(200_000_000) })

  interface Seen {
    /** Every token won and every version written. */
    readonly issued: Array<number>
    /** The last settled change. */
    changed: number
    readonly tokens: Array<number>
  }

  const openAt = (clock: Clock.Clock) =>
    Effect.runSync(
      Effect.scoped(open).pipe(Effect.provideService(Clock.Clock, clock)) as Effect.Effect<Opened>,
    )

  it("its time is a whole number of milliseconds, and never ahead of the clock", () => {
    const clock = Object.create(Effect.runSync(Clock.Clock), {
      currentTimeMillisUnsafe: { value: () => 5.7 },
      monotonicTimeNanosUnsafe: { value: () => 300_000n },
    }) as Clock.Clock
    const { arbiter } = openAt(clock)
    assert.strictEqual(Effect.runSync(arbiter.marks(0)).time, 5)
  })

  it("laws 11, 12, 20: numbers rise, and nothing looked up before a change is stored after it", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let now = 100_000
        const clock = Object.create(Effect.runSync(Clock.Clock), {
          currentTimeMillisUnsafe: { value: () => now },
        }) as Clock.Clock
        const { arbiter, store, version } = openAt(clock)
        const run = <A>(effect: Effect.Effect<A, TierError>): A => Effect.runSync(effect)
        const state = new Map<string, Seen>()
        for (const { key, operation, pick, version: given, wait } of steps) {
          now += wait
          const seen = state.get(key) ?? { issued: [], changed: 0, tokens: [] }
          state.set(key, seen)
          const token = seen.tokens[pick % Math.max(1, seen.tokens.length)] ?? 0
          const before = run(version(key)) ?? 0
          const issue = (number: number) => {
            for (const earlier of seen.issued) assert.isAbove(number, earlier)
            assert.isAbove(number, before)
            seen.issued.push(number)
          }
          const write = (write: Write) => {
            const written = run(arbiter.write(key, write, 0))
            issue(written.version)
            seen.changed = written.version
          }
          switch (operation) {
            case "acquire":
            case "force": {
              const request = { known: before, leaseMillis: 10_000, force: operation === "force" }
              const acquired = run(arbiter.acquire(key, request))
              assert.notStrictEqual(acquired._tag, "Newer")
              if (acquired._tag !== "Won") break
              issue(acquired.token)
              seen.tokens.push(acquired.token)
              break
            }
            case "commit": {
              const committed = run(arbiter.commit(key, token, envelope("v"), life))
              if (committed.decision !== "Stored") {
                assert.strictEqual(run(version(key)) ?? 0, before)
                break
              }
              assert.isAbove(token, seen.changed)
              assert.isAbove(token, before)
              assert.strictEqual(token, Math.max(...seen.tokens))
              break
            }
            case "put": {
              const put = run(store.put(key, Envelope.withVersion(envelope("v"), given), life))
              if (put) {
                assert.isAbove(given, before)
                seen.issued.push(given)
              }
              break
            }
            case "release":
              run(arbiter.release(key, token, pick % 2 === 0 ? 0 : 1000))
              break
            case "renew":
              if (run(arbiter.renew(key, token, 10_000))) assert.isAbove(token, seen.changed)
              break
            case "set":
              write({ _tag: "Set", envelope: envelope("v"), lifeMillis: life })
              break
            case "remove":
              write({ _tag: "Remove" })
              break
            case "expire":
              write({ _tag: "Expire" })
              break
            case "drop":
              run(store.drop(key, before))
          }
        }
      }),
      { numRuns: 2000 },
    )
  })
})
