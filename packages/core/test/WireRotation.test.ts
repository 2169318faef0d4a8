/** Encryption keys are rotated under a larder that is in use: law 16 end to end. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream, Wire } from "@larder/core"
import { Effect, Layer, PubSub, Redacted, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"

const Name = Schema.UndefinedOr(Schema.String)
const keyOf = (byte: number) => Redacted.make(new Uint8Array(32).fill(byte))
const [jan, feb] = [keyOf(1), keyOf(2)]
const wireOf = (keys: Wire.EncryptedOptions["keys"], current: string): Wire.Wire =>
  Wire.encrypted(Wire.compressed(Wire.json, { threshold: 100 }), { keys, current })

const before = wireOf({ jan }, "jan")
const during = wireOf({ jan, feb }, "feb")
const after = wireOf({ feb }, "feb")

const long = "a long name ".repeat(100)

/** The bytes in the shared tier, and nodes over it that write with different wires. */
const world = Effect.gen(function* () {
  const shared = yield* Effect.provide(Tier.Tier, Layer.fresh(MemoryTier.layerShared))
  if (shared.kind !== "bytes") throw new Error("no byte tier")
  const store = yield* shared.open({ larder: "people" })
  let asked = 0
  return {
    asked: () => asked,
    /** The id of the key that sealed the value, read where the wire puts it. */
    sealedWith: (key: string) =>
      Effect.map(store.read([key]), ([bytes]) => {
        const text = Buffer.from(bytes ?? []).toString("latin1")
        // Behind it a byte for the format, and one for the length of the id.
        return /"wire":"encrypted\(compressed\(json\)\)"\}..(...)/s.exec(text)?.[1]
      }),
    bytesOf: (key: string) => Effect.map(store.read([key]), ([bytes]) => Buffer.from(bytes ?? [])),
    /** Puts what one key has in the place of another's. */
    copy: (from: string, to: string) =>
      Effect.flatMap(store.read([from]), ([bytes]) => store.put(to, bytes!, 60_000)),
    node: <A, E>(
      wire: Wire.Wire,
      body: (
        larder: Larder.Larder<string, string | undefined>,
        told: () => Effect.Effect<ReadonlyArray<string>>,
      ) => Effect.Effect<A, E, Scope.Scope>,
    ) => {
      const tier = Layer.succeed(Tier.Tier, { ...shared, wire })
      return Effect.gen(function* () {
        const larder = yield* Larder.make({
          name: "people",
          value: Name,
          tags: () => ["all"],
          upstream: Upstream.make({
            lookup: (key: string) =>
              Effect.sync(() => {
                asked += 1
                return key === "nobody" ? undefined : `${key}, ${long}`
              }),
          }),
          policy: Policy.make({ freshFor: "10 minutes", staleIfError: "1 hour" }),
        })
        const subscription = yield* larder.subscribe
        const told = () =>
          Effect.map(PubSub.takeUpTo(subscription, 1000), (events) =>
            events.flatMap((event) => (event._tag === "Undecodable" ? [event.reason] : [])),
          )
        return yield* body(larder, told)
      }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer(), tier)))
    },
  }
})

const test = (title: string, body: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () => Effect.andThen(TestClock.setTime(1_790_000_000_000), Effect.scoped(body)))

test(
  "rotation: old values are still read, new ones are written with the new key",
  Effect.gen(function* () {
    const { asked, bytesOf, node, sealedWith } = yield* world
    yield* node(before, (larder) => larder.get("Ada"))
    yield* node(before, (larder) => larder.get("nobody"))
    expect(yield* sealedWith("Ada")).toBe("jan")
    expect(yield* sealedWith("nobody")).toBe("jan")
    const bytes = yield* bytesOf("Ada")
    expect(bytes.includes("long name")).toBe(false)
    expect(bytes.length).toBeLessThan(400)

    yield* node(during, (larder, told) =>
      Effect.gen(function* () {
        expect(yield* larder.get("Ada")).toBe(`Ada, ${long}`)
        expect(yield* larder.getWithMeta("nobody")).toMatchObject({ value: undefined, age: 0 })
        expect(asked()).toBe(2)
        yield* larder.get("Grace")
        yield* larder.refresh("Ada")
        expect(yield* told()).toEqual([])
      }),
    )
    expect(asked()).toBe(4)
    expect(yield* sealedWith("Grace")).toBe("feb")
    expect(yield* sealedWith("Ada")).toBe("feb")
    expect(yield* sealedWith("nobody")).toBe("jan")
  }),
)

test(
  "law 16: a key that is gone is a miss and an event, and the next load repairs the entry",
  Effect.gen(function* () {
    const { asked, node, sealedWith } = yield* world
    yield* node(before, (larder) => larder.get("Ada"))
    yield* node(after, (larder, told) =>
      Effect.gen(function* () {
        expect(yield* larder.get("Ada")).toBe(`Ada, ${long}`)
        expect(asked()).toBe(2)
        const reasons = yield* told()
        expect(reasons).not.toEqual([])
        for (const reason of reasons) {
          expect(reason).toBe(
            'Wire encrypted(compressed(json)): there is no key "jan", only "feb"; add the key to read the values that it encrypted',
          )
        }
      }),
    )
    expect(yield* sealedWith("Ada")).toBe("feb")
    yield* node(after, (larder, told) =>
      Effect.gen(function* () {
        expect(yield* larder.get("Ada")).toBe(`Ada, ${long}`)
        expect(yield* told()).toEqual([])
      }),
    )
    expect(asked()).toBe(2)
  }),
)

test(
  "law 16: a value put in another key's place is a miss, and repaired",
  Effect.gen(function* () {
    const { asked, copy, node } = yield* world
    yield* node(before, (larder) => larder.get("Ada"))
    yield* copy("Ada", "Grace")
    yield* node(before, (larder, told) =>
      Effect.gen(function* () {
        expect(yield* larder.get("Grace")).toBe(`Grace, ${long}`)
        expect((yield* told())[0]).toMatch(/not authentic/)
      }),
    )
    yield* node(before, (larder) => larder.get("Grace"))
    expect(asked()).toBe(2)
  }),
)

test(
  "expire and marks, which servers apply to sealed bytes, leave them readable",
  Effect.gen(function* () {
    const { node } = yield* world
    yield* node(before, (larder) => Effect.andThen(larder.get("Ada"), larder.get("Grace")))
    // By another node: what is expired while it settles is not kept.
    yield* node(before, (larder) => larder.expire("Ada"))
    yield* node(during, (larder, told) =>
      Effect.gen(function* () {
        const grace = { _tag: "Stale", grace: "error" }
        const expired = yield* larder.read("Ada")
        expect(expired.freshness).toEqual(grace)
        expect(expired.entry?.value).toBe(`Ada, ${long}`)
        yield* larder.invalidateTags(["all"])
        expect((yield* larder.read("Grace")).freshness).toEqual(grace)
        expect(yield* told()).toEqual([])
      }),
    )
  }),
)
