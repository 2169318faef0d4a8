/** Many keys over an arbiter that grants leases in batches: which leases are requested, and which are given back. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Deferred, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import * as scripted from "../../support/scriptedTier.ts"
import { pass } from "../../support/stepwise.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

interface NodeOptions {
  readonly bulk?: boolean
  readonly breaks?: boolean
  readonly schemaVersion?: number
}

/** An upstream that tests control, which records the keys of each call. */
class Source {
  answer: (key: string) => Effect.Effect<number, string> = () => Effect.succeed(1)
  readonly asked: Array<ReadonlyArray<string>> = []
  /** Called when an answer has come, with the keys of a bulk lookup one after the other. */
  onArrival: () => void = () => {}

  readonly lookup = (key: string) =>
    Effect.suspend(() => {
      this.asked.push([key])
      return this.answer(key)
    })

  readonly lookupMany = (keys: ReadonlyArray<string>) =>
    Effect.suspend(() => {
      this.asked.push(keys)
      return Effect.map(
        Effect.forEach(keys, (key) =>
          Effect.map(this.answer(key), (value) => [key, value] as const),
        ),
        (entries) => new Map(entries),
      )
    })
}

const world = Effect.gen(function* () {
  yield* TestClock.setTime(1_790_000_000_000)
  const shared = new scripted.Script()
  const layer = Layer.succeedContext(
    yield* Layer.build(scripted.layer(shared, "shared", "batches")),
  )
  const node = ({ breaks = false, bulk = false, schemaVersion = 1 }: NodeOptions = {}) =>
    Effect.gen(function* () {
      const source = new Source()
      const upstream = Upstream.make({
        lookup: source.lookup,
        lookupMany: bulk ? source.lookupMany : undefined,
      })
      const tripPolicy = CircuitBreaker.consecutive(1)
      const larder = yield* Larder.make({
        name: "many",
        value: Schema.Finite,
        schemaVersion,
        upstream: breaks
          ? Upstream.withCircuitBreaker(upstream, { tripPolicy })
          : (upstream as Upstream.Upstream<string, number, unknown>),
        policy: Policy.make({
          freshFor: "10 seconds",
          staleIfError: "1 hour",
          retryAfterFailure: 0,
        }),
        tags: () => {
          source.onArrival()
          return []
        },
        closeTimeout: 0,
      }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer(), layer)))
      return Object.assign(larder, { source })
    })
  const keysOf = (operation: "acquireAll") =>
    shared.of(operation).map(({ args }) => args[0].map(({ key }) => key))
  return {
    shared,
    node,
    /** The keys whose leases were asked for together. */
    acquired: () => keysOf("acquireAll"),
    released: () => shared.of("release").map(({ args }) => args[0]),
    committed: () => [
      ...shared.of("commit").map(({ args }) => args[0]),
      ...shared.of("commitAll").flatMap(({ args }) => args[0].map(({ key }) => key)),
    ],
  }
})

type World = Effect.Success<typeof world>

/** Counts something, for each turn of the event loop by itself. */
const eachTurn = () => {
  const counts: Array<number> = []
  let inTurn = 0
  const count = () => {
    inTurn += 1
    if (inTurn > 1) return
    setImmediate(() => {
      counts.push(inTurn)
      inTurn = 0
    })
  }
  return { counts, count }
}

const test = (title: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () => Effect.scoped(Effect.flatMap(world, body)))

/** Values that have become stale, and a circuit that a failure has opened. */
const broken = (node: Effect.Success<ReturnType<World["node"]>>) =>
  Effect.gen(function* () {
    yield* node.getMany(["k", "l", "x"])
    yield* TestClock.adjust("10 seconds")
    node.source.answer = () => Effect.fail("down")
    yield* Effect.exit(node.get("x"))
    yield* TestClock.adjust(10)
    node.source.asked.length = 0
  })

const range = (count: number) => Array.from({ length: count }, (_, i) => `k${i}`)

const ways = { "one by one": false, together: true } as const

for (const [way, bulk] of Object.entries(ways)) {
  describe(`keys that are looked up ${way}`, () => {
    test("have their leases in one trip, and their values are stored", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node({ bulk })
        const got = yield* a.getMany(["k", "l"])
        yield* TestClock.adjust(10)
        expect([...got.values()]).toEqual([Exit.succeed(1), Exit.succeed(1)])
        expect(world.acquired()).toEqual([["k", "l"]])
        expect(world.committed()).toEqual(["k", "l"])
        expect(world.released()).toEqual([])
      }))

    test("law 8: of those that nobody waits for any more no lease is asked for", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node({ bulk })
        world.shared.instead.read = scripted.slowly(50)
        const many = yield* fork(a.getMany(["k", "l", "m"]))
        const one = yield* fork(a.getMany(["l", "m"]))
        yield* TestClock.adjust(20)
        yield* Fiber.interrupt(many)
        yield* TestClock.adjust(30)
        expect((yield* Fiber.join(one)).get("l")).toEqual(Exit.succeed(1))
        expect(world.acquired()).toEqual([["l", "m"]])
        expect(a.source.asked).toEqual(bulk ? [["l", "m"]] : [["l"], ["m"]])
      }))

    test("law 8: of those that nobody waits for when it is granted the lease is given back", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node({ bulk })
        world.shared.instead.acquireAll = scripted.slowly(50)
        const many = yield* fork(a.getMany(["k", "l"]))
        const one = yield* fork(a.get("l"))
        yield* TestClock.adjust(20)
        yield* Fiber.interrupt(many)
        yield* TestClock.adjust(30)
        expect(yield* Fiber.join(one)).toBe(1)
        yield* TestClock.adjust(10)
        expect(a.source.asked).toEqual([["l"]])
        expect(world.released()).toEqual(["k"])
      }))

    test("law 8: leases that are granted after all callers have left are given back", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node({ bulk })
        world.shared.instead.acquireAll = (acquireAll) => (requests) =>
          Effect.tap(acquireAll(requests), Effect.sleep(50))
        const many = yield* fork(a.getMany(["k", "l"]))
        yield* TestClock.adjust(20)
        many.interruptUnsafe()
        yield* TestClock.adjust(50)
        expect(world.released()).toEqual(["k", "l"])
        expect(a.source.asked).toEqual([])
      }))

    test("law 8: all leases are given back when all callers have left", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node({ bulk })
        a.source.answer = () => Effect.never
        const many = yield* fork(a.getMany(["k", "l"]))
        yield* TestClock.adjust(1)
        yield* Fiber.interrupt(many)
        yield* TestClock.adjust(10)
        expect(world.released()).toEqual(["k", "l"])
      }))

    test("are looked up each by itself where another node has the lease", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node({ bulk })
        const b = yield* world.node({ bulk })
        a.source.answer = () => Effect.delay(Effect.succeed(7), 500)
        b.source.answer = () => Effect.succeed(8)
        const first = yield* fork(a.get("k"))
        const second = yield* fork(b.getMany(["k", "l"]))
        yield* TestClock.adjust(1)
        expect(b.source.asked).toEqual([["l"]])
        yield* TestClock.adjust("2 seconds")
        expect(yield* Fiber.join(first)).toBe(7)
        expect(yield* Fiber.join(second)).toEqual(
          new Map([
            ["k", Exit.succeed(7)],
            ["l", Exit.succeed(8)],
          ]),
        )
        expect(b.source.asked).toEqual([["l"]])
      }))

    test("law 16: of one that a newer release wrote no lease is asked for", (world) =>
      Effect.gen(function* () {
        const newer = yield* world.node({ bulk, schemaVersion: 2 })
        yield* newer.set("k", 7)
        const a = yield* world.node({ bulk })
        const got = yield* a.getMany(["k", "l"])
        expect([...got.values()]).toEqual([Exit.succeed(1), Exit.succeed(1)])
        yield* TestClock.adjust(10)
        const leased = world.shared.of("acquire").map(({ args }) => args[0])
        expect([...world.acquired().flat(), ...leased]).toEqual(["l"])
        expect(world.committed()).toEqual(["l"])
        expect(yield* newer.get("k")).toBe(7)
      }))

    test("law 14: where the circuit of upstream is open ask for no lease", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node({ bulk, breaks: true })
        yield* broken(a)
        world.shared.trips()
        const got = yield* a.getMany(["k", "l"])
        expect([...got.values()]).toEqual([Exit.succeed(1), Exit.succeed(1)])
        const trips = world.shared.trips()
        expect(trips.filter((trip) => trip.startsWith("acquire"))).toEqual([])
      }))

    test("law 8: many of them leave the event loop to others in between", (world) =>
      Effect.gen(function* () {
        const a = yield* world.node({ bulk })
        const arrivals = eachTurn()
        a.source.onArrival = arrivals.count
        const many = yield* fork(a.getMany(range(250)))
        yield* TestClock.adjust(10)
        yield* Fiber.join(many)
        // 250 results are two commits.
        yield* pass(20)
        expect(arrivals.counts).toEqual([100, 100, 50])
        expect(world.acquired().length).toBe(1)
        expect(new Set(world.committed()).size).toBe(250)
      }))

    for (const [count, has] of [
      [100, false],
      [101, true],
    ] as const) {
      const whose = has ? "have turns of their own" : "need no turn"
      test(`law 8: ${count} of them ${whose} between their steps`, (world) =>
        Effect.gen(function* () {
          const a = yield* world.node({ bulk })
          yield* a.get("warm")
          const turns: Array<boolean> = []
          let isNew = true
          const step = () => {
            turns.push(isNew)
            isNew = false
            setImmediate(() => {
              isNew = true
            })
          }
          world.shared.instead.read = (read) => (keys) => Effect.tap(read(keys), Effect.sync(step))
          world.shared.instead.acquireAll = (acquireAll) => (requests) => {
            step()
            return Effect.tap(acquireAll(requests), Effect.sync(step))
          }
          let begun = 0
          const begin = () => {
            begun += 1
            if (begun === 1) step()
          }
          a.source.answer = () => Effect.as(Effect.sync(begin), 1)
          let arrived = 0
          a.source.onArrival = () => {
            arrived += 1
            if (arrived === 1) step()
          }
          const many = yield* fork(a.getMany(range(count)))
          yield* TestClock.adjust(10)
          yield* Fiber.join(many)
          expect(turns).toEqual([true, has, false, has, false])
        }))
    }
  })
}

test("law 8: many keys that other nodes look up leave the event loop to others as well", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node({ bulk: true })
    const busy = () => ({ _tag: "Busy", leftMillis: 10_000 }) as const
    world.shared.instead.acquireAll = () => (requests) => Effect.succeed(requests.map(busy))
    const asking = eachTurn()
    world.shared.instead.acquire = () => () => Effect.as(Effect.sync(asking.count), busy())
    const many = yield* fork(a.getMany(range(250)))
    yield* pass(20)
    expect(asking.counts).toEqual([100, 100, 50])
    yield* Fiber.interrupt(many)
  }))

test("law 22: a larder that closes between the keys of a bulk lookup keeps the leases it needs", (world) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const a = yield* Scope.provide(world.node({ bulk: true }), scope)
    world.shared.instead.commitAll = scripted.slowly(50)
    const half = yield* Deferred.make<void>()
    let arrived = 0
    a.source.onArrival = () => {
      arrived += 1
      if (arrived === 50) Deferred.doneUnsafe(half, Exit.void)
    }
    yield* fork(Effect.andThen(Deferred.await(half), Scope.close(scope, Exit.void)))
    const many = yield* fork(a.getMany(range(250)))
    yield* pass(100)
    yield* Fiber.await(many)
    const released = world.released()
    expect(range(49).filter((key) => released.includes(key))).toEqual([])
    expect(released.length).toBeGreaterThan(0)
  }))

test("law 8: a bulk lookup that interrupts one of its callers goes on for the other", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node({ bulk: true })
    world.shared.instead.read = scripted.slowly(50)
    a.source.answer = (key) =>
      Effect.suspend(() => {
        if (key === "k") many.interruptUnsafe()
        return Effect.delay(Effect.succeed(1), 50)
      })
    const many: Fiber.Fiber<unknown> = yield* fork(a.getMany(["k", "l"]))
    const one = yield* fork(a.getMany(["l"]))
    yield* TestClock.adjust(50)
    expect(a.source.asked).toEqual([["k", "l"]])
    yield* TestClock.adjust(100)
    expect(yield* Fiber.join(one)).toEqual(new Map([["l", Exit.succeed(1)]]))
    yield* Fiber.await(many)
  }))

describe("keys that are looked up one by one", () => {
  test("law 8: each lease is given back once when the caller leaves in between", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      let asked = 0
      a.source.answer = () => {
        asked += 1
        if (asked === 100) many.interruptUnsafe()
        return Effect.never
      }
      const many = yield* fork(a.getMany(range(250)))
      yield* TestClock.adjust(10)
      yield* Fiber.await(many)
      yield* TestClock.adjust(10)
      expect(asked).toBe(100)
      expect(world.released().length).toBe(250)
      expect(new Set(world.released())).toEqual(new Set(range(250)))
    }))

  test("give back the lease of one whose lookup is refused since another has failed", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node({ breaks: true })
      yield* a.getMany(["k", "l"])
      yield* TestClock.adjust("10 seconds")
      a.source.asked.length = 0
      a.source.answer = () => Effect.fail("down")
      const got = yield* a.getMany(["k", "l"])
      yield* TestClock.adjust(10)
      expect([...got.values()]).toEqual([Exit.succeed(1), Exit.succeed(1)])
      expect(a.source.asked).toEqual([["k"]])
      expect(world.released()).toEqual(["k", "l"])
    }))

  test("ask for the lease of the one that probes alone while the circuit is not closed", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node({ breaks: true })
      yield* broken(a)
      yield* TestClock.adjust("10 seconds")
      world.shared.trips()
      a.source.answer = () => Effect.delay(Effect.succeed(2), 50)
      const many = yield* fork(a.getMany(["k", "l"]))
      yield* TestClock.adjust(100)
      expect([...(yield* Fiber.join(many)).values()]).toEqual([Exit.succeed(2), Exit.succeed(1)])
      const trips = world.shared.trips()
      expect(trips.filter((trip) => trip.startsWith("acquire"))).toEqual(["acquire"])
    }))
})
