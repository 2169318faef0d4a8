/** While upstream is down and callers have something stale, the outage costs the tiers next to nothing, and it ends. */
import { assert, describe, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Clock, Context, Data, Duration, Effect, Exit, Fiber, Layer, PubSub, Schema } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import { Faults, layer as faultyLayer } from "./support/faultyTier.ts"

class Down extends Data.TaggedError("Down") {}

const keys = Array.from({ length: 50 }, (_, i) => `k${i}`)

type Options = Partial<Omit<Parameters<typeof Policy.make>[0], "freshFor">>

/** Fifty keys in error grace over memory and a shared tier, an upstream that has just gone down, its circuit open. */
const inGrace = (
  bulk: boolean,
  breaker: Upstream.BreakerOptions = {},
  options: Options = {},
  given?: Layer.Layer<TierStack.TierStack>,
) =>
  Effect.gen(function* () {
    const faults = new Faults()
    const seen = { down: false, asked: new Array<number>() }
    const ask = <A>(answer: A) =>
      Effect.gen(function* () {
        seen.asked.push((yield* Clock.currentTimeMillis) / 1_000)
        return seen.down ? yield* new Down() : answer
      })
    const larder = yield* Larder.make({
      name: "quiet",
      value: Schema.String,
      upstream: Upstream.make({
        lookup: (key: string) => ask(key),
        lookupMany: bulk ? (many) => ask(new Map(many.map((key) => [key, key]))) : undefined,
      }).pipe(
        Upstream.withCircuitBreaker({ tripPolicy: CircuitBreaker.consecutive(1), ...breaker }),
      ),
      policy: Policy.make({ freshFor: "1 second", staleIfError: "1 hour", ...options }),
    }).pipe(Effect.provide(given ?? TierStack.layer(MemoryTier.layer(), faultyLayer(faults))))
    for (const key of keys) yield* larder.get(key)
    yield* TestClock.adjust("2 seconds")
    seen.down = true
    yield* Effect.exit(larder.refresh("opens the circuit"))
    assert.strictEqual((yield* larder.stats).breakers["upstream"], "Open")
    // What the release of that lease and the like cost is no part of it.
    yield* TestClock.adjust("1 millis")
    faults.trips.length = 0
    seen.asked.length = 0
    return { faults, larder, seen, openedAt: (yield* Clock.currentTimeMillis) / 1_000 }
  })

type World = Effect.Success<ReturnType<typeof inGrace>>

const ways: Readonly<
  Record<string, { readonly bulk: boolean; readonly ask: (world: World) => Effect.Effect<unknown> }>
> = {
  get: {
    bulk: false,
    ask: ({ larder }) =>
      Effect.forEach(
        keys,
        (key) =>
          Effect.map(Effect.orDie(larder.get(key)), (value) => assert.strictEqual(value, key)),
        { concurrency: "unbounded" },
      ),
  },
  getWithMeta: {
    bulk: false,
    ask: ({ larder }) =>
      Effect.forEach(
        keys,
        (key) =>
          Effect.map(Effect.orDie(larder.getWithMeta(key)), ({ value }) =>
            assert.strictEqual(value, key),
          ),
        { concurrency: "unbounded" },
      ),
  },
  getMany: {
    bulk: false,
    ask: ({ larder }) =>
      Effect.map(larder.getMany(keys), (exits) =>
        assert.isTrue([...exits.values()].every(Exit.isSuccess)),
      ),
  },
  "getMany with lookupMany": {
    bulk: true,
    ask: ({ larder }) =>
      Effect.map(larder.getMany(keys), (exits) =>
        assert.isTrue([...exits.values()].every(Exit.isSuccess)),
      ),
  },
}

const count = (trips: ReadonlyArray<string>, operation: string) =>
  trips.filter((trip) => trip === operation).length

describe("an open circuit and something stale for everybody", () => {
  for (const [name, { ask, bulk }] of Object.entries(ways)) {
    for (const pause of ["1 second", "50 millis"] as const) {
      it.effect(
        `no lease, one read for each key and retryAfterFailure (${name}, ${pause} apart)`,
        () =>
          Effect.gen(function* () {
            const world = yield* inGrace(bulk, { openDuration: "1 hour" })
            const { faults, seen } = world
            const rounds = 60
            for (let i = 0; i < rounds; i += 1) {
              yield* ask(world)
              yield* TestClock.adjust(pause)
            }
            const passed = (rounds * Duration.toMillis(Duration.fromInputUnsafe(pause))) / 1_000
            const reads = count(faults.trips, "read")
            assert.isAtMost(reads, keys.length * Math.ceil(passed))
            assert.isAtLeast(reads, Math.ceil(passed))
            assert.deepStrictEqual(
              faults.trips.filter((trip) => trip !== "read" && trip !== "marks"),
              [],
            )
            assert.deepStrictEqual(seen.asked, [])
          }).pipe(Effect.scoped),
      )
    }

    it.effect(
      `one probe when it is due, and the circuit closes by that traffic alone (${name})`,
      () =>
        Effect.gen(function* () {
          const world = yield* inGrace(bulk)
          const { faults, larder, openedAt, seen } = world
          const round = Effect.andThen(ask(world), TestClock.adjust("500 millis"))
          for (let i = 0; i < 44; i += 1) yield* round
          const probes = seen.asked.map((at) => at - openedAt)
          assert.strictEqual(probes.length, 2)
          assert.isTrue(
            probes.every((at, i) => at >= 10 * (i + 1) - 0.1 && at <= 10 * (i + 1) + 1.1),
          )
          // A bulk lookup that is the probe has a lease for each of its keys.
          const perProbe = name === "getMany with lookupMany" ? keys.length : 1
          assert.strictEqual(count(faults.trips, "acquire"), 2 * perProbe)
          assert.strictEqual(count(faults.trips, "release"), 2 * perProbe)
          seen.down = false
          for (let i = 0; i < 24; i += 1) yield* round
          assert.strictEqual((yield* larder.stats).breakers["upstream"], "Closed")
          const values = yield* Effect.forEach(keys, (key) => larder.read(key))
          assert.isTrue(values.every(({ entry }) => entry !== undefined && entry.storedAt > 30_000))
        }).pipe(Effect.scoped),
    )
  }

  it.effect("a background refresh in revalidate grace asks for no lease either", () =>
    Effect.gen(function* () {
      const world = yield* inGrace(
        false,
        { openDuration: "1 hour" },
        { staleWhileRevalidate: "1 hour" },
      )
      for (let i = 0; i < 20; i += 1) {
        for (const key of keys) yield* world.larder.get(key)
        yield* TestClock.adjust("500 millis")
      }
      assert.isAtMost(count(world.faults.trips, "read"), 10 * keys.length)
      assert.strictEqual(count(world.faults.trips, "acquire"), 0)
    }).pipe(Effect.scoped),
  )

  it.effect("what is only in the tier is given from there", () =>
    Effect.gen(function* () {
      const faults = new Faults()
      const bytesAlone = TierStack.layer(faultyLayer(faults))
      const world = yield* inGrace(false, { openDuration: "1 hour" }, {}, bytesAlone)
      faults.trips.length = 0
      for (let i = 0; i < 5; i += 1) {
        yield* ways["get"]!.ask(world)
        yield* TestClock.adjust("500 millis")
      }
      assert.strictEqual(count(faults.trips, "read"), 5 * keys.length)
      assert.strictEqual(count(faults.trips, "acquire"), 0)
    }).pipe(Effect.scoped),
  )

  it.effect("the events say that the breaker was open", () =>
    Effect.gen(function* () {
      const { larder } = yield* inGrace(false, { openDuration: "1 hour" })
      const heard = yield* larder.subscribe
      yield* larder.get("k0")
      const events = yield* PubSub.takeUpTo(heard, 10)
      const stale = events.find(({ _tag }) => _tag === "StaleServed")
      assert.deepInclude(stale, { reason: "breakerOpen", key: "k0" })
    }).pipe(Effect.scoped),
  )

  it.effect("a caller with nothing stale is not kept from the probe", () =>
    Effect.gen(function* () {
      const { larder, seen } = yield* inGrace(false)
      seen.down = false
      const caller = yield* Effect.forkChild(larder.get("never seen"), { startImmediately: true })
      const demanding = yield* Effect.forkChild(larder.get("k0", { stale: "never" }), {
        startImmediately: true,
      })
      assert.strictEqual(yield* larder.get("k1"), "k1")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(caller), "never seen")
      assert.strictEqual(yield* Fiber.join(demanding), "k0")
    }).pipe(Effect.scoped),
  )

  it.effect("in a getMany those with nothing stale wait, the others do not", () =>
    Effect.gen(function* () {
      for (const bulk of [false, true]) {
        const { faults, larder, seen } = yield* inGrace(bulk)
        seen.down = false
        const call = yield* Effect.forkChild(larder.getMany(["k0", "never seen", "k1"]), {
          startImmediately: true,
        })
        yield* TestClock.adjust("1 millis")
        // The probe has a lease, not the wait for it.
        assert.strictEqual(count(faults.trips, "acquire"), 0)
        yield* TestClock.adjust("1 second")
        const exits = yield* Fiber.join(call)
        assert.deepStrictEqual([...exits.values()].map(Exit.isSuccess), [true, true, true])
        assert.strictEqual(count(faults.trips, "acquire"), 1)
      }
    }).pipe(Effect.scoped),
  )

  it.effect(
    "also over memory alone, where a bulk lookup is for those with nothing stale only",
    () =>
      Effect.gen(function* () {
        const { larder, seen } = yield* inGrace(true, {}, {}, TierStack.layer(MemoryTier.layer()))
        seen.down = false
        const call = yield* Effect.forkChild(larder.getMany(["k0", "never seen"]), {
          startImmediately: true,
        })
        const began = yield* Clock.currentTimeMillis
        assert.strictEqual(yield* larder.get("k0"), "k0")
        assert.strictEqual(yield* Clock.currentTimeMillis, began)
        yield* TestClock.adjust("1 second")
        const exits = yield* Fiber.join(call)
        assert.deepStrictEqual([...exits.values()].map(Exit.isSuccess), [true, true])
        assert.strictEqual(seen.asked.length, 1)
      }).pipe(Effect.scoped),
  )

  it.effect("a probe that is given up on its way leaves its place to the next", () =>
    Effect.gen(function* () {
      const world = yield* inGrace(false)
      const { faults, larder, seen } = world
      yield* TestClock.adjust("10 seconds")
      faults.turn("slow", "leases")
      // The only caller leaves while its lease is on the way.
      const first = yield* Effect.forkChild(larder.get("k0"), { startImmediately: true })
      yield* TestClock.adjust("10 millis")
      assert.strictEqual(count(faults.trips, "acquire"), 1)
      assert.strictEqual(yield* larder.get("k1"), "k1")
      assert.strictEqual(count(faults.trips, "acquire"), 1)
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("100 millis")
      seen.down = false
      const second = yield* Effect.forkChild(larder.get("k2"), { startImmediately: true })
      yield* TestClock.adjust("200 millis")
      yield* Fiber.join(second)
      assert.strictEqual((yield* larder.stats).breakers["upstream"], "Closed")
    }).pipe(Effect.scoped),
  )

  it.effect("with a store that was given, once this node has been refused", () =>
    Effect.gen(function* () {
      const store = yield* Effect.map(
        Layer.build(CircuitBreaker.layerStoreMemory()),
        Context.get(CircuitBreaker.CircuitBreakerStore),
      )
      const world = yield* inGrace(false, { store, openDuration: "1 hour" })
      for (let i = 0; i < 10; i += 1) {
        yield* ways["get"]!.ask(world)
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual(count(world.faults.trips, "acquire"), 0)
    }).pipe(Effect.scoped),
  )
})
