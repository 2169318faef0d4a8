/** The limits of a byte tier that its operator may change: each of them does what it says. */
import { describe, expect } from "@effect/vitest"
import { MemoryTier, type Policy, Tier, TierStack } from "@larder/core"
import { Context, Effect, Exit, Fiber, Layer, Result } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyShared, wayToShared } from "./support/faultyTier.ts"
import { fork, make, source, start, test } from "./support/nodes.ts"

/** How long an effect takes, and its exit. */
const took = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clockWith(Effect.succeed)
    const began = clock.currentTimeMillisUnsafe()
    const fiber = yield* fork(Effect.exit(effect))
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(5)
    return { exit: yield* Fiber.join(fiber), millis: clock.currentTimeMillisUnsafe() - began }
  })

/** Two nodes with a source and a way to the shared tier each. */
const nodes = (limits: Tier.LimitOptions, policy: Partial<Policy.Options> = {}) =>
  Effect.gen(function* () {
    yield* start
    const shared = Layer.succeedContext(yield* Layer.build(MemoryTier.layerSharedWith(limits)))
    const node = Effect.gen(function* () {
      const faults = new Faults()
      const from = source(Effect.succeed(1))
      const stack = TierStack.layer(MemoryTier.layer(), wayToShared(faults, shared))
      return { faults, from, larder: yield* make(from, stack, { policy }) }
    })
    return { a: yield* node, b: yield* node }
  })

describe("leaseTime", () => {
  for (const seconds of [2, 4, 10]) {
    test(
      `law 10: the lease of a node that dies passes on after ${seconds} seconds`,
      Effect.gen(function* () {
        const { a, b } = yield* nodes({ leaseTime: `${seconds} seconds`, leaseWait: "1 minute" })
        a.from.answer = () => Effect.never
        yield* fork(Effect.exit(a.larder.get("k")))
        yield* TestClock.adjust(1)
        a.faults.turn("fail", "all")
        const { exit, millis } = yield* took(b.larder.get("k"))
        expect(exit).toEqual(Exit.succeed(1))
        // It is asked for once a second at least.
        expect(millis).toBeGreaterThanOrEqual(seconds * 1_000 - 1)
        expect(millis).toBeLessThanOrEqual(seconds * 1_000 + 1_000)
      }),
    )
  }

  test(
    "law 10: a slow holder renews after each third of it, and others wait for its value",
    Effect.gen(function* () {
      const { a, b } = yield* nodes({ leaseTime: "3 seconds", leaseWait: "20 seconds" })
      a.from.answer = () => Effect.delay(Effect.succeed(7), "10 seconds")
      yield* fork(a.larder.get("k"))
      yield* TestClock.adjust(1)
      expect((yield* took(b.larder.get("k"))).exit).toEqual(Exit.succeed(7))
      expect([a.from.asked, b.from.asked]).toEqual([1, 0])
      const renewals = a.faults.trips.filter((trip) => trip === "renew").length
      expect(renewals).toBeGreaterThanOrEqual(9)
      expect(renewals).toBeLessThanOrEqual(10)
    }),
  )
})

describe("leaseWait", () => {
  for (const [leaseWait, longest] of [
    [0, 0],
    ["1 second", 1_000],
    ["5 seconds", 5_000],
  ] as const) {
    test(
      `law 9: after ${longest} ms a caller looks up what another node is still looking up`,
      Effect.gen(function* () {
        const { a, b } = yield* nodes({ leaseWait })
        a.from.answer = () => Effect.delay(Effect.succeed(7), "8 seconds")
        const other = yield* fork(a.larder.get("k"))
        yield* TestClock.adjust(1)
        const { exit, millis } = yield* took(b.larder.get("k"))
        expect(exit).toEqual(Exit.succeed(1))
        expect(millis).toBeGreaterThanOrEqual(longest)
        expect(millis).toBeLessThanOrEqual(longest + 5)
        yield* TestClock.adjust("8 seconds")
        // Law 10: its own callers get the value of the late holder, the arbiter refuses it.
        expect(yield* Fiber.join(other)).toBe(7)
        expect(yield* a.larder.get("k")).toBe(1)
      }),
    )
  }

  test(
    "is the lease time where it is not given",
    Effect.gen(function* () {
      const { a, b } = yield* nodes({ leaseTime: "3 seconds" })
      a.from.answer = () => Effect.delay(Effect.succeed(7), "20 seconds")
      yield* fork(a.larder.get("k"))
      yield* TestClock.adjust(1)
      const { millis } = yield* took(b.larder.get("k"))
      expect(millis).toBeGreaterThanOrEqual(3_000)
      expect(millis).toBeLessThanOrEqual(3_005)
    }),
  )

  test(
    "law 9: a get that waits for the lease in vain, and then for upstream, ends within their sum",
    Effect.gen(function* () {
      const { a, b } = yield* nodes({ leaseWait: "2 seconds" }, { hardTimeout: "5 seconds" })
      a.from.answer = () => Effect.never
      b.from.answer = () => Effect.never
      yield* fork(Effect.exit(a.larder.get("k")))
      yield* TestClock.adjust(1)
      const { exit, millis } = yield* took(b.larder.get("k"))
      expect(Exit.isFailure(exit)).toBe(true)
      expect(millis).toBeGreaterThanOrEqual(7_000)
      expect(millis).toBeLessThanOrEqual(200 + 2_000 + 5_000)
    }),
  )

  for (const leaseWait of [0, 300]) {
    test(
      `law 9: so does one whose first lookup a mark overtakes, with a wait of ${leaseWait} ms`,
      Effect.gen(function* () {
        yield* start
        const shared = yield* Layer.build(MemoryTier.layerSharedWith({ leaseWait }))
        const from = source(Effect.delay(Effect.succeed(1), 900))
        const stack = TierStack.layer(MemoryTier.layer(), Layer.succeedContext(shared))
        const policy = { hardTimeout: "1 second", tierBudget: 200 } as const
        const larder = yield* make(from, stack, { tags: () => ["t"], policy })
        yield* fork(larder.get("k"))
        yield* TestClock.adjust(50)
        yield* larder.invalidateTags(["t"])
        from.answer = () => Effect.never
        // The second lookup begins after 850 ms, and would last a second.
        const { exit, millis } = yield* took(larder.get("k", { stale: "never" }))
        expect(Exit.isFailure(exit)).toBe(true)
        expect(from.asked).toBe(2)
        expect(millis).toBe(200 + leaseWait + 1_000)
      }),
    )
  }
})

describe("markMaxAge", () => {
  for (const [markMaxAge, millis] of [
    [0, 0],
    ["1 second", 1_000],
    ["20 seconds", 20_000],
  ] as const) {
    const stacks = {
      "the arbiter": (shared: Layer.Layer<Tier.Tier>) => TierStack.layer(shared),
      "a file in front of it": (shared: Layer.Layer<Tier.Tier>) =>
        TierStack.layer(fileLayer(new Faults()), shared),
    }
    for (const [which, stackOf] of Object.entries(stacks)) {
      test(
        `law 19: a read of ${which} hears of another node's invalidation after ${millis} ms`,
        Effect.gen(function* () {
          yield* start
          const faults = new Faults()
          faults.isDeaf = true
          const built = yield* Layer.build(
            faultyShared(faults, {}, MemoryTier.layerSharedWith({ markMaxAge })),
          )
          const shared = Layer.succeedContext(built)
          const from = source(Effect.succeed(1))
          const options = { tags: () => ["t"], policy: { freshFor: "1 hour" } } as const
          const a = yield* make(from, TierStack.layer(MemoryTier.layer(), shared), options)
          const b = yield* make(from, stackOf(shared), options)
          yield* b.get("k")
          yield* b.get("k")
          yield* a.invalidateTags(["t"])
          from.answer = () => Effect.succeed(2)
          if (millis > 0) {
            yield* TestClock.adjust(millis - 1)
            expect(yield* b.get("k")).toBe(1)
            yield* TestClock.adjust(1)
          }
          expect(yield* b.get("k")).toBe(2)
        }),
      )
    }
  }
})

describe("breaker", () => {
  const over = (faults: Faults, limits: Tier.LimitOptions) =>
    Effect.gen(function* () {
      yield* start
      const stack = TierStack.layer(faultyShared(faults, { limits }))
      const larder = yield* make(source(Effect.succeed(1)), stack)
      const state = Effect.map(larder.stats, ({ breakers }) => breakers["shared"])
      return { larder, state }
    })

  for (const failures of [1, 3, 5]) {
    test(
      `law 14: opens after ${failures} failures in a row`,
      Effect.gen(function* () {
        const faults = new Faults()
        const { larder, state } = yield* over(faults, { breaker: { failures } })
        faults.turn("fail", "all")
        for (let i = 1; i < failures; i++) {
          yield* larder.read("k")
          expect(yield* state).toBe("Closed")
        }
        yield* larder.read("k")
        expect(yield* state).toBe("Open")
        faults.trips.length = 0
        yield* larder.read("k")
        expect(faults.trips).toEqual([])
      }),
    )
  }

  for (const [openFor, millis] of [
    ["500 millis", 500],
    [undefined, 5_000],
    ["1 minute", 60_000],
  ] as const) {
    test(
      `law 14: probes the tier after ${millis} ms`,
      Effect.gen(function* () {
        const faults = new Faults()
        const { larder, state } = yield* over(faults, { breaker: { failures: 2, openFor } })
        faults.turn("fail", "all")
        yield* larder.read("k")
        yield* larder.read("k")
        expect(yield* state).toBe("Open")
        faults.turn("none", "all")
        faults.trips.length = 0
        yield* TestClock.adjust(millis - 1)
        yield* larder.read("k")
        expect(faults.trips).toEqual([])
        yield* TestClock.adjust(1)
        yield* larder.read("k")
        expect(faults.trips).not.toEqual([])
        expect(yield* state).toBe("Closed")
      }),
    )
  }
})

describe("settleTime", () => {
  for (const seconds of [5, 60, 300]) {
    test(
      `law 15: a value that could not be written for ${seconds} seconds becomes a removal`,
      Effect.gen(function* () {
        yield* start
        const built = yield* Layer.build(
          MemoryTier.layerSharedWith({ settleTime: `${seconds} seconds` }),
        )
        const faults = new Faults()
        const shared = wayToShared(faults, Layer.succeedContext(built))
        const options = { policy: { freshFor: "1 hour", tierWrites: "background" } } as const
        const nobody = source(Effect.fail("asked"))
        const stack = () => TierStack.layer(MemoryTier.layer(), shared)
        const larder = yield* make(nobody, stack(), options)
        const elsewhere = Effect.flatMap(make(nobody, stack(), options), (other) =>
          Effect.exit(other.get("k")),
        )
        yield* larder.set("k", 1)
        yield* TestClock.adjust(1)
        faults.turn("fail", "writes")
        yield* larder.set("k", 2)
        yield* TestClock.adjust((seconds - 1) * 1_000)
        expect((yield* larder.stats).queuedWrites).toBe(1)
        yield* TestClock.adjust("3 seconds")
        expect((yield* larder.stats).queuedWrites).toBe(0)
        faults.turn("none", "all")
        yield* TestClock.adjust("10 seconds")
        expect(yield* Effect.scoped(elsewhere)).toEqual(Exit.fail("asked"))
      }),
    )
  }

  test(
    "law 12: a tombstone of the shared tier lives twice as long, the record of a lease as long",
    Effect.gen(function* () {
      yield* start
      const tier = Context.get(
        yield* Layer.build(MemoryTier.layerSharedWith({ settleTime: "7 seconds" })),
        Tier.Tier,
      )
      if (tier.kind !== "bytes") throw new Error("the shared tier keeps bytes")
      const { arbiter, read } = yield* tier.open({ larder: "settling" })
      const lease = { known: 0, leaseMillis: 1_000, force: false }
      const held = yield* arbiter!.acquire("held", lease)
      const lost = yield* arbiter!.acquire("lost", lease)
      if (held._tag !== "Won" || lost._tag !== "Won") throw new Error("no lease")
      yield* arbiter!.write("removed", { _tag: "Remove" }, 0)
      yield* TestClock.adjust(6_999)
      expect(yield* arbiter!.renew("held", held.token, 1_000)).toBe(true)
      yield* TestClock.adjust(1)
      expect(yield* arbiter!.renew("lost", lost.token, 1_000)).toBe(false)
      yield* TestClock.adjust(6_999)
      expect((yield* read(["removed"]))[0]).toBeDefined()
      yield* TestClock.adjust(1)
      expect((yield* read(["removed"]))[0]).toBeUndefined()
    }),
  )
})

describe("the limits of a tier", () => {
  test(
    "law 10: may be given by its author as they are written, without a check",
    Effect.gen(function* () {
      yield* start
      const faults = new Faults()
      const limits = { leaseTime: "3 seconds" } as const
      const from = source(Effect.delay(Effect.succeed(1), "10 seconds"))
      const larder = yield* make(from, TierStack.layer(faultyShared(faults, { limits })))
      yield* took(larder.get("k"))
      expect(faults.trips.filter((trip) => trip === "renew").length).toBeGreaterThanOrEqual(9)
    }),
  )

  test(
    "nodes that share a tier may have different ones: each lease lasts as long as its holder's",
    Effect.gen(function* () {
      yield* start
      const shared = Layer.succeedContext(yield* Layer.build(MemoryTier.layerSharedWith()))
      const node = (limits: Tier.LimitOptions) =>
        Effect.gen(function* () {
          const faults = new Faults()
          const from = source(Effect.succeed(1))
          const way = faultyShared(faults, { limits }, shared)
          return { faults, from, larder: yield* make(from, TierStack.layer(way)) }
        })
      const short = yield* node({ leaseTime: "2 seconds", leaseWait: "1 minute" })
      const long = yield* node({ leaseTime: "6 seconds", leaseWait: "1 minute" })
      for (const [holder, waiter, millis] of [
        [short, long, 2_000],
        [long, short, 6_000],
      ] as const) {
        holder.from.answer = () => Effect.never
        yield* fork(Effect.exit(holder.larder.get(`${millis}`)))
        yield* TestClock.adjust(1)
        holder.faults.turn("fail", "all")
        const waited = yield* took(waiter.larder.get(`${millis}`))
        expect(waited.millis).toBeGreaterThanOrEqual(millis - 1)
        expect(waited.millis).toBeLessThanOrEqual(millis + 1_000)
        holder.faults.turn("none", "all")
        holder.from.answer = () => Effect.succeed(1)
        yield* TestClock.adjust("30 seconds")
      }
    }),
  )

  test(
    "are checked and completed",
    Effect.sync(() => {
      const byDefault = {
        leaseTime: 10_000,
        leaseWait: 10_000,
        markMaxAge: 5_000,
        settleTime: 60_000,
        heartbeat: 1_000,
        pushBytes: 0,
        breaker: { failures: 5, openFor: 5_000 },
      }
      const given = {
        leaseTime: 100,
        leaseWait: 0,
        markMaxAge: 0,
        settleTime: 1_000,
        heartbeat: 10,
        breaker: { failures: 1, openFor: 1 },
      }
      const longest = 2_147_483_647
      const most = {
        leaseTime: longest,
        leaseWait: longest,
        markMaxAge: longest,
        settleTime: longest,
        heartbeat: longest,
        breaker: { failures: Number.MAX_SAFE_INTEGER, openFor: longest },
      }
      const checked = (limits: Tier.LimitOptions | Tier.Limits) =>
        Result.getOrThrow(Tier.checkLimits("Tier", limits))
      expect(checked({})).toEqual(byDefault)
      expect(checked({ breaker: {} })).toEqual(byDefault)
      expect(checked(given)).toEqual({ ...given, pushBytes: 0 })
      expect(checked({ ...most, push: { maxBytes: 1 } })).toEqual({ ...most, pushBytes: 1 })
      // A tier declares its limits as they were checked.
      const pushing = checked({ ...most, push: { maxBytes: 1 } })
      expect(checked(pushing)).toEqual(pushing)
      expect(checked({ leaseTime: "2 seconds" }).leaseWait).toBe(2_000)
    }),
  )
})
