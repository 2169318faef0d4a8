/** Why memory could not answer a call, and who answered instead. */
import { assert, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Fiber, Layer, PubSub, Schema } from "effect"
import { TestClock } from "effect/testing"

const make = (maxEntries = 10) =>
  Larder.make({
    name: "causes",
    value: Schema.Finite,
    upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
    policy: Policy.make({
      freshFor: "10 seconds",
      staleWhileRevalidate: "10 seconds",
      staleIfError: "1 hour",
    }),
    tags: () => ["words"],
  }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer({ maxEntries }))))

type Node = Effect.Success<ReturnType<typeof make>>

/** The causes of the misses while the effect runs. */
const causes = <A, E>(larder: Node, effect: Effect.Effect<A, E>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const subscription = yield* larder.subscribe
      yield* effect
      const events = yield* PubSub.takeUpTo(subscription, 1_000)
      return events.flatMap((event) => (event._tag === "Miss" ? [event.cause] : []))
    }),
  )

it.effect("each miss has its cause", () =>
  Effect.gen(function* () {
    const larder = yield* make()
    const get = larder.get("milk")
    assert.deepStrictEqual(yield* causes(larder, get), ["new"])
    assert.deepStrictEqual(yield* causes(larder, get), [])
    assert.deepStrictEqual(yield* causes(larder, larder.refresh("milk")), ["demand"])
    const young = larder.get("milk", { maxAge: "1 second" })
    yield* TestClock.adjust("5 seconds")
    assert.deepStrictEqual(yield* causes(larder, young), ["demand"])
    yield* TestClock.adjust("15 seconds")
    const never = larder.get("milk", { stale: "never" })
    assert.deepStrictEqual(yield* causes(larder, never), ["demand"])
    yield* TestClock.adjust("30 seconds")
    assert.deepStrictEqual(yield* causes(larder, get), ["expired"])
    yield* larder.invalidateTags("words")
    assert.deepStrictEqual(yield* causes(larder, get), ["marked"])
    yield* larder.invalidateTags("words", { keepStale: false })
    assert.deepStrictEqual(yield* causes(larder, get), ["marked"])
    yield* larder.expire("milk")
    assert.deepStrictEqual(yield* causes(larder, get), ["expired"])
    const { misses, missesByCause } = yield* larder.stats
    assert.deepInclude(missesByCause, { new: 1, demand: 3, expired: 2, marked: 2 })
    assert.strictEqual(misses, 8)
  }).pipe(Effect.scoped),
)

it.effect("a key that was evicted is not new", () =>
  Effect.gen(function* () {
    const larder = yield* make(4)
    const words = Array.from({ length: 20 }, (_, i) => "x".repeat(i + 1))
    for (const word of words) yield* larder.get(word)
    const left = new Set(yield* larder.keys)
    const evicted = words.findLast((word) => !left.has(word))!
    assert.deepStrictEqual(yield* causes(larder, larder.get(evicted)), ["evicted"])
    assert.deepStrictEqual(yield* causes(larder, larder.get("never asked for")), ["new"])
  }).pipe(Effect.scoped),
)

it.effect("a value of a farther tier is an answer of that tier, after a miss", () =>
  Effect.gen(function* () {
    const shared = yield* Layer.build(MemoryTier.layerShared)
    const stack = TierStack.layer(MemoryTier.layer(), Layer.succeedContext(shared))
    const node = Larder.make({
      name: "causes",
      value: Schema.Finite,
      upstream: Upstream.make({
        lookup: (word: string) => Effect.delay(Effect.succeed(word.length), 50),
      }),
      policy: Policy.make({ freshFor: "10 seconds" }),
    }).pipe(Effect.provide(stack, { local: true }))
    const [one, other] = [yield* node, yield* node]
    const events = yield* one.subscribe
    const asking = yield* Effect.forkChild(one.get("milk"), { startImmediately: true })
    const leaving = yield* Effect.forkChild(one.get("tea"), { startImmediately: true })
    yield* TestClock.adjust(10)
    yield* Fiber.interrupt(leaving)
    yield* TestClock.adjust(40)
    yield* Fiber.join(asking)
    const told = yield* PubSub.takeUpTo(events, 100)
    const ended = told.filter(({ _tag }) => _tag === "Answered" || _tag === "Left")
    assert.deepInclude(ended[0], { _tag: "Left", key: "tea", millis: 10 })
    assert.deepInclude(ended[1], { _tag: "Answered", key: "milk", tier: "upstream", millis: 50 })
    assert.strictEqual(yield* other.get("milk"), 4)
    const { answers, hits, misses } = yield* other.stats
    assert.deepInclude(answers["shared"], { fresh: 1, stale: 0 })
    assert.deepStrictEqual({ hits, misses }, { hits: 0, misses: 1 })
  }).pipe(Effect.scoped),
)
