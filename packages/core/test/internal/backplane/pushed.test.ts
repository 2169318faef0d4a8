/** Values that come with the message of their change, between nodes over one shared tier. */
import { expect, it } from "@effect/vitest"
import { MemoryTier, Tier, TierStack, Wire } from "@larder/core"
import { Deferred, Effect, Latch, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { keepPushed } from "../../../src/internal/backplane/pushed.ts"
import { begun } from "../../../src/internal/state/generation.ts"
import type { FartherTier } from "../../../src/internal/tier/backingTier.ts"
import type { TierRead } from "../../../src/internal/tier/tierRead.ts"
import { entryOf, makeEngine } from "../../support/engine.ts"
import { Faults, layer as faultyShared } from "../../support/faultyTier.ts"
import { make, source, start, test } from "../../support/nodes.ts"

const over = (
  maxBytes: number | undefined,
  wrap: (tier: Layer.Layer<Tier.Tier>) => Layer.Layer<Tier.Tier> = (tier) => tier,
) =>
  Effect.gen(function* () {
    yield* start
    const faults = new Faults()
    const push = maxBytes === undefined ? undefined : { maxBytes }
    const shared = faultyShared(faults, {}, wrap(MemoryTier.layerSharedWith({ push })))
    const held = Layer.succeedContext(yield* Layer.build(shared))
    const from = source(Effect.succeed(1))
    const node = make(from, TierStack.layer(MemoryTier.layer(), held))
    return { faults, from, node }
  })

test(
  "law 18: a node that has the key gets the new value without a read",
  Effect.gen(function* () {
    const { faults, node } = yield* over(1_000)
    const [a, b, c] = [yield* node, yield* node, yield* node]
    yield* a.get("k")
    yield* b.get("k")
    yield* a.set("k", 2)
    faults.trips.length = 0
    expect(yield* b.getWithMeta("k")).toMatchObject({
      value: 2,
      tier: "memory",
      freshness: { _tag: "Fresh" },
    })
    expect(faults.trips).toEqual([])
    // A node that does not have the key stores nothing.
    expect(yield* c.has("k")).toBe(false)
  }),
)

test(
  "a value above maxBytes is read by those who ask for it",
  Effect.gen(function* () {
    const { faults, node } = yield* over(10)
    const [a, b] = [yield* node, yield* node]
    yield* a.get("k")
    yield* b.get("k")
    yield* a.set("k", 2)
    faults.trips.length = 0
    expect(yield* b.getWithMeta("k")).toMatchObject({ value: 2, tier: "shared" })
    expect(faults.trips).toEqual(["read"])
  }),
)

const withWire = (wire: Wire.Wire) => (tier: Layer.Layer<Tier.Tier>) =>
  Layer.effect(
    Tier.Tier,
    Effect.map(Tier.Tier, (found) => ({ ...found, wire })),
  ).pipe(Layer.provide(tier))

const encrypted = Wire.encrypted(Wire.json, {
  keys: { one: Redacted.make(new Uint8Array(32)) },
  current: "one",
})

/** Lets promises of Web Crypto resolve. */
const decoded = Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 20)))

test(
  "an encrypted value travels encrypted, and is stored once it is decoded",
  Effect.gen(function* () {
    const { faults, node } = yield* over(1_000, withWire(encrypted))
    const [a, b] = [yield* node, yield* node]
    yield* a.get("k")
    // The value is stored once it is encrypted.
    yield* decoded
    yield* b.get("k")
    yield* a.set("k", 2)
    yield* decoded
    faults.trips.length = 0
    expect(yield* b.getWithMeta("k")).toMatchObject({ value: 2, tier: "memory" })
    expect(faults.trips).toEqual([])
  }),
)

for (const change of ["remove", "expire", "set"] as const) {
  test(
    `law 11: a ${change} while the value is decoded wins over it`,
    Effect.gen(function* () {
      const decoding = yield* Latch.make(true)
      const slowly: Wire.Wire = {
        ...Wire.json,
        decode: (...args) => Effect.andThen(decoding.await, Wire.json.decode(...args)),
      }
      const { node } = yield* over(1_000, withWire(slowly))
      const [a, b] = [yield* node, yield* node]
      yield* a.get("k")
      yield* b.get("k")
      yield* decoding.close
      yield* a.set("k", 2)
      yield* change === "set" ? b.set("k", 3) : b[change]("k")
      yield* decoding.open
      yield* TestClock.adjust(1)
      const { entry, freshness } = yield* b.read("k")
      const expected = {
        remove: ["Missing", undefined],
        expire: ["Stale", 2],
        set: ["Fresh", 3],
      }[change]
      expect([freshness._tag, entry?.value]).toEqual(expected)
    }),
  )
}

for (const by of ["this node", "another node"] as const) {
  test(
    `law 18: a value whose message comes after a later expire by ${by} is not fresh`,
    Effect.gen(function* () {
      yield* start
      let delay = 0
      const network = { deliver: () => [delay] }
      const shared = MemoryTier.layerSharedWith({ push: { maxBytes: 1_000 }, network })
      const held = Layer.succeedContext(yield* Layer.build(shared))
      const node = make(source(Effect.succeed(1)), TierStack.layer(MemoryTier.layer(), held))
      const [a, b] = [yield* node, yield* node]
      yield* a.get("k")
      yield* b.get("k")
      yield* TestClock.adjust(1)
      delay = 50
      yield* a.set("k", 2)
      delay = by === "this node" ? 500 : 0
      yield* TestClock.adjust(1)
      yield* (by === "this node" ? b : a).expire("k")
      yield* TestClock.adjust(100)
      expect((yield* b.getWithMeta("k")).tier).toBe("upstream")
    }),
  )
}

test(
  "the node that made the change does not decode its own value",
  Effect.gen(function* () {
    let decoded = 0
    const counting: Wire.Wire = {
      ...Wire.json,
      decode: (...args) => {
        decoded += 1
        return Wire.json.decode(...args)
      },
    }
    const { node } = yield* over(1_000, withWire(counting))
    const a = yield* node
    yield* a.get("k")
    yield* a.set("k", 2)
    yield* TestClock.adjust("20 seconds")
    yield* a.get("k")
    expect(decoded).toBe(1)
  }),
)

it.effect("a change by this node ends the push before any message of the change", () =>
  Effect.gen(function* () {
    for (const changes of [false, true]) {
      const engine = yield* makeEngine()
      const decoded = yield* Deferred.make<TierRead>()
      const arbiter = {
        name: "shared",
        marks: { reading: undefined },
        decoded: () => Deferred.await(decoded),
      } as unknown as FartherTier
      const envelope = new Uint8Array()
      keepPushed(engine, arbiter, { k: "k", asked: "k", version: 5, envelope })
      if (changes) begun(engine, "k", "Remove")
      const entry = entryOf(engine, { version: 5 })
      yield* Deferred.succeed(decoded, { _tag: "Entry", entry })
      yield* TestClock.adjust(1)
      expect(engine.near.peek("k")?.entry.version).toBe(changes ? undefined : 5)
    }
  }),
)
