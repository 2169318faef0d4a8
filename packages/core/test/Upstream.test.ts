import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import {
  Cause,
  Clock,
  Context,
  Data,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Schedule,
  Scope,
  Stream,
  Tracer,
} from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import { type Entry, Upstream } from "../src/index.ts"
import { LiveDemand } from "../src/internal/upstream/liveDemand.ts"
import { countedClock } from "./support/countedClock.ts"

const fork = Effect.forkChild({ startImmediately: true })

class Down extends Data.TaggedError("Down") {}
class NotFound extends Data.TaggedError("NotFound") {}

class Db extends Context.Service<Db, { readonly name: string }>()("test/Db") {}

interface Product {
  readonly id: string
}

const entryOf = <A>(value: A, etag?: string): Entry.Entry<A> => ({
  value,
  storedAt: 0,
  freshUntil: 0,
  revalidateUntil: 0,
  staleUntil: 0,
  loadMillis: 0,
  version: 1,
  asOf: 0,
  tags: [],
  etag,
})

const demand = (background: boolean, stale: boolean) =>
  Effect.provideService(Upstream.Demand, { background, stale })

/** Lookups that take 100 ms and know when they began. */
const makeSlow = () => {
  const seen = { running: 0, most: 0, began: new Map<string, number>() }
  const upstream = Upstream.make({
    lookup: (key: string) =>
      Effect.gen(function* () {
        seen.began.set(key, yield* Clock.currentTimeMillis)
        seen.most = Math.max(seen.most, ++seen.running)
        yield* Effect.sleep("100 millis")
        return key
      }).pipe(Effect.ensuring(Effect.sync(() => seen.running--))),
    lookupMany: (keys) =>
      Effect.as(Effect.sleep("100 millis"), new Map(keys.map((key) => [key, key]))),
  })
  return { seen, upstream }
}

describe("Upstream.make", () => {
  it.effect("gives single and bulk lookups", () =>
    Effect.gen(function* () {
      const { lookup, lookupMany } = yield* Upstream.make({
        lookup: (key: string, previous) =>
          Effect.succeed(previous?.etag === "v1" ? Upstream.notModified : key.length),
        lookupMany: (keys) => Effect.succeed(new Map(keys.map((key) => [key, key.length]))),
      }).resolve
      assert.strictEqual(yield* lookup("milk", undefined), 4)
      const again = yield* lookup("milk", entryOf(4, "v1"))
      assert.isTrue(Upstream.isNotModified(again))
      assert.deepStrictEqual(
        [...(yield* lookupMany!(["a", "bb"]))],
        [
          ["a", 1],
          ["bb", 2],
        ],
      )
    }),
  )

  it.effect("methods of an object with state keep their this", () =>
    Effect.gen(function* () {
      class Source {
        #seen = 0
        lookup(_key: string) {
          return Effect.succeed(++this.#seen)
        }
        lookupMany(keys: ReadonlyArray<string>) {
          return Effect.succeed(new Map(keys.map((key) => [key, ++this.#seen])))
        }
      }
      const { lookup, lookupMany } = yield* Upstream.make(new Source()).resolve
      assert.strictEqual(yield* lookup("a", undefined), 1)
      assert.deepStrictEqual([...(yield* lookupMany!(["a"]))], [["a", 2]])
    }),
  )

  it.effect("a lookup that throws is a defect", () =>
    Effect.gen(function* () {
      const boom = new Error("boom")
      const { lookup } = yield* Upstream.make({
        lookup: (_key: string): Effect.Effect<number> => {
          throw boom
        },
      }).resolve
      assert.deepStrictEqual(yield* Effect.exit(lookup("a", undefined)), Exit.die(boom))
    }),
  )

  it.effect("services come from where it was resolved, span and demand from who runs it", () =>
    Effect.gen(function* () {
      const spanName = Effect.map(Effect.currentSpan, (span) => span.name)
      const { lookup } = yield* Upstream.make({
        lookup: (_key: string) => Effect.all([Db, Effect.orDie(spanName), Upstream.Demand]),
      }).resolve.pipe(
        Effect.provideService(Db, { name: "construction" }),
        Effect.withSpan("construction"),
        demand(true, false),
      )
      const seen = yield* lookup("a", undefined).pipe(
        Effect.provideService(Db, { name: "caller" }),
        Effect.withSpan("caller"),
        demand(false, true),
      )
      assert.deepStrictEqual(seen, [
        { name: "construction" },
        "caller",
        { background: false, stale: true },
      ])
    }),
  )

  it.effect("without a span of the caller there is none", () =>
    Effect.gen(function* () {
      const { lookup } = yield* Upstream.make({
        lookup: (_key: string) => Effect.serviceOption(Tracer.ParentSpan),
      }).resolve.pipe(Effect.withSpan("construction"))
      const seen = yield* lookup("a", undefined)
      assert.strictEqual("_tag" in seen && seen._tag, "None")
    }),
  )

  it.effect("each lookup has a scope of its own, closed when it ends", () =>
    Effect.gen(function* () {
      const events: Array<string> = []
      const upstream = Upstream.make({
        lookup: (key: string) =>
          Effect.as(
            Effect.acquireRelease(
              Effect.sync(() => events.push(`open ${key}`)),
              () => Effect.sync(() => events.push(`close ${key}`)),
            ),
            key,
          ),
      })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { lookup } = yield* upstream.resolve
          yield* lookup("a", undefined)
          yield* lookup("b", undefined)
          events.push("end")
        }),
      )
      assert.deepStrictEqual(events, ["open a", "close a", "open b", "close b", "end"])
    }),
  )
})

describe("Upstream.withRetry", () => {
  const failing = (times: number) => {
    const seen = { calls: 0 }
    const call = Effect.suspend(() =>
      ++seen.calls <= times ? Effect.fail(new Down()) : Effect.succeed(seen.calls),
    )
    const upstream = Upstream.make({
      lookup: (_key: string) => call,
      lookupMany: (keys) => Effect.map(call, (n) => new Map(keys.map((key) => [key, n]))),
    })
    return { seen, upstream }
  }

  it.effect("tries single and bulk lookups again as the schedule says", () =>
    Effect.gen(function* () {
      const single = failing(2)
      const { lookup } = yield* Upstream.withRetry(single.upstream, Schedule.recurs(2)).resolve
      assert.strictEqual(yield* lookup("a", undefined), 3)
      const bulk = failing(2)
      const { lookupMany } = yield* bulk.upstream.pipe(Upstream.withRetry(Schedule.recurs(2)))
        .resolve
      assert.deepStrictEqual([...(yield* lookupMany!(["a"]))], [["a", 3]])
      const never = failing(9)
      const given = yield* Upstream.withRetry(never.upstream, Schedule.recurs(2)).resolve
      const exit = yield* Effect.exit(given.lookup("a", undefined))
      assert.deepStrictEqual(exit, Exit.fail(new Down()))
      assert.strictEqual(never.seen.calls, 3)
    }),
  )

  it.effect("the schedule's services are captured, and demand still reaches the lookup", () =>
    Effect.gen(function* () {
      const { seen, upstream } = failing(1)
      const watching = Schedule.recurs(3).pipe(
        Schedule.tap(() => Effect.map(Db, ({ name }) => assert.strictEqual(name, "construction"))),
      )
      const withDemand = Upstream.make({
        lookup: (key: string) =>
          Effect.flatMap(Upstream.Demand, ({ stale }) => {
            assert.isTrue(stale)
            return Effect.flatMap(upstream.resolve, (resolved) => resolved.lookup(key, undefined))
          }),
      })
      const { lookup } = yield* Upstream.withRetry(withDemand, watching).resolve.pipe(
        Effect.provideService(Db, { name: "construction" }),
      )
      yield* demand(false, true)(lookup("a", undefined))
      assert.strictEqual(seen.calls, 2)
    }),
  )

  it.effect("order decides: a breaker inside sees each attempt, outside the outcome of all", () =>
    Effect.gen(function* () {
      const options = { tripPolicy: CircuitBreaker.consecutive(2) }
      const inside = failing(9)
      const a = yield* inside.upstream.pipe(
        Upstream.withCircuitBreaker(options),
        Upstream.withRetry(Schedule.recurs(3)),
      ).resolve
      const rejected = yield* Effect.flip(a.lookup("a", undefined))
      assert.strictEqual(rejected._tag, "CircuitBreakerError")
      assert.strictEqual(inside.seen.calls, 2)

      const outside = failing(9)
      const b = yield* outside.upstream.pipe(
        Upstream.withRetry(Schedule.recurs(3)),
        Upstream.withCircuitBreaker(options),
      ).resolve
      assert.strictEqual((yield* Effect.flip(b.lookup("a", undefined)))._tag, "Down")
      assert.strictEqual(outside.seen.calls, 4)
      assert.strictEqual((yield* b.breakers[0]!.state)._tag, "Closed")
    }),
  )
})

describe("Upstream.withConcurrency", () => {
  it.effect("at most n lookups run at once, in the order they asked", () =>
    Effect.gen(function* () {
      const { seen, upstream } = makeSlow()
      const { lookup } = yield* upstream.pipe(Upstream.withConcurrency(2)).resolve
      const keys = ["a", "b", "c", "d", "e"]
      const fibers = yield* Effect.forEach(keys, (key) => fork(lookup(key, undefined)))
      yield* TestClock.adjust("300 millis")
      assert.deepStrictEqual(yield* Fiber.joinAll(fibers), keys)
      assert.deepStrictEqual(
        [...seen.began],
        [
          ["a", 0],
          ["b", 0],
          ["c", 100],
          ["d", 100],
          ["e", 200],
        ],
      )
      assert.strictEqual(seen.most, 2)
    }),
  )

  it.effect("a bulk lookup takes one permit", () =>
    Effect.gen(function* () {
      const { seen, upstream } = makeSlow()
      const { lookup, lookupMany } = yield* Upstream.withConcurrency(upstream, 2).resolve
      yield* fork(lookupMany!(["x", "y", "z"]))
      yield* fork(lookup("a", undefined))
      yield* fork(lookup("b", undefined))
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(
        [...seen.began],
        [
          ["a", 0],
          ["b", 100],
        ],
      )
    }),
  )

  it.effect(
    "permits come back after failure, defect and interruption; who is interrupted leaves the line",
    () =>
      Effect.gen(function* () {
        const upstream = Upstream.make({
          lookup: (key: string) =>
            key === "fail"
              ? Effect.fail("no")
              : key === "die"
                ? Effect.die("broken")
                : key === "hang"
                  ? Effect.never
                  : Effect.succeed(key),
        }).pipe(Upstream.withConcurrency({ foreground: 1, queue: 1 }))
        const { lookup } = yield* upstream.resolve
        yield* Effect.exit(lookup("fail", undefined))
        yield* Effect.exit(lookup("die", undefined))
        const holder = yield* fork(lookup("hang", undefined))
        const waiting = yield* fork(lookup("a", undefined))
        yield* Fiber.interrupt(waiting)
        const next = yield* fork(lookup("b", undefined))
        yield* Fiber.interrupt(holder)
        assert.strictEqual(yield* Fiber.join(next), "b")
        assert.strictEqual(yield* lookup("c", undefined), "c")
      }),
  )

  it.effect("beyond the waiting line lookups are shed", () =>
    Effect.gen(function* () {
      const { seen, upstream } = makeSlow()
      const { lookup } = yield* upstream.pipe(Upstream.withConcurrency({ foreground: 1, queue: 2 }))
        .resolve
      const fibers = yield* Effect.forEach(["a", "b", "c"], (key) => fork(lookup(key, undefined)))
      const shed = yield* Effect.flip(lookup("d", undefined))
      assert.deepStrictEqual(shed, new Upstream.Shed({ limit: 1, queue: 2, background: false }))
      assert.include(shed.message, "1 lookups are running")
      yield* TestClock.adjust("300 millis")
      assert.deepStrictEqual(yield* Fiber.joinAll(fibers), ["a", "b", "c"])
      assert.isFalse(seen.began.has("d"))
    }),
  )

  it.effect("a line of zero: nobody waits", () =>
    Effect.gen(function* () {
      const { upstream } = makeSlow()
      const { lookup } = yield* upstream.pipe(Upstream.withConcurrency({ foreground: 1, queue: 0 }))
        .resolve
      yield* fork(lookup("a", undefined))
      assert.strictEqual((yield* Effect.flip(lookup("b", undefined)))._tag, "Shed")
      yield* TestClock.adjust("100 millis")
      yield* fork(lookup("b", undefined))
    }),
  )

  it.effect("stale is preferred to waiting where the line is bounded", () =>
    Effect.gen(function* () {
      const { seen, upstream } = makeSlow()
      const { lookup } = yield* upstream.pipe(Upstream.withConcurrency({ foreground: 1, queue: 9 }))
        .resolve
      const hasStale = demand(false, true)
      yield* fork(hasStale(lookup("a", undefined)))
      const shed = yield* Effect.flip(hasStale(lookup("b", undefined)))
      assert.strictEqual(shed._tag, "Shed")
      yield* fork(lookup("c", undefined))
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual([...seen.began.keys()], ["a", "c"])

      const unbounded = yield* upstream.pipe(Upstream.withConcurrency(1)).resolve
      yield* fork(unbounded.lookup("d", undefined))
      yield* fork(hasStale(unbounded.lookup("e", undefined)))
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual([...seen.began.keys()], ["a", "c", "d", "e"])
    }),
  )

  it.effect("background work has permits of its own when it is given some, else it shares", () =>
    Effect.gen(function* () {
      const { seen, upstream } = makeSlow()
      const behind = demand(true, false)
      const own = yield* upstream.pipe(
        Upstream.withConcurrency({ foreground: 1, background: 1, queue: 0 }),
      ).resolve
      yield* fork(own.lookup("a", undefined))
      yield* fork(behind(own.lookup("b", undefined)))
      assert.strictEqual(seen.running, 2)
      const shed = yield* Effect.flip(behind(own.lookup("c", undefined)))
      assert.deepStrictEqual(shed, new Upstream.Shed({ limit: 1, queue: 0, background: true }))
      yield* TestClock.adjust("100 millis")

      const shared = yield* upstream.pipe(Upstream.withConcurrency({ foreground: 1 })).resolve
      yield* fork(behind(shared.lookup("d", undefined)))
      yield* fork(shared.lookup("e", undefined))
      assert.strictEqual(seen.running, 1)
    }),
  )

  it.effect("state is made anew by each resolve", () =>
    Effect.gen(function* () {
      const { seen, upstream } = makeSlow()
      const one = upstream.pipe(Upstream.withConcurrency({ foreground: 1, queue: 0 }))
      const first = yield* one.resolve
      const second = yield* one.resolve
      yield* fork(first.lookup("a", undefined))
      yield* fork(second.lookup("b", undefined))
      assert.strictEqual(seen.running, 2)
    }),
  )

  it.effect("may have no bound for callers, and one for the background", () =>
    Effect.gen(function* () {
      const { seen, upstream } = makeSlow()
      const { lookup } = yield* upstream.pipe(
        Upstream.withConcurrency({ foreground: Infinity, background: 1 }),
      ).resolve
      for (const key of ["a", "b", "c"]) yield* fork(lookup(key, undefined))
      for (const key of ["d", "e"]) yield* fork(lookup(key, undefined).pipe(demand(true, false)))
      assert.strictEqual(seen.running, 4)
    }),
  )
})

/** A caller that waits for as long as it takes, with nothing stale. */
class Waits extends LiveDemand {
  readonly background = false
  readonly stale = false
  readonly endsAt = Infinity
}

describe("Upstream.withCircuitBreaker", () => {
  const makeFlaky = () => {
    const seen = { calls: 0, failing: true }
    const call = Effect.suspend(() => {
      seen.calls++
      return seen.failing ? Effect.fail(new Down()) : Effect.succeed(seen.calls)
    })
    const upstream = Upstream.make({
      lookup: (_key: string) => call,
      lookupMany: (keys) => Effect.map(call, (n) => new Map(keys.map((key) => [key, n]))),
    })
    return { seen, upstream }
  }

  it.effect(
    "opens after five failures, single and bulk together; a probe after 10 s closes it",
    () =>
      Effect.gen(function* () {
        const { seen, upstream } = makeFlaky()
        const { breakers, lookup, lookupMany } = yield* upstream.pipe(Upstream.withCircuitBreaker())
          .resolve
        const [breaker] = breakers
        const moves: Array<string> = []
        yield* fork(
          Stream.runForEach(breaker!.transitions, ({ from, to }) =>
            Effect.sync(() => moves.push(`${from} ${to}`)),
          ),
        )
        for (let i = 0; i < 3; i++) yield* Effect.flip(lookup("a", undefined))
        for (let i = 0; i < 2; i++) yield* Effect.flip(lookupMany!(["a"]))
        assert.strictEqual((yield* Effect.flip(lookup("a", undefined)))._tag, "CircuitBreakerError")
        assert.strictEqual((yield* Effect.flip(lookupMany!(["a"])))._tag, "CircuitBreakerError")
        assert.strictEqual(seen.calls, 5)
        assert.strictEqual((yield* breaker!.state)._tag, "Open")
        seen.failing = false
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* lookup("a", undefined), 6)
        yield* Effect.yieldNow
        assert.deepStrictEqual(moves, ["Closed Open", "Open HalfOpen", "HalfOpen Closed"])
      }),
  )

  it.effect("classify says what counts", () =>
    Effect.gen(function* () {
      const notFound = Upstream.make({
        lookup: (key: string): Effect.Effect<number, NotFound | Down> =>
          key === "gone" ? Effect.fail(new NotFound()) : Effect.fail(new Down()),
      })
      const { breakers, lookup } = yield* notFound
        .pipe(
          Upstream.withCircuitBreaker({
            tripPolicy: CircuitBreaker.consecutive(1),
            classify: (exit) => {
              expectTypeOf(exit).toEqualTypeOf<
                Exit.Exit<
                  | number
                  | Upstream.NotModified
                  | ReadonlyMap<unknown, Upstream.Answer<number, NotFound | Down>>,
                  NotFound | Down
                >
              >()
              const outage = Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof Down
              return Effect.map(Db, () =>
                outage ? CircuitBreaker.failure() : CircuitBreaker.success,
              )
            },
          }),
        )
        .resolve.pipe(Effect.provideService(Db, { name: "db" }))
      yield* Effect.flip(lookup("gone", undefined))
      assert.strictEqual((yield* breakers[0]!.state)._tag, "Closed")
      yield* Effect.flip(lookup("down", undefined))
      assert.strictEqual((yield* breakers[0]!.state)._tag, "Open")
    }),
  )

  it.effect("leaving a lookup does not count, one that took too long does", () =>
    Effect.gen(function* () {
      const { breakers, lookup } = yield* Upstream.make({
        lookup: (_key: string) => Effect.never,
      }).pipe(Upstream.withCircuitBreaker({ tripPolicy: CircuitBreaker.consecutive(2) })).resolve
      const leave = Effect.flatMap(fork(lookup("a", undefined)), Fiber.interrupt)
      const giveUp = Effect.flatMap(fork(lookup("a", undefined)), (fiber) =>
        Effect.sync(() => fiber.interruptUnsafe(undefined, Upstream.timedOut)),
      )
      const state = Effect.map(breakers[0]!.state, ({ _tag }) => _tag)
      yield* leave
      yield* leave
      yield* giveUp
      assert.strictEqual(yield* state, "Closed")
      yield* giveUp
      assert.strictEqual(yield* state, "Open")
      yield* TestClock.adjust("10 seconds")
      yield* giveUp
      assert.strictEqual(yield* state, "Open")
      yield* TestClock.adjust("10 seconds")
      yield* leave
      assert.strictEqual(yield* state, "HalfOpen")
    }),
  )

  it.effect("a probe that disobeys its interruption does not keep the circuit half-open", () =>
    Effect.gen(function* () {
      let stubborn = false
      const { breakers, lookup } = yield* Upstream.make({
        lookup: (_key: string) =>
          stubborn ? Effect.uninterruptible(Effect.sleep("1 hour")) : Effect.fail(new Down()),
      }).pipe(Upstream.withCircuitBreaker({ tripPolicy: CircuitBreaker.consecutive(1) })).resolve
      yield* Effect.flip(lookup("a", undefined))
      yield* TestClock.adjust("10 seconds")
      stubborn = true
      const probe = yield* fork(lookup("a", undefined))
      assert.include(yield* breakers[0]!.state, { _tag: "HalfOpen", probing: true })
      yield* Fiber.interrupt(probe)
      assert.include(yield* breakers[0]!.state, { _tag: "HalfOpen", probing: false })
    }),
  )

  it.effect("each resolve has a circuit of its own, unless a store is given", () =>
    Effect.gen(function* () {
      const tripPolicy = CircuitBreaker.consecutive(1)
      const states = (upstream: Upstream.Upstream<string, number, unknown>) =>
        Effect.gen(function* () {
          const first = yield* upstream.resolve
          const second = yield* upstream.resolve
          yield* Effect.exit(first.lookup("a", undefined))
          return [(yield* first.breakers[0]!.state)._tag, (yield* second.breakers[0]!.state)._tag]
        })
      const { upstream } = makeFlaky()
      const own = upstream.pipe(Upstream.withCircuitBreaker({ tripPolicy }))
      assert.deepStrictEqual(yield* states(own), ["Open", "Closed"])
      const store = yield* Effect.map(
        Layer.build(CircuitBreaker.layerStoreMemory()),
        Context.get(CircuitBreaker.CircuitBreakerStore),
      )
      const shared = Upstream.withCircuitBreaker(upstream, { tripPolicy, store })
      assert.deepStrictEqual(yield* states(shared), ["Open", "Open"])
      const layered = upstream.pipe(
        Upstream.withCircuitBreaker({
          tripPolicy,
          key: "layered",
          store: Layer.succeed(CircuitBreaker.CircuitBreakerStore, store),
        }),
      )
      assert.deepStrictEqual(yield* states(layered), ["Open", "Open"])
      assert.strictEqual((yield* layered.resolve).breakers[0]!.name, "layered")
    }),
  )

  it.effect("a store that cannot be reached: the state is what callers meet", () =>
    Effect.gen(function* () {
      const broken = Effect.fail(
        new CircuitBreaker.CircuitBreakerError({
          reason: new CircuitBreaker.CircuitBreakerStoreError({ message: "away" }),
        }),
      )
      const store = { admit: () => broken, record: () => broken, state: () => broken }
      const { seen, upstream } = makeFlaky()
      seen.failing = false
      const open = yield* Upstream.withCircuitBreaker(upstream, { store }).resolve
      assert.strictEqual(yield* open.lookup("a", undefined), 1)
      assert.strictEqual((yield* open.breakers[0]!.state)._tag, "Closed")
      const closed = yield* Upstream.withCircuitBreaker(upstream, { store, onStoreError: "fail" })
        .resolve
      assert.isTrue(Exit.isFailure(yield* Effect.exit(closed.lookup("a", undefined))))
      assert.deepStrictEqual(yield* closed.breakers[0]!.state, {
        _tag: "Open",
        key: "upstream",
        retryAfter: Duration.zero,
        consecutiveOpenings: 0,
      })
    }),
  )

  it.effect("around an upstream that somebody else has made adds no bulk lookup to it", () =>
    Effect.gen(function* () {
      const { upstream } = makeFlaky()
      const { breakers, lookup } = yield* upstream.resolve
      const byHand: typeof upstream = {
        ...upstream,
        resolve: Effect.succeed({ breakers, lookup, lookupMany: undefined }),
      }
      assert.isUndefined((yield* Upstream.withCircuitBreaker(byHand).resolve).lookupMany)
    }),
  )

  it.effect("law 22: keeps no timer for those that wait once its scope has closed", () =>
    Effect.gen(function* () {
      const { clock: watched, sleeps } = yield* countedClock
      const scope = yield* Scope.make()
      const { lookup } = yield* Upstream.withCircuitBreaker(makeFlaky().upstream, {
        tripPolicy: CircuitBreaker.consecutive(1),
      }).resolve.pipe(Scope.provide(scope), Effect.provideService(Clock.Clock, watched))
      yield* Effect.exit(lookup("a", undefined))
      const asking = Effect.provideService(lookup("a", undefined), Upstream.Demand, new Waits())
      yield* fork(asking)
      assert.strictEqual(sleeps.running, 1)
      yield* Scope.close(scope, Exit.void)
      yield* Effect.yieldNow
      assert.strictEqual(sleeps.running, 0)
    }),
  )

  it.effect(
    "law 8: a thousand callers wait for a probe unless told otherwise, more are refused",
    () =>
      Effect.gen(function* () {
        const { lookup } = yield* Upstream.withCircuitBreaker(makeFlaky().upstream, {
          tripPolicy: CircuitBreaker.consecutive(1),
        }).resolve
        yield* Effect.exit(lookup("a", undefined))
        const asking = Effect.provideService(lookup("a", undefined), Upstream.Demand, new Waits())
        const callers = yield* Effect.forEach(Array.from({ length: 1_002 }), () =>
          fork(Effect.exit(asking)),
        )
        const refused = callers.filter((caller) => caller.pollUnsafe() !== undefined)
        assert.strictEqual(refused.length, 2)
      }),
  )
})

class Catalogue extends Upstream.Service<Catalogue, string, Product, Down>()("test/Catalogue") {
  static readonly live = this.layer({
    lookup: (id, previous) => {
      expectTypeOf(id).toEqualTypeOf<string>()
      expectTypeOf(previous).toEqualTypeOf<Entry.Entry<Product> | undefined>()
      return Effect.map(Db, ({ name }) => ({ id: `${name}:${id}` }))
    },
  })
  static readonly other = this.layerEffect(
    Effect.map(Db, ({ name }) => ({ lookup: (id: string) => Effect.succeed({ id: name + id }) })),
  )
}

describe("Upstream.Service", () => {
  it.effect("is an upstream, provided as a layer", () =>
    Effect.gen(function* () {
      assert.isTrue(Upstream.isUpstream(Catalogue))
      const db = Layer.succeed(Db, { name: "db" })
      const ask = Effect.flatMap(Catalogue.resolve, ({ lookup }) => lookup("a", undefined))
      const one = yield* Effect.provide(ask, Layer.provide(Catalogue.live, db))
      assert.deepStrictEqual(one, { id: "db:a" })
      const two = yield* Effect.provide(ask, Layer.provide(Catalogue.other, db))
      assert.deepStrictEqual(two, { id: "dba" })
      const guarded = Catalogue.pipe(Upstream.withConcurrency({ foreground: 1, queue: 0 }))
      const three = yield* Effect.provide(
        Effect.flatMap(guarded.resolve, ({ lookup }) => lookup("c", undefined)),
        Layer.provide(Catalogue.live, db),
      )
      assert.deepStrictEqual(three, { id: "db:c" })
    }),
  )
})

describe("Upstream types", () => {
  const consume = <K, A, E, R>(_: Upstream.Upstream<K, A, E, R>) => {}
  const product = (id: string): Effect.Effect<Product, Down, Db | Scope.Scope> =>
    Effect.as(Effect.andThen(Db, Effect.scope), { id })

  it("unannotated previous; R without Scope; A without NotModified", () => {
    const upstream = Upstream.make({
      lookup: (id: string, previous) => {
        expectTypeOf(previous).toEqualTypeOf<Entry.Entry<unknown> | undefined>()
        return previous?.etag === undefined ? product(id) : Effect.succeed(Upstream.notModified)
      },
    })
    expectTypeOf(upstream).toEqualTypeOf<Upstream.Upstream<string, Product, Down, Db>>()
    consume<string, Product, Down, Db>(upstream)
  })

  it("annotated previous", () => {
    const upstream = Upstream.make({
      lookup: (id: string, previous: Entry.Entry<Product> | undefined) =>
        previous === undefined ? product(id) : Effect.succeed(previous.value),
      lookupMany: undefined,
    })
    expectTypeOf(upstream).toEqualTypeOf<Upstream.Upstream<string, Product, Down, Db>>()
  })

  it("guards in a pipe", () => {
    const upstream = Upstream.make({ lookup: product })
    const retried = upstream.pipe(Upstream.withRetry(Schedule.recurs(1)))
    expectTypeOf(retried).toEqualTypeOf<Upstream.Upstream<string, Product, Down, Db>>()
    const limited = upstream.pipe(Upstream.withConcurrency(3))
    expectTypeOf(limited).toEqualTypeOf<Upstream.Upstream<string, Product, Down, Db>>()
    const background = upstream.pipe(Upstream.withConcurrency({ foreground: 3, background: 1 }))
    expectTypeOf(background).toEqualTypeOf<Upstream.Upstream<string, Product, Down, Db>>()
    const all = upstream.pipe(
      Upstream.withRetry(Schedule.recurs(1)),
      Upstream.withCircuitBreaker({ openDuration: "1 second" }),
      Upstream.withConcurrency({ foreground: 3, queue: 9 }),
    )
    expectTypeOf(all).toEqualTypeOf<
      Upstream.Upstream<
        string,
        Product,
        Down | CircuitBreaker.CircuitBreakerError | Upstream.Shed,
        Db
      >
    >()
    const needy = Upstream.withCircuitBreaker(upstream, {
      store: Layer.effect(
        CircuitBreaker.CircuitBreakerStore,
        Effect.never as Effect.Effect<never, never, Scope.Scope | Tracer.ParentSpan>,
      ),
    })
    expectTypeOf(needy).toEqualTypeOf<
      Upstream.Upstream<
        string,
        Product,
        Down | CircuitBreaker.CircuitBreakerError,
        Db | Tracer.ParentSpan
      >
    >()
  })

  it("a service is an upstream of its own class", () => {
    consume<string, Product, Down, Catalogue>(Catalogue)
    const guarded = Catalogue.pipe(Upstream.withConcurrency(4))
    expectTypeOf(guarded).toEqualTypeOf<Upstream.Upstream<string, Product, Down, Catalogue>>()
    expectTypeOf(Catalogue.live).toEqualTypeOf<Layer.Layer<Catalogue, never, Db>>()
    expectTypeOf(Catalogue.other).toEqualTypeOf<Layer.Layer<Catalogue, never, Db>>()
  })

  it("an upstream for wider keys serves narrower ones", () => {
    const wide = Upstream.make({ lookup: (key: string | number) => Effect.succeed(`${key}`) })
    const narrow: Upstream.Upstream<"a" | "b", string> = wide
    assert.isTrue(Upstream.isUpstream(narrow))
    assert.isFalse(Upstream.isUpstream({ lookup: () => Effect.void }))
  })
})
