/** Laws 14 and 16: what takes this node long to decode is no slowness of the tier. */
import { it } from "@effect/vitest"
import {
  Larder,
  type LarderEvent,
  MemoryTier,
  Policy,
  Tier,
  TierStack,
  Upstream,
  Wire,
} from "@larder/core"
import { Effect, Exit, Fiber, Layer, Schema, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { assert } from "vitest"

interface Slow {
  millis: number
  running: number
  /** The most that ran at once. */
  peak: number
}

/** JSON that takes its time to be read; `slow` is how long. */
const slowly = (slow: Slow): Wire.Wire => ({
  name: "slow",
  encode: Wire.json.encode,
  decode: (bytes, context) =>
    Effect.suspend(() => {
      slow.running += 1
      slow.peak = Math.max(slow.peak, slow.running)
      return Effect.sleep(slow.millis)
    }).pipe(
      Effect.andThen(Wire.json.decode(bytes, context)),
      Effect.ensuring(Effect.sync(() => (slow.running -= 1))),
    ),
})

const setUp = Effect.gen(function* () {
  yield* TestClock.setTime(1_790_000_000_000)
  const slow: Slow = { millis: 0, running: 0, peak: 0 }
  const shared = Layer.effect(
    Tier.Tier,
    Effect.map(Tier.Tier, (tier) => ({ ...tier, wire: slowly(slow) })),
  ).pipe(Layer.provide(Layer.fresh(MemoryTier.layerShared)))
  const context = yield* Layer.build(shared)
  const node = (memory: boolean) =>
    Effect.gen(function* () {
      const tier = Layer.succeed(Tier.Tier, yield* Effect.provide(Tier.Tier, context))
      const stack = yield* Layer.build(
        memory ? TierStack.layer(MemoryTier.layer(), tier) : TierStack.layer(tier),
      )
      const larder = yield* Larder.make({
        name: "decoding",
        value: Schema.String,
        upstream: Upstream.make({ lookup: (key: string) => Effect.succeed(`of ${key}`) }),
        policy: Policy.make({ freshFor: "1 hour", jitter: 0 }),
      }).pipe(Effect.provide(stack))
      const events: Array<LarderEvent.LarderEvent> = []
      yield* Stream.fromSubscription(yield* larder.subscribe).pipe(
        Stream.runForEach((event) => Effect.sync(() => events.push(event))),
        Effect.forkScoped({ startImmediately: true }),
      )
      return { larder, events }
    })
  return { slow, node }
})

const run = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    for (let i = 0; fiber.pollUnsafe() === undefined && i < 10_000; i++) yield* TestClock.adjust(1)
    return yield* Fiber.join(fiber)
  })

const test = (title: string, body: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () => Effect.scoped(body))

const tagsOf = (events: ReadonlyArray<LarderEvent.LarderEvent>, ...tags: ReadonlyArray<string>) =>
  events.filter(({ _tag }) => tags.includes(_tag))

for (const memory of [true, false]) {
  test(
    `laws 14 and 16: decoding past its bound is Undecodable, repaired, and no failure of the tier, ${memory ? "with" : "without"} memory`,
    Effect.gen(function* () {
      const { node, slow } = yield* setUp
      const writer = yield* node(true)
      const keys = Array.from({ length: 8 }, (_, i) => `k${i}`)
      for (const key of keys) yield* writer.larder.set(key, "stored")
      const { events, larder } = yield* node(memory)
      slow.millis = 150
      for (const key of keys) assert.strictEqual(yield* run(larder.get(key)), `of ${key}`)
      assert.strictEqual((yield* larder.stats).breakers["shared"], "Closed")
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(tagsOf(events, "TierFailed", "BreakerChanged"), [])
      const undecodable = tagsOf(events, "Undecodable")
      assert.isAtLeast(undecodable.length, keys.length)
      for (const event of undecodable) {
        assert(event._tag === "Undecodable")
        assert.match(event.reason, /decoding took longer than tierTimeout, 100 ms; raise it/)
      }
      assert.strictEqual(slow.running, 0)
      slow.millis = 0
      const third = yield* node(false)
      for (const key of keys) assert.strictEqual(yield* run(third.larder.get(key)), `of ${key}`)
    }),
  )
}

test(
  "law 14: decoding within its bound is not in the tier's time, for one key and for many",
  Effect.gen(function* () {
    const { node, slow } = yield* setUp
    const writer = yield* node(true)
    const keys = Array.from({ length: 8 }, (_, i) => `k${i}`)
    for (const key of keys) yield* writer.larder.set(key, "stored")
    const { events, larder } = yield* node(false)
    slow.millis = 90
    assert.strictEqual(yield* run(larder.get("k0")), "stored")
    const found = yield* run(larder.getMany(keys))
    for (const key of keys) assert.deepStrictEqual(found.get(key), Exit.succeed("stored"))
    assert.strictEqual((yield* run(larder.read("k1"))).entry?.value, "stored")
    yield* TestClock.adjust(1)
    assert.deepStrictEqual(tagsOf(events, "TierFailed", "Undecodable"), [])
  }),
)

test(
  "law 14: of a batch that takes too long to decode, what is left has no answer, and is not undecodable",
  Effect.gen(function* () {
    const { node, slow } = yield* setUp
    const writer = yield* node(true)
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
    for (const key of keys) yield* writer.larder.set(key, "stored")
    const { events, larder } = yield* node(false)
    slow.millis = 90
    const found = yield* run(larder.getMany(keys))
    const values = keys.map((key) => found.get(key)!)
    const stored = values.filter((exit) => Exit.isSuccess(exit) && exit.value === "stored")
    assert.isAtLeast(stored.length, 32)
    assert.isBelow(stored.length, 100)
    assert.isTrue(values.every(Exit.isSuccess))
    assert.deepStrictEqual(tagsOf(events, "TierFailed", "Undecodable"), [])
  }),
)

test(
  "law 14: of a batch, 16 values are decoded side by side, and none is begun when its time is over",
  Effect.gen(function* () {
    const { node, slow } = yield* setUp
    const writer = yield* node(true)
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
    for (const key of keys) yield* writer.larder.set(key, "stored")
    const { larder } = yield* node(false)
    slow.millis = 50
    const found = yield* run(larder.getMany(keys))
    const stored = [...found.values()].filter(
      (exit) => Exit.isSuccess(exit) && exit.value === "stored",
    )
    assert.strictEqual(slow.peak, 16)
    // 200 ms are four times 50.
    assert.strictEqual(stored.length, 4 * 16)
  }),
)

test(
  "a caller that leaves while its value is decoded ends the decoding",
  Effect.gen(function* () {
    const { node, slow } = yield* setUp
    const writer = yield* node(true)
    yield* writer.larder.set("k", "stored")
    const { larder } = yield* node(true)
    slow.millis = 90
    const fiber = yield* Effect.forkChild(larder.get("k"), { startImmediately: true })
    yield* TestClock.adjust(10)
    assert.strictEqual(slow.running, 1)
    yield* Fiber.interrupt(fiber)
    yield* TestClock.adjust(1)
    assert.strictEqual(slow.running, 0)
  }),
)
