import { describe, expect, it } from "@effect/vitest"
import {
  Backplane,
  Envelope,
  Larder,
  MemoryTier,
  Policy,
  Tier,
  TierStack,
  Upstream,
} from "@larder/core"
import { Chaos, LarderTest, TierConformance, Timeline } from "@larder/testing"
import { Clock, Context, Effect, Exit, Fiber, Layer, Queue, Schema } from "effect"
import { failureOf, Prices, Source } from "./support/shop.ts"

// Without faults, a tier is what it was.
TierConformance.suite({
  name: "a tier with Chaos around it",
  layer: Layer.provide(Chaos.aroundTier(Layer.fresh(MemoryTier.layerShared)), Chaos.layer),
})
TierConformance.suite({
  name: "Chaos.layerShared",
  layer: Layer.provide(Chaos.aroundTier(Layer.fresh(Chaos.layerShared)), Chaos.layer),
})

const tombstone = Envelope.tombstone(7)
const envelope = (version: number) =>
  Envelope.make({
    version,
    freshUntil: 60_000,
    revalidateUntil: 60_000,
    staleUntil: 60_000,
    storedAt: 0,
    schemaVersion: 0,
    loadMillis: 1,
    asOf: 0,
    tags: [],
    wire: "json",
    value: new TextEncoder().encode("120"),
  })

const opened = Effect.gen(function* () {
  const tier = yield* Tier.Tier
  if (tier.kind !== "bytes") return yield* Effect.die("not a tier of bytes")
  const store = yield* tier.open({ larder: "prices" })
  if (store.arbiter === undefined) return yield* Effect.die("no arbiter")
  return { store, arbiter: store.arbiter, put: (key: string) => store.put(key, tombstone, 60_000) }
})

const lease = { known: 0, leaseMillis: 1_000, force: false } as const

/** A test of one wrapped tier. */
const ofTier = (
  title: string,
  body: (
    open: Effect.Success<typeof opened>,
  ) => Effect.Effect<void, unknown, Chaos.Chaos | Timeline.Timeline>,
) =>
  it.effect(title, () =>
    Effect.flatMap(opened, body).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.provideMerge(Chaos.aroundTier(Layer.fresh(MemoryTier.layerShared)), LarderTest.layer),
      ),
    ),
  )

/** How many of so many runs succeed. */
const successes = <A, E, R>(runs: number, effect: Effect.Effect<A, E, R>) =>
  Effect.map(
    Effect.forEach(Array.from({ length: runs }), () => Effect.exit(effect)),
    (exits) => exits.filter(Exit.isSuccess).length,
  )

describe("a tier", () => {
  ofTier("fails without an effect, by the share of its operations", ({ put, store }) =>
    Effect.gen(function* () {
      yield* Chaos.setTier("shared", { failure: 1 })
      expect(yield* failureOf(put("milk"))).toContain("TierError")
      yield* Chaos.calm
      expect(yield* store.read(["milk"])).toEqual([undefined])
      yield* Chaos.setTier("shared", { failure: 0.3 })
      const count = yield* successes(1_000, store.read(["milk"]))
      expect(count).toBeGreaterThan(640)
      expect(count).toBeLessThan(760)
    }),
  )

  ofTier("has its effect, and the answer is lost", ({ put, store }) =>
    Effect.gen(function* () {
      yield* Chaos.setTier("shared", { lostAnswer: 1 })
      expect(yield* failureOf(put("milk"))).toContain("TierError")
      yield* Chaos.calm
      expect(yield* store.read(["milk"])).toEqual([tombstone])
    }),
  )

  ofTier("hangs, until the caller leaves", ({ put, store }) =>
    Effect.gen(function* () {
      yield* Chaos.setTier("shared", { hang: 1 })
      const fiber = yield* Effect.forkChild(put("milk"), { startImmediately: true })
      yield* LarderTest.advance("1 hour")
      expect(fiber.pollUnsafe()).toBeUndefined()
      yield* Fiber.interrupt(fiber)
      yield* Chaos.calm
      expect(yield* store.read(["milk"])).toEqual([undefined])
    }),
  )

  ofTier("takes a time, fixed or drawn", ({ store }) =>
    Effect.gen(function* () {
      const took = Effect.gen(function* () {
        const before = yield* Clock.currentTimeMillis
        yield* LarderTest.settle(store.read(["milk"]))
        return (yield* Clock.currentTimeMillis) - before
      })
      yield* Chaos.setTier("shared", { latency: "50 millis" })
      expect(yield* took).toBe(50)
      yield* Chaos.setTier("shared", { latency: Chaos.between("10 millis", "30 millis") })
      const times = yield* Effect.forEach(Array.from({ length: 100 }), () => took)
      expect(Math.min(...times)).toBeGreaterThanOrEqual(10)
      expect(Math.max(...times)).toBeLessThanOrEqual(30)
      // Of the 21 whole milliseconds from 10 to 30.
      expect(new Set(times).size).toBeGreaterThan(15)
      yield* Chaos.setTier("shared", { latency: Chaos.exponential("20 millis") })
      const drawn = yield* Effect.forEach(Array.from({ length: 400 }), () => took)
      const mean = drawn.reduce((sum, time) => sum + time, 0) / drawn.length
      expect(mean).toBeGreaterThan(16)
      expect(mean).toBeLessThan(24)
      yield* Chaos.setTier("shared", { latency: () => -5 })
      expect(yield* took).toBe(0)
    }),
  )

  ofTier("damages what is read, a newer value of a lease included", ({ arbiter, store }) =>
    Effect.gen(function* () {
      yield* store.put("milk", envelope(7), 60_000)
      yield* Chaos.setTier("shared", { corrupt: 1 })
      const [first] = yield* store.read(["milk"])
      expect(first).not.toEqual(envelope(7))
      expect(first).toHaveLength(envelope(7).length)
      const acquired = yield* arbiter.acquire("milk", lease)
      expect(acquired._tag === "Newer" && acquired.envelope).not.toEqual(envelope(7))
      yield* Chaos.calm
      expect(yield* store.read(["milk"])).toEqual([envelope(7)])
    }),
  )

  ofTier("leaves keys of a batch without an answer", ({ arbiter, put, store }) =>
    Effect.gen(function* () {
      const keys = Array.from({ length: 200 }, (_, index) => `k${index}`)
      yield* Effect.forEach(keys, put)
      yield* Chaos.setTier("shared", { partial: 0.5 })
      const found = (yield* store.read(keys)).filter((bytes) => bytes !== undefined)
      expect(found.length).toBeGreaterThan(70)
      expect(found.length).toBeLessThan(130)
      const requests = keys.map((key) => ({ key, ...lease, known: 8 }))
      const acquired = (yield* arbiter.acquireAll!(requests)).filter((one) => one !== undefined)
      expect(acquired.length).toBeGreaterThan(70)
      expect(acquired.length).toBeLessThan(130)
      const commits = keys.map((key) => ({
        key,
        token: 1,
        envelope: envelope(1),
        lifeMillis: 60_000,
      }))
      const committed = (yield* arbiter.commitAll!(commits)).filter((one) => one !== undefined)
      expect(committed.length).toBeGreaterThan(70)
      expect(committed.length).toBeLessThan(130)
    }),
  )

  ofTier("is hit only in the given operations", ({ arbiter, put, store }) =>
    Effect.gen(function* () {
      const outcomes = Effect.forEach(
        [
          store.read(["milk"]),
          arbiter.marks(0),
          arbiter.versions!(["milk"]),
          put("milk"),
          store.drop("eggs", 0),
          arbiter.write("bread", { _tag: "Remove" }, 0),
          arbiter.mark(["x"], true, 0),
          arbiter.commit("jam", 1, envelope(1), 1_000),
          arbiter.acquire("tea", lease),
          arbiter.renew("tea", 1, 1_000),
          arbiter.release("tea", 1, 0),
        ] as ReadonlyArray<Effect.Effect<unknown, Tier.TierError>>,
        (operation) => Effect.map(Effect.exit(operation), Exit.isSuccess),
      ).pipe(Effect.map((all) => all.map((worked) => (worked ? "+" : "-")).join("")))
      yield* Chaos.setTier("shared", { failure: 1, operations: "reads" })
      expect(yield* outcomes).toBe("---++++++++")
      yield* Chaos.setTier("shared", { failure: 1, operations: "writes" })
      expect(yield* outcomes).toBe("+++-----+++")
      yield* Chaos.setTier("shared", { failure: 1, operations: "leases" })
      expect(yield* outcomes).toBe("++++++++---")
      yield* Chaos.setTier("shared", { failure: 1 })
      expect(yield* outcomes).toBe("-----------")
    }),
  )

  ofTier("is hit only at the given keys", ({ arbiter, put, store }) =>
    Effect.gen(function* () {
      yield* Chaos.setTier("shared", { failure: 1, keys: ["milk"] })
      expect(yield* failureOf(put("milk"))).toContain("TierError")
      expect(yield* put("eggs")).toBe(true)
      expect(yield* failureOf(store.read(["eggs", "milk"]))).toContain("TierError")
      yield* arbiter.marks(0)
    }),
  )

  ofTier("leaves out and damages only the given keys", ({ arbiter, store }) =>
    Effect.gen(function* () {
      const keys = ["eggs", "milk"]
      for (const key of keys) yield* store.put(key, envelope(7), 60_000)
      yield* Chaos.setTier("shared", { partial: 1, keys: ["milk"] })
      expect(yield* store.read(keys)).toEqual([envelope(7), undefined])
      const requests = keys.map((key) => ({ key, ...lease }))
      const tags = (yield* arbiter.acquireAll!(requests)).map((one) => one?._tag)
      expect(tags).toEqual(["Newer", undefined])
      yield* Chaos.setTier("shared", { corrupt: 1, keys: ["milk"] })
      const [eggs, milk] = yield* store.read(keys)
      expect(eggs).toEqual(envelope(7))
      expect(milk).not.toEqual(envelope(7))
      const [whole, damaged] = (yield* arbiter.acquireAll!(requests)).map(
        (one) => one?._tag === "Newer" && one.envelope,
      )
      expect(whole).toEqual(envelope(7))
      expect(damaged).not.toEqual(envelope(7))
    }),
  )

  ofTier("keeps for an operation the faults that it began with", ({ store }) =>
    Effect.gen(function* () {
      yield* store.put("milk", envelope(7), 60_000)
      const reading = Effect.forkChild(store.read(["milk"]), { startImmediately: true })
      yield* Chaos.setTier("shared", { latency: "1 second", partial: 1 })
      const sparse = yield* reading
      yield* Chaos.setTier("shared", { latency: "1 second", corrupt: 1 })
      const damaged = yield* reading
      yield* Chaos.setTier("shared", { latency: "1 second" })
      const whole = yield* reading
      yield* Chaos.setTier("shared", { partial: 1, corrupt: 1 })
      yield* LarderTest.advance("1 second")
      expect(yield* Fiber.join(sparse)).toEqual([undefined])
      const [bytes] = yield* Fiber.join(damaged)
      expect(bytes).toHaveLength(envelope(7).length)
      expect(bytes).not.toEqual(envelope(7))
      expect(yield* Fiber.join(whole)).toEqual([envelope(7)])
    }),
  )

  ofTier("says what it does not know, and what is no share", () =>
    Effect.gen(function* () {
      expect(yield* failureOf(Chaos.setTier("redis", {}))).toBe(
        "NoSuchPlace: Chaos: no tier is called redis; there are app/shared. A name is that of a Chaos.aroundTier, alone or after its node",
      )
      expect(yield* failureOf(Chaos.setUpstream("upstream", {}))).toContain(
        "no upstream is called upstream; there is none yet: make the larder, or the nodes, first",
      )
      expect(yield* failureOf(Chaos.setTier("shared", { failure: 2 }))).toContain(
        "Chaos: failure must be a share from 0 to 1, got 2",
      )
      expect(yield* failureOf(Chaos.setTier("shared", { latency: Number.NaN }))).toContain(
        "Chaos: latency must be a duration of at least 0",
      )
    }),
  )

  ofTier("is in the timeline when it changes", () =>
    Effect.gen(function* () {
      yield* Chaos.setTier("app/shared", { failure: 0.5, keys: ["milk"], hang: 0 })
      yield* Chaos.setTier("shared", {})
      yield* Chaos.calm
      const text = yield* Timeline.text
      expect(text).toContain("# chaos tier app/shared: failure 0.5; keys milk")
      expect(text).toContain("# chaos tier shared: no faults")
      expect(text).toContain("# chaos: calm")
    }),
  )

  it.effect("has its first faults from the beginning, under a name of its own", () =>
    Effect.gen(function* () {
      const { store } = yield* opened
      expect(yield* Timeline.text).toContain("# chaos tier app/redis: failure 1")
      expect(yield* failureOf(store.read(["milk"]))).toContain("TierError")
      yield* Chaos.setTier("redis", {})
      expect(yield* store.read(["milk"])).toEqual([undefined])
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.provideMerge(
          Chaos.aroundTier(Layer.fresh(MemoryTier.layerShared), {
            name: "redis",
            faults: { failure: 1 },
          }),
          LarderTest.layer,
        ),
      ),
    ),
  )

  it.effect("of values is refused", () =>
    Effect.gen(function* () {
      const layer = Layer.provide(Chaos.aroundTier(MemoryTier.layer()), Chaos.layer)
      expect(yield* failureOf(Effect.provide(Tier.Tier, layer))).toContain(
        "Chaos: tier must be a tier of bytes: a tier of values answers within the call",
      )
    }),
  )

  it.effect("draws the same with the same seed, and nothing that larders draw", () => {
    const outcomes = Effect.gen(function* () {
      const { store } = yield* opened
      yield* Chaos.setTier("shared", { failure: 0.5 })
      return yield* Effect.forEach(Array.from({ length: 50 }), () =>
        Effect.map(Effect.exit(store.read(["milk"])), Exit.isSuccess),
      )
    }).pipe(Effect.scoped)
    const run = (seed: number) =>
      Effect.provide(
        outcomes,
        Layer.provideMerge(
          Chaos.aroundTier(Layer.fresh(MemoryTier.layerShared)),
          LarderTest.layerWith({ seed }),
        ),
      )
    return Effect.gen(function* () {
      expect(yield* run(1)).toEqual(yield* run(1))
      expect(yield* run(1)).not.toEqual(yield* run(2))
    })
  })
})

describe("messages", () => {
  /** The messages that a listener hears after so many writes. */
  const heard = (
    faults: Chaos.MessageFaults,
    writes: number,
    shared: Layer.Layer<Tier.Tier, never, Chaos.Chaos>,
  ) =>
    Effect.gen(function* () {
      const { arbiter } = yield* opened
      const keys: Array<string> = []
      yield* arbiter.listen!((message) => {
        if (message._tag === "Changed") keys.push(message.key)
        if (message._tag === "Gap" && (message.reason === "hole" || !message.isOver))
          keys.push(message.reason)
      })
      yield* Chaos.setMessages("shared", faults)
      for (let index = 0; index < writes; index++) {
        yield* arbiter.write(`k${index}`, { _tag: "Remove" }, 0)
        yield* LarderTest.advance("10 millis")
      }
      const atOnce = keys.length
      yield* LarderTest.advance("5 seconds")
      return { keys, atOnce }
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.provideMerge(Chaos.aroundTier(shared), LarderTest.layer)),
    )

  const direct = Layer.fresh(MemoryTier.layerShared)
  const network = Layer.fresh(Chaos.layerShared)
  const all = Array.from({ length: 100 }, (_, index) => `k${index}`)

  for (const [name, shared] of [
    ["of any tier", direct],
    ["of Chaos.layerShared", network],
  ] as const) {
    it.effect(`${name} arrive, without faults`, () =>
      Effect.gen(function* () {
        expect(yield* heard({}, 100, shared)).toEqual({ keys: all, atOnce: 100 })
      }),
    )

    it.effect(`${name} are lost`, () =>
      Effect.gen(function* () {
        const { keys } = yield* heard({ lose: 0.5, spareHeartbeats: true }, 100, shared)
        const arrived = keys.filter((key) => key.startsWith("k"))
        expect(arrived.length).toBeGreaterThan(30)
        expect(arrived.length).toBeLessThan(70)
      }),
    )

    it.effect(`${name} are doubled, delayed and reordered`, () =>
      Effect.gen(function* () {
        const doubled = yield* heard({ duplicate: 1 }, 100, shared)
        expect(doubled.keys).toHaveLength(200)
        expect(new Set(doubled.keys)).toEqual(new Set(all))
        const late = yield* heard({ delay: "3 seconds", spareHeartbeats: true }, 10, shared)
        expect(late.atOnce).toBe(0)
        expect(late.keys.filter((key) => key.startsWith("k"))).toEqual(all.slice(0, 10))
        const mixed = yield* heard({ reorder: 0.5 }, 100, shared)
        const keys = mixed.keys.filter((key) => key.startsWith("k"))
        expect(keys).not.toEqual(all)
        expect(new Set(keys)).toEqual(new Set(all))
      }),
    )
  }

  it.effect(
    "that are missing are a hole for Chaos.layerShared, and silence with the heartbeats",
    () =>
      Effect.gen(function* () {
        expect((yield* heard({ lose: 1, spareHeartbeats: true }, 1, network)).keys).toContain(
          "hole",
        )
        expect((yield* heard({ lose: 1 }, 1, network)).keys).toEqual(["silence"])
        expect((yield* heard({ lose: 1 }, 1, direct)).keys).toEqual([])
      }),
  )

  it.effect("that a tier itself finds missing are a gap, whatever else is lost", () =>
    Effect.gen(function* () {
      const deaf = MemoryTier.layerSharedWith({ network: { deliver: () => [] } })
      expect((yield* heard({ lose: 1 }, 1, deaf)).keys).toEqual(["silence"])
    }),
  )

  it.effect("reach each node by faults of its own", () =>
    Effect.gen(function* () {
      const [a, b] = yield* LarderTest.nodes(2, Prices.layer)
      yield* LarderTest.settle(a.run(Prices.get("milk")))
      yield* LarderTest.settle(b.run(Prices.get("milk")))
      yield* Chaos.setMessages("B/shared", { lose: 1 })
      yield* LarderTest.advance("4 seconds")
      expect((yield* a.run(Prices.stats)).gaps).toBe(0)
      expect((yield* b.run(Prices.stats)).gaps).toBe(1)
    }).pipe(Effect.provide([LarderTest.layer, Source.layer])),
  )

  it.effect("and tiers too", () =>
    Effect.gen(function* () {
      const [a, b] = yield* LarderTest.nodes(2, Prices.layer)
      yield* Chaos.setTier("A/shared", { failure: 1 })
      yield* LarderTest.settle(a.run(Prices.get("milk")))
      yield* LarderTest.settle(b.run(Prices.get("milk")))
      expect((yield* a.run(Prices.stats)).tierFailures).toBeGreaterThan(0)
      expect((yield* b.run(Prices.stats)).tierFailures).toBe(0)
    }).pipe(Effect.provide([LarderTest.layer, Source.layer])),
  )
})

describe("an upstream", () => {
  class Down extends Schema.TaggedError<Down>()("Down", { key: Schema.String }) {}

  const upstream = Upstream.make({
    lookup: (key: string) => Effect.succeed(key.length),
    lookupMany: (keys) => Effect.succeed(new Map(keys.map((key) => [key, key.length]))),
  })
  const wrapped = upstream.pipe(
    Chaos.aroundUpstream({ name: "words", failure: (key: string) => new Down({ key }) }),
  )
  const ofUpstream = (
    title: string,
    body: (
      resolved: Upstream.Resolved<string, number, Down>,
    ) => Effect.Effect<void, unknown, Chaos.Chaos>,
  ) =>
    it.effect(title, () =>
      Effect.flatMap(wrapped.resolve, body).pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
    )

  ofUpstream("fails with the failure that is given, or dies", ({ lookup, lookupMany }) =>
    Effect.gen(function* () {
      yield* Chaos.setUpstream("words", { failure: 1 })
      expect(yield* Effect.flip(lookup("milk", undefined))).toEqual(new Down({ key: "milk" }))
      expect(yield* Effect.flip(lookupMany!(["a", "b"]))).toEqual(new Down({ key: "a" }))
      const other = yield* upstream.pipe(Chaos.aroundUpstream()).resolve
      yield* Chaos.setUpstream("upstream", { failure: 1 })
      expect(yield* failureOf(other.lookup("milk", undefined))).toBe(
        "ChaosFailure: Chaos: app/upstream fails",
      )
      yield* Chaos.calm
      expect(yield* other.lookup("milk", undefined)).toBe(4)
    }).pipe(Effect.scoped),
  )

  ofUpstream("is slow or hangs, at the given keys", ({ lookup }) =>
    Effect.gen(function* () {
      yield* Chaos.setUpstream("words", { latency: "1 second", keys: ["milk"] })
      expect(yield* lookup("eggs", undefined)).toBe(4)
      const slow = yield* Effect.forkChild(lookup("milk", undefined), { startImmediately: true })
      yield* LarderTest.advance("999 millis")
      expect(slow.pollUnsafe()).toBeUndefined()
      yield* LarderTest.advance("1 milli")
      expect(slow.pollUnsafe()).toEqual(Exit.succeed(4))
      yield* Chaos.setUpstream("words", { hang: 1 })
      const hangs = yield* Effect.forkChild(lookup("milk", undefined), { startImmediately: true })
      yield* LarderTest.advance("1 hour")
      expect(hangs.pollUnsafe()).toBeUndefined()
    }),
  )

  ofUpstream(
    "leaves keys of a bulk lookup out, by the faults that it began with",
    ({ lookupMany }) =>
      Effect.gen(function* () {
        yield* Chaos.setUpstream("words", { partial: 1 })
        expect((yield* lookupMany!(["a", "b"])).size).toBe(0)
        yield* Chaos.setUpstream("words", { partial: 1, keys: ["b"], latency: "1 second" })
        const asking = yield* Effect.forkChild(lookupMany!(["a", "b"]), { startImmediately: true })
        yield* Chaos.calm
        yield* LarderTest.advance("1 second")
        expect([...(yield* Fiber.join(asking)).keys()]).toEqual(["a"])
      }),
  )

  it.effect("goes through guards like any other", () =>
    Effect.gen(function* () {
      const larder = yield* Larder.make({
        name: "words",
        upstream: wrapped.pipe(Upstream.withCircuitBreaker()),
        policy: Policy.make({ freshFor: 1, retryAfterFailure: 1 }),
      })
      yield* Chaos.setUpstream("words", { failure: 1 })
      for (let index = 0; index < 5; index++) {
        yield* Effect.flip(larder.get("milk"))
        yield* LarderTest.advance("2 millis")
      }
      expect((yield* larder.stats).breakers).toEqual({ upstream: "Open" })
    }).pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
  )
})

describe("a backplane", () => {
  const layer = Layer.provideMerge(
    Chaos.aroundBackplane(Layer.fresh(Backplane.layerMemory)),
    LarderTest.layer,
  )
  const message = (key: string): Backplane.Message => ({
    _tag: "Changed",
    node: "a",
    key,
    isRemoval: true,
  })
  const link = Effect.flatMap(Backplane.Backplane, ({ open }) => open({ larder: "prices" }))
  const received = (queue: Backplane.Link["messages"]) =>
    Effect.map(Queue.clear(queue), (all) => all.flatMap((one) => ("key" in one ? [one.key] : [])))

  it.effect("loses, doubles and delays messages, and fails to publish", () =>
    Effect.gen(function* () {
      const { messages, publish } = yield* link
      const after = (faults: Chaos.BackplaneFaults) =>
        Effect.gen(function* () {
          yield* Chaos.setBackplane("memory", faults)
          yield* publish(message("milk"))
          yield* LarderTest.idle
          const atOnce = yield* received(messages)
          yield* LarderTest.advance("3 seconds")
          return [atOnce, yield* received(messages)]
        })
      expect(yield* after({})).toEqual([["milk"], []])
      expect(yield* after({ lose: 1 })).toEqual([[], []])
      expect(yield* after({ duplicate: 1 })).toEqual([["milk"], ["milk"]])
      expect(yield* after({ delay: "2 seconds" })).toEqual([[], ["milk"]])
      expect(yield* after({ reorder: 1 })).toEqual([[], ["milk"]])
      yield* Chaos.setBackplane("memory", { failure: 1 })
      expect(yield* failureOf(publish(message("milk")))).toContain("BackplaneError")
    }).pipe(Effect.scoped, Effect.provide(layer)),
  )

  it.effect("ends where the one inside ends", () =>
    Effect.gen(function* () {
      const inner = yield* Queue.unbounded<Backplane.Message | Backplane.Gap>()
      const ending: Backplane.Backplane = {
        name: "ending",
        open: () => Effect.succeed({ publish: () => Effect.void, messages: inner }),
      }
      const context = yield* Layer.build(
        Chaos.aroundBackplane(Layer.succeed(Backplane.Backplane, ending)),
      )
      const backplane = Context.get(context as Context.Context<never>, Backplane.Backplane)
      expect(backplane.name).toBe("ending")
      const { messages } = yield* backplane.open({ larder: "prices" })
      yield* Queue.shutdown(inner)
      yield* LarderTest.idle
      expect(Exit.isFailure(yield* Effect.exit(Queue.take(messages)))).toBe(true)
    }).pipe(Effect.scoped, Effect.provide(LarderTest.layer)),
  )

  it.effect("carries the changes of larders", () =>
    Effect.gen(function* () {
      const make = Larder.make({
        name: "prices",
        upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(120) }),
        policy: Policy.make({ freshFor: "1 minute" }),
      })
      const node = Effect.suspend(() => Effect.provide(make, TierStack.layer(MemoryTier.layer())))
      const [a, b] = yield* Effect.all([node, node])
      yield* b.get("milk")
      yield* a.remove("milk")
      yield* LarderTest.idle
      expect(yield* b.has("milk")).toBe(false)
    }).pipe(Effect.scoped, Effect.provide(layer)),
  )
})
