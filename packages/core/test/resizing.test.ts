import { assert, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Fiber, PubSub } from "effect"
import { TestClock } from "effect/testing"

const make = (options: MemoryTier.Options) =>
  Effect.gen(function* () {
    const larder = yield* Larder.make({
      name: "resized",
      upstream: Upstream.make({
        lookup: (key: string) => Effect.succeed(key.length),
      }),
      policy: Policy.make({ freshFor: "1 minute" }),
    })
    const fill = (entries: number) =>
      Effect.forEach(
        Array.from({ length: entries }, (_, i) => `key ${i}`),
        (key) => larder.get(key),
        { discard: true },
      )
    return { larder, fill }
  }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer(options)), { local: true }))

it.effect("law 17: memory is within lower bounds when resizeMemory ends", () =>
  Effect.gen(function* () {
    const { fill, larder } = yield* make({ maxEntries: 5_000 })
    yield* fill(5_000)
    yield* larder.resizeMemory({ maxEntries: 100 })
    assert.strictEqual((yield* larder.stats).entries, 100)
    yield* fill(1_000)
    assert.strictEqual((yield* larder.stats).entries, 100)
    yield* larder.resizeMemory({ maxEntries: 1_000 })
    yield* fill(1_000)
    assert.isAbove((yield* larder.stats).entries, 900)
  }).pipe(Effect.scoped),
)

it.effect("law 17: while memory shrinks it never grows, and others have their turn", () =>
  Effect.gen(function* () {
    const { fill, larder } = yield* make({ maxEntries: 5_000 })
    yield* fill(5_000)
    const shrinking = yield* Effect.forkChild(larder.resizeMemory({ maxEntries: 10 }))
    let before = 5_000
    let turns = 0
    for (; shrinking.pollUnsafe() === undefined; turns += 1) {
      yield* larder.set(`new ${turns}`, 1)
      const { entries } = yield* larder.stats
      assert.isAtMost(entries, before)
      before = entries
      yield* Effect.yieldNow
    }
    yield* Fiber.join(shrinking)
    assert.isAbove(turns, 3)
    assert.strictEqual((yield* larder.stats).entries, 10)
  }).pipe(Effect.scoped),
)

it.effect("law 17: expired entries go before others, each told once; the other bound stays", () =>
  Effect.gen(function* () {
    const { larder } = yield* make({ maxEntries: 100, maxWeight: 50 })
    yield* larder.set("old", 1)
    yield* TestClock.adjust("30 seconds")
    for (let i = 0; i < 20; i += 1) yield* larder.set(`key ${i}`, 1)
    yield* TestClock.adjust("30 seconds")
    const told = yield* larder.subscribe
    yield* PubSub.take(told)
    yield* larder.resizeMemory({ maxWeight: 20 })
    const events = yield* PubSub.takeAll(told)
    const evicted = events.map((event) =>
      event._tag === "Evicted" ? [event.key, event.cause] : event,
    )
    assert.deepStrictEqual(evicted, [["old", "expired"]])
    yield* larder.resizeMemory({ maxEntries: 1_000 })
    for (let i = 0; i < 40; i += 1) yield* larder.set(`more ${i}`, 1)
    assert.strictEqual((yield* larder.stats).weight, 20)
  }).pipe(Effect.scoped),
)

it.effect("bounds that cannot hold are refused, and nothing is evicted", () =>
  Effect.gen(function* () {
    const { fill, larder } = yield* make({ maxEntries: 100 })
    yield* fill(10)
    const refused = yield* Effect.flip(larder.resizeMemory({ maxEntries: 0 }))
    assert.strictEqual(refused._tag, "InvalidOptions")
    assert.strictEqual((yield* larder.stats).entries, 10)
  }).pipe(Effect.scoped),
)
