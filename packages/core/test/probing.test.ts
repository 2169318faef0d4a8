/** Callers with nothing to serve wait for the outcome of an open circuit's next probe. */
import { assert, describe, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Clock, Context, Data, Duration, Effect, Exit, Fiber, Layer, Schedule, Scope } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import { countedClock } from "./support/countedClock.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const inMemory = Effect.provide(TierStack.layer(MemoryTier.layer()), { local: true })

class Down extends Data.TaggedError("Down") {}

type Source = Upstream.Upstream<string, string, unknown>
type Guard = (upstream: Source) => Source

const seconds = Effect.map(Clock.currentTimeMillis, (now) => now / 1_000)

/** A source that is down, or says so late, or hangs, or takes 100 ms, with the moments in seconds at which it was asked. */
const makeSource = () => {
  const seen = { asked: new Array<number>(), mood: "down" as "down" | "late" | "hangs" | "well" }
  const upstream = Upstream.make({
    lookup: (key: string): Effect.Effect<string, Down> =>
      Effect.gen(function* () {
        seen.asked.push(yield* seconds)
        if (seen.mood === "late") yield* Effect.sleep("1 second")
        if (seen.mood === "down" || seen.mood === "late") return yield* new Down()
        if (seen.mood === "hangs") return yield* Effect.never
        yield* Effect.sleep("100 millis")
        return key
      }),
  })
  return { seen, upstream }
}

const tripPolicy = CircuitBreaker.consecutive(1)

const breaking =
  (options?: Upstream.BreakerOptions): Guard =>
  (u) =>
    Upstream.withCircuitBreaker(u, { tripPolicy, ...options })

const policy = Policy.make({ freshFor: "1 second", staleIfError: "1 hour" })

/** A larder whose circuit has just opened, perhaps with a lookup that began before and hangs. */
const opened = (guard: Guard, given: Policy.Policy = policy, hasBefore = false) =>
  Effect.gen(function* () {
    const source = makeSource()
    const resolved = yield* guard(source.upstream).resolve
    const larder = yield* Larder.make({
      name: "probing",
      upstream: { ...source.upstream, resolve: Effect.succeed(resolved) },
      policy: given,
    })
    /** Past the larder, and without waiting for a probe. */
    const lookup = (key: string) => resolved.lookup(key, undefined)
    source.seen.mood = "hangs"
    const before = hasBefore ? yield* fork(larder.get("before")) : undefined
    source.seen.mood = "down"
    yield* Effect.exit(larder.get("opens it"))
    source.seen.asked.length = 0
    assert.deepStrictEqual(new Set(Object.values((yield* larder.stats).breakers)).has("Open"), true)
    return { before, larder, lookup, seen: source.seen }
  })

/** How a call ends, and when. */
const timed = <A, E, R>(call: Effect.Effect<A, E, R>) =>
  Effect.map(
    Effect.all([Effect.exit(call), seconds] as const, { concurrency: 1 }),
    ([exit, at]) => [
      at,
      Exit.isSuccess(exit)
        ? exit.value
        : exit.cause.reasons.map((reason) =>
            reason._tag === "Fail" ? (reason.error as { readonly _tag: string })._tag : reason._tag,
          )[0],
    ],
  )

describe("a caller with nothing to serve", () => {
  const gate: Guard = (u) => Upstream.withConcurrency(u, 4)
  const retry: Guard = (u) => Upstream.withRetry(u, Schedule.recurs(1))
  const orders: Readonly<Record<string, Guard>> = {
    alone: breaking(),
    "line inside": (u) => breaking()(gate(u)),
    "line outside": (u) => gate(breaking()(u)),
    "retry inside": (u) => breaking()(retry(u)),
    "another circuit outside": (u) => breaking()(breaking()(u)),
    "another circuit inside": (u) =>
      breaking()(breaking({ tripPolicy: CircuitBreaker.consecutive(9) })(u)),
  }

  for (const [order, guard] of Object.entries(orders)) {
    it.effect(`waits for the probe, a second after the circuit opened (${order})`, () =>
      Effect.gen(function* () {
        const { larder, seen } = yield* opened(guard)
        seen.mood = "well"
        const calls = yield* Effect.forEach(["a", "b", "c"], (key) => fork(timed(larder.get(key))))
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(yield* Fiber.joinAll(calls), [
          [1.1, "a"],
          [1.2, "b"],
          [1.2, "c"],
        ])
        assert.deepStrictEqual(seen.asked, [1, 1.1, 1.1])
      }).pipe(Effect.scoped, inMemory),
    )
  }

  it.effect(
    "gets upstream's error if it is the probe, else the circuit's, when the probe fails",
    () =>
      Effect.gen(function* () {
        const { larder, seen } = yield* opened(breaking())
        const calls = yield* Effect.forEach(["a", "b"], (key) => fork(timed(larder.get(key))))
        const many = yield* fork(larder.getMany(["c", "d"]))
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(yield* Fiber.joinAll(calls), [
          [1, "Down"],
          [1, "CircuitBreakerError"],
        ])
        assert.strictEqual([...(yield* Fiber.join(many)).values()].filter(Exit.isFailure).length, 2)
        assert.deepStrictEqual(seen.asked, [1])
      }).pipe(Effect.scoped, inMemory),
  )

  it.effect("is one probe a second, however many callers there are, and none without them", () =>
    Effect.gen(function* () {
      const { larder, seen } = yield* opened(breaking())
      for (let i = 0; i < 50; i += 1) {
        yield* fork(Effect.exit(larder.get(`${i}`)))
        yield* TestClock.adjust("100 millis")
      }
      assert.deepStrictEqual(seen.asked, [1, 2, 3, 4, 5])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(seen.asked, [1, 2, 3, 4, 5])
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("that comes when the circuit has been open for longer is the probe", () =>
    Effect.gen(function* () {
      const { larder, seen } = yield* opened(breaking())
      yield* TestClock.adjust("4 seconds")
      seen.mood = "well"
      const call = yield* fork(timed(larder.get("a")))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(call), [4.1, "a"])
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect.each([
    [{ probeEvery: "3 seconds" }, 3],
    [{ probeEvery: "Infinity" }, 10],
    [{ openDuration: "500 millis" }, 0.5],
    [{ openDuration: "2 seconds", probeEvery: "1 minute" }, 2],
  ] satisfies ReadonlyArray<readonly [Upstream.BreakerOptions, number]>)(
    "waits for probeEvery, or openDuration if that is shorter (%o)",
    ([options, at]) =>
      Effect.gen(function* () {
        const { larder, seen } = yield* opened(breaking(options))
        const call = yield* fork(Effect.exit(larder.get("a")))
        yield* TestClock.adjust("20 seconds")
        yield* Fiber.join(call)
        assert.deepStrictEqual(seen.asked, [at])
      }).pipe(Effect.scoped, inMemory),
  )

  it.effect("fails at once where the queue is full", () =>
    Effect.gen(function* () {
      const { larder } = yield* opened(breaking({ probeQueue: 2 }))
      const calls = yield* Effect.forEach(["a", "b", "c"], (key) => fork(timed(larder.get(key))))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.joinAll(calls), [
        [1, "Down"],
        [1, "CircuitBreakerError"],
        [0, "CircuitBreakerError"],
      ])
      const none = yield* opened(breaking({ probeQueue: 0 }))
      assert.deepStrictEqual(yield* timed(none.larder.get("a")), [1, "CircuitBreakerError"])
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("makes room in the queue when it leaves", () =>
    Effect.gen(function* () {
      const { larder, seen } = yield* opened(breaking({ probeQueue: 1 }))
      const leaving = yield* fork(larder.get("a"))
      yield* Fiber.interrupt(leaving)
      seen.mood = "well"
      const call = yield* fork(timed(larder.get("b")))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(call), [1.1, "b"])
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("fails at once where the next probe is later than its hardTimeout", () =>
    Effect.gen(function* () {
      const hasty = Policy.make({ freshFor: "1 second", hardTimeout: "900 millis" })
      const { larder } = yield* opened(breaking(), hasty)
      assert.deepStrictEqual(yield* timed(larder.get("a")), [0, "CircuitBreakerError"])
      yield* TestClock.adjust("200 millis")
      const call = yield* fork(timed(larder.get("b")))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(call), [1, "Down"])
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("does not make a probe come earlier than upstream itself has said", () =>
    Effect.gen(function* () {
      const { larder, seen } = yield* opened((u) =>
        Upstream.withCircuitBreaker(u, {
          tripPolicy,
          openDuration: "1 minute",
          classify: (exit) =>
            Exit.isSuccess(exit)
              ? CircuitBreaker.success
              : CircuitBreaker.failure({ retryAfter: "5 seconds" }),
        }),
      )
      const call = yield* fork(timed(larder.get("a")))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* Fiber.join(call), [5, "Down"])
      assert.deepStrictEqual(seen.asked, [5])
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("is the next probe when the one before was left, or was ignored", () =>
    Effect.gen(function* () {
      const { larder, seen } = yield* opened(breaking())
      seen.mood = "hangs"
      const first = yield* fork(larder.get("a"))
      const second = yield* fork(timed(larder.get("b")))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(seen.asked, [1])
      seen.mood = "well"
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(second), [2.1, "b"])
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("does not wait for the one that was to be the probe and left on its way", () =>
    Effect.gen(function* () {
      const { larder, seen } = yield* opened((u) => breaking()(Upstream.withConcurrency(u, 1)))
      seen.mood = "well"
      const first = yield* fork(larder.get("a"))
      const second = yield* fork(timed(larder.get("b")))
      // Whoever comes first in the turn in which the probe is due.
      yield* fork(Effect.andThen(Effect.sleep("1 second"), Fiber.interrupt(first)))
      yield* TestClock.adjust("5 seconds")
      const [at, value] = yield* Fiber.join(second)
      assert.strictEqual(value, "b")
      assert.isAtMost(at as number, 2.1)
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("is told of a probe that took too long", () =>
    Effect.gen(function* () {
      const { larder, seen } = yield* opened(
        breaking(),
        Policy.make({ freshFor: "1 second", hardTimeout: "3 seconds" }),
      )
      seen.mood = "hangs"
      const first = yield* fork(timed(larder.get("a")))
      yield* TestClock.adjust("1 second")
      const second = yield* fork(timed(larder.get("b")))
      yield* TestClock.adjust("9 seconds")
      assert.deepStrictEqual(yield* Fiber.join(first), [3, "LookupTimeout"])
      assert.deepStrictEqual(yield* Fiber.join(second), [3, "CircuitBreakerError"])
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("goes on through the line inside, with all the others", () =>
    Effect.gen(function* () {
      const { larder, seen } = yield* opened((u) => breaking()(Upstream.withConcurrency(u, 2)))
      seen.mood = "well"
      const keys = ["a", "b", "c", "d", "e"]
      yield* Effect.forEach(keys, (key) => fork(larder.get(key)))
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(seen.asked, [1, 1.1, 1.1, 1.2, 1.2])
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("waits again if the circuit opens again before it could go", () =>
    Effect.gen(function* () {
      const { larder, seen } = yield* opened((u) => breaking()(Upstream.withConcurrency(u, 1)))
      seen.mood = "well"
      yield* fork(larder.get("a"))
      const second = yield* fork(timed(larder.get("b")))
      const third = yield* fork(timed(larder.get("c")))
      yield* TestClock.adjust("1050 millis")
      seen.mood = "down"
      yield* TestClock.adjust("5 seconds")
      // It went first, and opened the circuit again.
      assert.deepStrictEqual(yield* Fiber.join(second), [1.1, "Down"])
      assert.deepStrictEqual(yield* Fiber.join(third), [2.1, "Down"])
      assert.deepStrictEqual(seen.asked, [1, 1.1, 2.1])
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("is told when the larder closes", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { larder } = yield* Effect.provideService(opened(breaking()), Scope.Scope, scope)
      const call = yield* fork(Effect.exit(larder.get("a")))
      yield* Scope.close(scope, Exit.void)
      const exit = yield* Fiber.join(call)
      assert.include(String(exit), "LarderClosed")
    }).pipe(inMemory),
  )

  it.effect("leaves no timer behind when the larder closes", () =>
    Effect.gen(function* () {
      const { clock: watched, sleeps } = yield* countedClock
      const scope = yield* Scope.make()
      const { larder } = yield* opened(breaking()).pipe(
        Effect.provideService(Scope.Scope, scope),
        Effect.provideService(Clock.Clock, watched),
      )
      yield* fork(Effect.exit(larder.get("a")))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(sleeps.running, 0)
      // Nor has an open circuit one while no caller waits.
      const idle = yield* breaking()(makeSource().upstream).resolve.pipe(
        Effect.provideService(Clock.Clock, watched),
      )
      yield* Effect.exit(idle.lookup("a", undefined))
      assert.strictEqual(sleeps.running, 0)
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("waits while lookups from before the opening end", () =>
    Effect.gen(function* () {
      const seen = { asked: new Array<number>() }
      const larder = yield* Larder.make({
        name: "probing",
        upstream: breaking()(
          Upstream.make({
            lookup: (key: string): Effect.Effect<string, Down> =>
              Effect.gen(function* () {
                seen.asked.push(yield* seconds)
                if (key === "fails") return yield* new Down()
                return yield* Effect.delay(Effect.succeed(key), "2500 millis")
              }),
          }),
        ),
        policy,
      })
      yield* fork(larder.get("slow"))
      yield* Effect.exit(larder.get("fails"))
      const calls = yield* Effect.forEach(["a", "b"], (key) => fork(timed(larder.get(key))))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* Fiber.joinAll(calls), [
        [3.5, "a"],
        [6, "b"],
      ])
      assert.deepStrictEqual(seen.asked, [0, 0, 1, 3.5])
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("does not wait for a circuit inside that refuses at once, nor for a store", () =>
    Effect.gen(function* () {
      const inner = yield* opened((u) =>
        breaking({ tripPolicy: CircuitBreaker.consecutive(9) })(breaking({ probeQueue: 0 })(u)),
      )
      assert.deepStrictEqual(yield* timed(inner.larder.get("a")), [0, "CircuitBreakerError"])
      const broken = Effect.fail(
        new CircuitBreaker.CircuitBreakerError({
          reason: new CircuitBreaker.CircuitBreakerStoreError({ message: "away" }),
        }),
      )
      const store = { admit: () => broken, record: () => broken, state: () => broken }
      const away = yield* opened(breaking({ store, onStoreError: "fail" }))
      assert.deepStrictEqual(yield* timed(away.larder.get("a")), [0, "CircuitBreakerError"])
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("of a thousand that go on at once, none is lost", () =>
    Effect.gen(function* () {
      const { larder, seen } = yield* opened(breaking())
      seen.mood = "well"
      const keys = Array.from({ length: 1_000 }, (_, i) => `${i}`)
      const calls = yield* Effect.forEach(keys, (key) => fork(larder.get(key)))
      yield* TestClock.adjust("1200 millis")
      assert.deepStrictEqual(yield* Fiber.joinAll(calls), keys)
    }).pipe(Effect.scoped, inMemory),
  )
})

describe("what does not wait for a probe", () => {
  it.effect(
    "a caller with something stale, a background refresh; their traffic alone hastens none",
    () =>
      Effect.gen(function* () {
        const source = makeSource()
        source.seen.mood = "well"
        const larder = yield* Larder.make({
          name: "probing",
          upstream: breaking()(source.upstream),
          policy: Policy.make({
            freshFor: "1 second",
            staleWhileRevalidate: "2 seconds",
            staleIfError: "1 hour",
          }),
        })
        yield* Effect.forEach(["a", "b"], (key) => fork(larder.get(key)))
        yield* TestClock.adjust("1100 millis")
        source.seen.mood = "down"
        yield* Effect.exit(larder.refresh("c"))
        source.seen.asked.length = 0
        const opensAt = yield* seconds
        for (let i = 0; i < 95; i += 1) {
          for (const key of ["a", "b"]) {
            const [at, value] = yield* timed(larder.get(key))
            assert.deepStrictEqual([at, value], [yield* seconds, key])
          }
          yield* TestClock.adjust("100 millis")
        }
        assert.deepStrictEqual(source.seen.asked, [])
        source.seen.mood = "well"
        // With nothing but their traffic the circuit closes again after openDuration.
        yield* TestClock.adjust("600 millis")
        yield* fork(larder.get("a"))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(
          source.seen.asked.map((at) => Math.round(at - opensAt)),
          [10],
        )
        assert.deepStrictEqual((yield* larder.stats).breakers, { upstream: "Closed" })
      }).pipe(Effect.scoped, inMemory),
  )
})

describe("a backoff", () => {
  /** A circuit whose open time doubles, and for how many seconds it is open now. */
  const backingOff = Effect.fnUntraced(function* (hasBefore = false) {
    let breaker: Upstream.UpstreamBreaker | undefined
    const doubling = breaking({ openDuration: Schedule.exponential("10 seconds") })
    const world = yield* opened(
      (u) => ({
        ...doubling(u),
        resolve: Effect.tap(doubling(u).resolve, ({ breakers }) =>
          Effect.sync(() => (breaker = breakers[0])),
        ),
      }),
      policy,
      hasBefore,
    )
    const openFor = Effect.gen(function* () {
      const state = yield* breaker!.state
      return state._tag === "Open" ? Duration.toSeconds(state.retryAfter) : state._tag
    })
    /** Without anybody who waits: a background refresh would do the same. */
    const probe = Effect.exit(world.lookup("probe"))
    return { ...world, openFor, probe }
  })

  it.effect("does not grow by probes that came early, but by the others", () =>
    Effect.gen(function* () {
      const { larder, openFor, probe, seen } = yield* backingOff()
      assert.strictEqual(yield* openFor, 10)
      for (let i = 0; i < 5; i += 1) {
        yield* fork(Effect.exit(larder.get("a")))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* openFor, 10)
      }
      assert.deepStrictEqual(seen.asked, [1, 2, 3, 4, 5])
      for (const open of [20, 40]) {
        yield* TestClock.adjust(`${open / 2} seconds`)
        yield* probe
        assert.strictEqual(yield* openFor, open)
      }
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("is not mistaken about that by a lookup from before the opening", () =>
    Effect.gen(function* () {
      const { before, larder, openFor, probe, seen } = yield* backingOff(true)
      seen.mood = "late"
      yield* fork(Effect.exit(larder.get("a")))
      yield* TestClock.adjust("1500 millis")
      yield* Fiber.interrupt(before!)
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(yield* openFor, 10)
      yield* TestClock.adjust("10 seconds")
      seen.mood = "down"
      yield* probe
      assert.strictEqual(yield* openFor, 20)
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("begins anew once the circuit has been closed for long enough", () =>
    Effect.gen(function* () {
      const { larder, openFor, probe, seen } = yield* backingOff()
      for (let i = 0; i < 5; i += 1) {
        yield* fork(Effect.exit(larder.get("a")))
        yield* TestClock.adjust("1 second")
      }
      seen.mood = "well"
      yield* fork(larder.get("a"))
      yield* TestClock.adjust("1 minute")
      seen.mood = "down"
      for (const open of [10, 20]) {
        yield* probe
        assert.strictEqual(yield* openFor, open)
        yield* TestClock.adjust(`${open} seconds`)
      }
    }).pipe(Effect.scoped, inMemory),
  )
})

describe("with a store that was given", () => {
  const makeStore = Effect.map(
    Layer.build(CircuitBreaker.layerStoreMemory()),
    Context.get(CircuitBreaker.CircuitBreakerStore),
  )

  it.effect("a caller waits for openDuration, within hardTimeout", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      const { larder, seen } = yield* opened(breaking({ store }))
      seen.mood = "well"
      const call = yield* fork(timed(larder.get("a")))
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* Fiber.join(call), [10.1, "a"])
      const hasty = Policy.make({ freshFor: "1 second", hardTimeout: "9 seconds" })
      const other = yield* opened(breaking({ store, key: "other" }), hasty)
      assert.deepStrictEqual(yield* timed(other.larder.get("a")), [20, "CircuitBreakerError"])
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("and learns within a second of another node's probe", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      const here = yield* opened(breaking({ store, openDuration: "2 seconds" }))
      const there = yield* Larder.make({
        name: "there",
        upstream: breaking({ store, openDuration: "2 seconds" })(
          Upstream.make({
            lookup: (key: string) => Effect.delay(Effect.succeed(key), "1500 millis"),
          }),
        ),
        policy,
      })
      yield* TestClock.adjust("2 seconds")
      yield* fork(there.get("a"))
      here.seen.mood = "well"
      const calls = yield* Effect.forEach(["b", "c"], (key) => fork(timed(here.larder.get(key))))
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* Fiber.joinAll(calls), [
        [4.1, "b"],
        [4.1, "c"],
      ])
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("and waits on when another node's probe runs for long, and has failed", () =>
    Effect.gen(function* () {
      const store = yield* makeStore
      const admits = new Array<number>()
      const counted: typeof store = {
        ...store,
        admit: (key) =>
          Effect.andThen(
            Effect.map(seconds, (now) => admits.push(now)),
            store.admit(key),
          ),
      }
      const here = yield* opened(breaking({ store: counted }))
      const there = yield* Larder.make({
        name: "there",
        upstream: breaking({ store })(
          Upstream.make({
            lookup: (_: string) => Effect.delay(Effect.fail(new Down()), "2500 millis"),
          }),
        ),
        policy,
      })
      yield* fork(Effect.exit(there.get("first, and so the probe of 10 s")))
      admits.length = 0
      const call = yield* fork(timed(here.larder.get("a")))
      here.seen.mood = "well"
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* Fiber.join(call), [22.6, "a"])
      assert.deepStrictEqual(admits, [0, 10, 11, 12, 13, 22.5])
    }).pipe(Effect.scoped, inMemory),
  )
})
