/** A nearer tier takes an entry over from a farther one unchanged, and never gives it a longer life. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Layer, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"

const shared = Effect.map(Layer.build(Layer.fresh(MemoryTier.layerShared)), (context) =>
  Layer.succeedContext(context),
)

/** A larder over memory of its own, in front of what all share; each lookup takes 300 ms. */
const node = (
  tier: Effect.Success<typeof shared>,
  memory: MemoryTier.Options,
  lookups: Array<string> = [],
) =>
  Larder.make({
    name: "adopted",
    value: Schema.Finite,
    tags: () => ["x", "y"],
    etag: () => "v1",
    upstream: Upstream.make({
      lookup: (key: string) =>
        Effect.delay(
          Effect.sync(() => lookups.push(key)),
          300,
        ),
    }),
    policy: Policy.make({ freshFor: "10 seconds", staleIfError: "1 minute" }),
  }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer(memory), tier)))

const test = (title: string, body: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () => Effect.andThen(TestClock.setTime(1_790_000_000_000), Effect.scoped(body)))

const waited = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    yield* TestClock.adjust(300)
    return yield* Effect.flatten(Effect.sync(() => fiber.pollUnsafe()!))
  })

test(
  "law 4: adopting keeps times, version, tags, asOf, etag and loadMillis",
  Effect.gen(function* () {
    const tier = yield* shared
    const a = yield* node(tier, {})
    const b = yield* node(tier, {})
    yield* a.invalidateTags(["another"])
    yield* waited(a.get("k"))
    const { entry: looked } = yield* a.read("k")
    yield* TestClock.adjust("3 seconds")
    yield* b.get("k")
    const { entry: adopted, tier: from } = yield* b.read("k")
    expect(from).toBe("memory")
    expect(adopted).toEqual(looked)
    expect(adopted).toMatchObject({ loadMillis: 300, tags: ["x", "y"], etag: "v1" })
  }),
)

test(
  "law 4: a cap of memory's own ends freshness there earlier, and lengthens nothing",
  Effect.gen(function* () {
    const tier = yield* shared
    const lookups: Array<string> = []
    const a = yield* node(tier, {}, lookups)
    const b = yield* node(tier, { maxFreshFor: "4 seconds" }, lookups)
    yield* waited(a.get("k"))
    yield* TestClock.adjust("3 seconds")
    expect(yield* b.get("k")).toBe(1)
    const meta = yield* b.getWithMeta("k")
    expect([meta.tier, meta.age]).toEqual(["memory", 3_000])
    // The cap is over: what the shared tier has is still good, for the rest of its own time.
    yield* TestClock.adjust("4 seconds")
    expect((yield* b.getWithMeta("k")).tier).toBe("shared")
    expect(lookups).toEqual(["k"])
    // 3 more seconds of its 10 are left, less than another cap.
    yield* TestClock.adjust("3 seconds")
    expect(yield* waited(b.get("k"))).toBe(2)
    expect(lookups).toEqual(["k", "k"])
  }),
)
