/** `removeWhere` removes each key with a prefix in every tier, as `remove` does. */
import { describe, expect, it as plain } from "@effect/vitest"
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, wayToShared } from "./support/faultyTier.ts"
import { fork, make, source, start, test } from "./support/nodes.ts"

const built = (layer: Layer.Layer<Tier.Tier>) =>
  Effect.map(Layer.build(layer), (context) => Layer.succeedContext(context))

const heard = Effect.forEach(Array.from({ length: 4 }), () => Effect.yieldNow, { discard: true })

/** Two nodes over one shared tier, A with a file in front of it. */
const two = Effect.gen(function* () {
  yield* start
  const shared = yield* built(MemoryTier.layerSharedWith({}))
  const file = yield* built(fileLayer(new Faults()))
  const from = source(Effect.succeed(1))
  const faults = new Faults()
  const a = yield* make(
    from,
    TierStack.layer(MemoryTier.layer(), file, wayToShared(faults, shared)),
  )
  const b = yield* make(from, TierStack.layer(MemoryTier.layer(), shared))
  return { a, b, faults, from }
})

const ended = { keys: 2, settled: true, pending: [] }

test(
  "keys with the prefix go from all tiers and from the memory of other nodes; others stay",
  Effect.gen(function* () {
    const { a, b, from } = yield* two
    yield* a.getMany(["shop:1", "shop:2", "shopping", "other"])
    yield* b.getMany(["shop:1", "shop:2", "shopping", "other"])
    from.asked = 0
    expect(yield* b.removeWhere({ prefix: "shop:" })).toEqual(ended)
    yield* heard
    for (const node of [a, b]) {
      expect((yield* node.read("shop:1")).freshness._tag).toBe("Missing")
      expect((yield* node.read("shop:2")).freshness._tag).toBe("Missing")
      expect((yield* node.read("shopping")).freshness._tag).toBe("Fresh")
      expect((yield* node.read("other")).freshness._tag).toBe("Fresh")
    }
    expect(from.asked).toBe(0)
  }),
)

test(
  "law 11: a lookup of this node that began before is not kept",
  Effect.gen(function* () {
    const { a, b, from } = yield* two
    from.answer = () => Effect.delay(Effect.succeed(1), 1_000)
    const asking = yield* fork(a.get("shop:1"))
    yield* TestClock.adjust(10)
    yield* a.removeWhere({ prefix: "shop:" })
    yield* TestClock.adjust(1_000)
    expect(yield* Fiber.join(asking)).toBe(1)
    for (const node of [a, b]) {
      expect((yield* node.read("shop:1")).freshness._tag).toBe("Missing")
    }
  }),
)

test(
  "law 11: a lookup of another node that began before is not kept, though no tier has the key",
  Effect.gen(function* () {
    const { a, b, from } = yield* two
    from.answer = () => Effect.delay(Effect.succeed(1), 1_000)
    const asking = yield* fork(b.get("shop:1"))
    yield* TestClock.adjust(10)
    expect(yield* a.removeWhere({ prefix: "shop:" })).toMatchObject({ keys: 1, settled: true })
    yield* TestClock.adjust(1_000)
    expect(yield* Fiber.join(asking)).toBe(1)
    for (const node of [a, b]) {
      expect((yield* node.read("shop:1")).freshness._tag).toBe("Missing")
    }
  }),
)

test(
  "a key that a node has evicted from memory goes from the shared tier",
  Effect.gen(function* () {
    const { a, b } = yield* two
    yield* a.get("shop:1")
    expect(yield* b.removeWhere({ prefix: "shop:" })).toMatchObject({ keys: 1, settled: true })
    yield* heard
    expect((yield* a.read("shop:1")).freshness._tag).toBe("Missing")
  }),
)

/** A tier that does something else whenever a page of its keys is asked for. */
const whileWalked = (
  layer: Layer.Layer<Tier.Tier>,
  meanwhile: (store: Tier.ByteStore) => Work,
  /** What each read waits for after the tier has answered. */
  arrives: Effect.Effect<void> = Effect.void,
) =>
  Layer.effect(
    Tier.Tier,
    Effect.gen(function* () {
      const tier = yield* Tier.Tier
      if (tier.kind !== "bytes") return tier
      const opened = (options: Parameters<typeof tier.open>[0]) =>
        Effect.map(tier.open(options), (store) => ({
          ...store,
          read: (keys: ReadonlyArray<string>) => Effect.tap(store.read(keys), () => arrives),
          keys: (prefix: string, after: string | undefined) =>
            Effect.andThen(meanwhile(store), store.keys!(prefix, after)),
        }))
      return { ...tier, open: opened }
    }),
  ).pipe(Layer.provide(layer))

type Work = Effect.Effect<unknown, Tier.TierError>

const evicted = (store: Tier.ByteStore) => store.drop("shop:1", Number.MAX_SAFE_INTEGER)

test(
  "law 11: a value that is copied to memory meanwhile, and evicted where it was, goes as well",
  Effect.gen(function* () {
    yield* start
    const shared = yield* built(MemoryTier.layerSharedWith({}))
    const from = source(Effect.succeed(1))
    const b = yield* make(from, TierStack.layer(MemoryTier.layer(), shared))
    let copied: Effect.Effect<unknown> = Effect.void
    const walked = whileWalked(shared, (store) =>
      Effect.andThen(
        Effect.suspend(() => copied),
        evicted(store),
      ),
    )
    const a = yield* make(from, TierStack.layer(MemoryTier.layer(), walked))
    yield* b.get("shop:1")
    copied = Effect.ignore(a.get("shop:1"))
    expect(yield* a.removeWhere({ prefix: "shop:" })).toMatchObject({ keys: 1, settled: true })
    expect(from.asked).toBe(1)
    expect((yield* a.read("shop:1")).freshness._tag).toBe("Missing")
  }),
)

test(
  "law 11: a copy that is on its way to memory when the walk ends is not kept",
  Effect.gen(function* () {
    yield* start
    const shared = yield* built(MemoryTier.layerSharedWith({}))
    const from = source(Effect.succeed(1))
    const b = yield* make(from, TierStack.layer(MemoryTier.layer(), shared))
    yield* b.get("shop:1")
    let begins: Effect.Effect<unknown> = Effect.void
    const arrives = yield* Deferred.make<void>()
    const walked = whileWalked(
      shared,
      (store) =>
        Effect.andThen(
          Effect.suspend(() => begins),
          evicted(store),
        ),
      Deferred.await(arrives),
    )
    const a = yield* make(from, TierStack.layer(MemoryTier.layer(), walked))
    let copying: Fiber.Fiber<unknown, unknown> | undefined
    begins = Effect.map(Effect.forkDetach(a.get("shop:1"), { startImmediately: true }), (fiber) => {
      copying ??= fiber
    })
    expect(yield* a.removeWhere({ prefix: "shop:" })).toMatchObject({ settled: true })
    yield* Deferred.succeed(arrives, undefined)
    expect(yield* Fiber.join(copying!)).toBe(1)
    expect(from.asked).toBe(1)
    expect(yield* a.has("shop:1")).toBe(false)
  }),
)

const many = Array.from({ length: 5_000 }, (_, i) => `${i % 2 === 0 ? "shop" : "other"}:${i}`)

test(
  "law 11: keys that are read, set and looked up again while memory is walked go or are newer",
  Effect.gen(function* () {
    yield* start
    let now = 1
    const from = source(Effect.sync(() => now))
    const larder = yield* make(from, TierStack.layer(MemoryTier.layer({ maxEntries: 4_000 })))
    yield* larder.getMany(many)
    now = 2
    const state = { isOver: false }
    // Reads move entries in the order of eviction, and lookups evict others.
    const busy = Effect.gen(function* () {
      for (let i = 0; !state.isOver; i += 7) {
        yield* larder.get(many[i % many.length]!)
        yield* larder.get(`new:${i}`)
        if (i % 5 === 0) yield* larder.set(many[(i * 3) % many.length]!, 3)
        yield* Effect.yieldNow
      }
    })
    const others = yield* fork(busy)
    expect(yield* larder.removeWhere({ prefix: "shop:" })).toMatchObject({ settled: true })
    state.isOver = true
    yield* Fiber.join(others)
    for (const key of many.filter((each) => each.startsWith("shop:"))) {
      const { entry } = yield* larder.read(key)
      expect(entry?.value ?? "missing", key).not.toBe(1)
    }
  }),
)

test(
  "where the shared tier does not list its keys it fails, says how many went, and may be called again",
  Effect.gen(function* () {
    const { a, faults } = yield* two
    yield* a.getMany(["shop:1", "shop:2"])
    faults.turn("fail", "reads")
    const error = yield* Effect.flip(a.removeWhere({ prefix: "shop:" }))
    expect(error).toMatchObject({
      _tag: "KeysNotListed",
      tier: "shared",
      reason: "failed",
      keys: 2,
    })
    faults.turn("none", "all")
    yield* TestClock.adjust("1 minute")
    expect(yield* a.removeWhere({ prefix: "shop:" })).toMatchObject({ settled: true })
  }),
)

test(
  "removals that the shared tier does not take are pending",
  Effect.gen(function* () {
    const { a, faults } = yield* two
    yield* a.getMany(["shop:1", "shop:2"])
    faults.turn("fail", "writes")
    expect(yield* a.removeWhere({ prefix: "shop:" })).toEqual({
      keys: 2,
      settled: false,
      pending: ["shared"],
    })
    faults.turn("none", "all")
    yield* TestClock.adjust("1 minute")
    expect(yield* a.removeWhere({ prefix: "shop:" })).toMatchObject({ settled: true })
  }),
)

const open = (layer: Layer.Layer<TierStack.TierStack>, options: object = {}) =>
  Effect.provide(
    Larder.make({
      name: "where",
      value: Schema.Finite,
      upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }),
      policy: Policy.make({ freshFor: "1 hour" }),
      ...options,
    }),
    layer,
  )

const overMemory = TierStack.layer(MemoryTier.layer())

plain.effect("over memory alone, and over a tier of values behind another", () =>
  Effect.scoped(
    Effect.gen(function* () {
      for (const layer of [overMemory, TierStack.layer(MemoryTier.layer(), MemoryTier.layer())]) {
        const larder = yield* open(layer)
        yield* larder.getMany(["shop:1", "other"])
        expect(yield* larder.removeWhere({ prefix: "shop:" })).toMatchObject({ keys: 1 })
        expect((yield* larder.read("shop:1")).freshness._tag).toBe("Missing")
        expect((yield* larder.read("other")).freshness._tag).toBe("Fresh")
      }
    }),
  ),
)

plain.effect(
  "keys that are strings with a # in front are found by it; numbers are not strings",
  () =>
    Effect.scoped(
      Effect.gen(function* () {
        const larder = yield* Effect.provide(
          Larder.make({
            name: "hash",
            upstream: Upstream.make({ lookup: (_: string | number) => Effect.succeed(1) }),
            policy: Policy.make({ freshFor: "1 hour" }),
          }),
          overMemory,
        )
        yield* larder.getMany(["#1", 1, "1"])
        expect(yield* larder.removeWhere({ prefix: "#" })).toMatchObject({ keys: 1 })
        expect(yield* larder.has("#1")).toBe(false)
        expect(yield* larder.has(1)).toBe(true)
      }),
    ),
)

plain.effect("law 11: over memory alone, a lookup that began before is not kept", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const upstream = Upstream.make({
        lookup: (_: string) => Effect.delay(Effect.succeed(1), 100),
      })
      const larder = yield* open(overMemory, { upstream })
      const asking = yield* fork(larder.get("shop:1"))
      expect(yield* larder.removeWhere({ prefix: "shop:" })).toMatchObject({ keys: 1 })
      yield* TestClock.adjust(100)
      expect(yield* Fiber.join(asking)).toBe(1)
      expect(yield* larder.has("shop:1")).toBe(false)
    }),
  ),
)

describe("what is refused", () => {
  const unable = Layer.effect(
    Tier.Tier,
    Effect.gen(function* () {
      const tier = yield* Tier.Tier
      if (tier.kind !== "bytes") return tier
      const opened = (options: Parameters<typeof tier.open>[0]) =>
        Effect.map(tier.open(options), (store) => ({ ...store, keys: undefined }))
      return { ...tier, open: opened }
    }),
  ).pipe(Layer.provide(Layer.fresh(MemoryTier.layerShared)))

  plain.effect("a tier that cannot list keys: nothing changes", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const larder = yield* open(TierStack.layer(MemoryTier.layer(), unable))
        yield* larder.get("shop:1")
        const error = yield* Effect.flip(larder.removeWhere({ prefix: "shop:" }))
        expect(error).toMatchObject({ _tag: "KeysNotListed", reason: "unsupported", keys: 0 })
        expect(yield* larder.has("shop:1")).toBe(true)
      }),
    ),
  )

  for (const options of [{ prefix: "" }, { prefix: 1 }, {}, { prefix: "\n" }, { prefx: "a" }]) {
    plain.effect(`the options ${JSON.stringify(options)}`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          const larder = yield* open(overMemory)
          const exit = yield* Effect.exit(larder.removeWhere(options as { prefix: string }))
          const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
          expect(error).toMatchObject({ _tag: "InvalidOptions", module: "Larder" })
        }),
      ),
    )
  }
})
