/** A shared tier whose records a test loses: flushed, evicted, or replaced by a replica from before. */
import { assert, describe, it } from "@effect/vitest"
import { Envelope, Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { Effect, Layer, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"

const life = 60_000

const opened = Effect.gen(function* () {
  const server = yield* MemoryTier.sharedServer({ heartbeat: "1 second" })
  const tier = yield* Effect.provide(Tier.Tier, server.layer)
  if (tier.kind !== "bytes") return yield* Effect.die("not a byte tier")
  const store = yield* tier.open({ larder: "words" })
  if (store.arbiter === undefined) return yield* Effect.die("no arbiter")
  const { arbiter } = store
  const versionOf = (key: string) =>
    Effect.map(store.read([key]), ([bytes]) => bytes && Envelope.version(bytes))
  const set = (key: string) =>
    Effect.map(
      arbiter.write(key, { _tag: "Set", envelope: value, lifeMillis: life }, 0),
      ({ version }) => version,
    )
  return { server, store, arbiter, versionOf, set }
})

const value = Envelope.make({
  version: 0,
  freshUntil: life,
  revalidateUntil: life,
  staleUntil: life,
  storedAt: 0,
  schemaVersion: 0,
  loadMillis: 1,
  asOf: 0,
  tags: [],
  wire: "json",
  value: new Uint8Array([1]),
})

const test = (title: string, body: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () => Effect.andThen(TestClock.setTime(1_790_000_000_000), Effect.scoped(body)))

describe("a shared tier that loses its records", () => {
  test(
    "flushed, it has no entry and no lease, and its numbers rise",
    Effect.gen(function* () {
      const { arbiter, server, set, versionOf } = yield* opened
      const before = yield* set("milk")
      const lease = yield* arbiter.acquire("bread", { known: 0, leaseMillis: 1_000, force: false })
      yield* server.loseAll
      assert.strictEqual(yield* versionOf("milk"), undefined)
      const again = yield* arbiter.acquire("bread", { known: 0, leaseMillis: 1_000, force: false })
      assert.strictEqual(again._tag, "Won")
      assert.isTrue("token" in again && "token" in lease && again.token > lease.token)
      assert.isTrue((yield* set("milk")) > before)
    }),
  )

  test(
    "flushed, it raises the floor of marks: also of those that drop, if there were any",
    Effect.gen(function* () {
      const { arbiter, server } = yield* opened
      const { number } = yield* arbiter.mark(["a"], true, 0)
      yield* server.loseAll
      const kept = yield* arbiter.marks(0)
      assert.isTrue(kept.floor >= number && kept.last >= number)
      assert.deepStrictEqual([kept.marks, kept.dropFloor], [[], 0])
      const dropping = yield* arbiter.mark(["a"], false, 0)
      yield* server.loseAll
      assert.isTrue((yield* arbiter.marks(0)).dropFloor >= dropping.number)
    }),
  )

  test(
    "flushed, it raises the floor above a mark that a node has set when it heard of another",
    Effect.gen(function* () {
      const { arbiter, server } = yield* opened
      const runSync = Effect.runSyncWith(yield* Effect.context<never>())
      const heard: Array<number> = []
      yield* arbiter.listen!((message) => {
        if (message._tag !== "Marked") return
        heard.push(message.page.last)
        if (heard.length === 1) runSync(arbiter.mark(["b"], true, 0))
      })
      yield* arbiter.mark(["a"], true, 0)
      yield* server.loseAll
      assert.isAtLeast((yield* arbiter.marks(0)).floor, heard[1]!)
    }),
  )

  test(
    "flushed, it begins new floors when a node asks: above what was written since the flush",
    Effect.gen(function* () {
      const { arbiter, server } = yield* opened
      const set = { _tag: "Set", envelope: value, lifeMillis: life } as const
      yield* server.loseAll
      const first = yield* arbiter.write("milk", set, 0)
      yield* TestClock.adjust("1 second")
      const second = yield* arbiter.write("bread", set, 0)
      // An entry that comes with this number was looked up after it.
      assert.strictEqual(second.lastMark, first.lastMark! + 1_000_000)
      yield* TestClock.adjust("1 second")
      const { floor, last } = yield* arbiter.marks(0)
      assert.deepStrictEqual([floor, last], [last, second.lastMark! + 1_000_000])
      assert.strictEqual((yield* arbiter.write("milk", set, 0)).lastMark, last)
    }),
  )

  test(
    "evicts the given share of its entries",
    Effect.gen(function* () {
      const { server, set, versionOf } = yield* opened
      yield* set("milk")
      yield* server.evict(0)
      assert.isNumber(yield* versionOf("milk"))
      const keys = Array.from({ length: 200 }, (_, i) => `key ${i}`)
      yield* Effect.forEach(keys, set)
      yield* server.evict(0.5)
      const left = (yield* Effect.forEach(keys, versionOf)).filter((one) => one !== undefined)
      assert.isTrue(left.length > 60 && left.length < 140, `${left.length}`)
      yield* server.evict(1)
      assert.strictEqual(yield* versionOf("milk"), undefined)
    }),
  )

  test(
    "a replica has what was written before it was made, and gives higher numbers than its master",
    Effect.gen(function* () {
      const { server, set, versionOf } = yield* opened
      const first = yield* set("milk")
      const failOver = yield* server.replicate
      const second = yield* set("milk")
      yield* set("bread")
      yield* failOver
      assert.strictEqual(yield* versionOf("milk"), first)
      assert.strictEqual(yield* versionOf("bread"), undefined)
      assert.isTrue((yield* set("milk")) > second)
    }),
  )

  test(
    "a replica whose reader knows a later mark raises its floors",
    Effect.gen(function* () {
      const { arbiter, server } = yield* opened
      yield* arbiter.mark(["a"], true, 0)
      const failOver = yield* server.replicate
      const lost = yield* arbiter.mark(["b"], false, 0)
      yield* failOver
      const page = yield* arbiter.marks(0)
      assert.isTrue(page.last < lost.number)
      assert.isTrue(page.floor < lost.number)
      const known = yield* arbiter.marks(lost.number)
      assert.deepStrictEqual(
        [known.last, known.floor, known.dropFloor],
        [lost.number, lost.number, lost.number],
      )
      // For all readers from then on.
      assert.strictEqual((yield* arbiter.marks(0)).floor, lost.number)
    }),
  )

  test(
    "a replica that lacks only marks that keep stale values leaves those values",
    Effect.gen(function* () {
      const { arbiter, server } = yield* opened
      yield* arbiter.mark(["a"], false, 0)
      const failOver = yield* server.replicate
      const lost = yield* arbiter.mark(["b"], true, 0)
      yield* failOver
      const { dropFloor, floor, last } = yield* arbiter.marks(lost.number)
      assert.deepStrictEqual([last, floor, dropFloor], [lost.number, lost.number, 0])
    }),
  )

  test(
    "its subscriptions are disconnected for a moment when it fails over",
    Effect.gen(function* () {
      const heard: Array<string> = []
      const { arbiter, server } = yield* opened
      yield* arbiter.listen!((message) =>
        heard.push(message._tag === "Gap" ? `${message.reason} ${message.isOver}` : message._tag),
      )
      const failOver = yield* server.replicate
      yield* failOver
      yield* arbiter.write("milk", { _tag: "Remove" }, 0)
      assert.deepStrictEqual(heard, ["disconnected false", "disconnected true", "Changed"])
    }),
  )

  test(
    "law 12: a node looks up again what an invalidation that was lost covered",
    Effect.gen(function* () {
      const server = yield* MemoryTier.sharedServer()
      let price = 1
      const node = Larder.make({
        name: "prices",
        value: Schema.Finite,
        upstream: Upstream.make({ lookup: (_: string) => Effect.sync(() => price) }),
        policy: Policy.make({ freshFor: "1 hour" }),
        tags: () => ["all"],
      }).pipe(Effect.provide(Layer.fresh(TierStack.layer(server.layer))))
      const one = yield* node
      const other = yield* node
      assert.strictEqual(yield* one.get("milk"), 1)
      const failOver = yield* server.replicate
      price = 2
      yield* other.invalidateTags(["all"])
      yield* failOver
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual([yield* one.get("milk"), yield* other.get("milk")], [2, 2])
    }),
  )
})
