/** A lookup has one place in a queue: that of the callers that wait for it now. */
import { assert, describe, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Clock, Effect, Fiber, Schedule } from "effect"
import { TestClock } from "effect/testing"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const inMemory = Effect.provide(TierStack.layer(MemoryTier.layer()), { local: true })

const policy = Policy.make({
  freshFor: "1 second",
  staleWhileRevalidate: "1 hour",
  staleIfError: "1 hour",
  hardTimeout: "3 hours",
})

const nothingStale = { stale: "never" } as const

/** Lookups end when the test says so, but for those that fill the cache; keys beginning with "x" end never. */
const makeSource = () => {
  const seen = {
    began: new Map<string, number>(),
    demands: new Map<string, Upstream.Demand>(),
    hold: false,
    failures: 0,
  }
  const open = new Map<string, () => void>()
  const lookup = (key: string): Effect.Effect<string, string> =>
    Effect.gen(function* () {
      seen.began.set(key, yield* Clock.currentTimeMillis)
      seen.demands.set(key, yield* Upstream.Demand)
      if (seen.failures > 0) {
        seen.failures -= 1
        return yield* Effect.fail("down")
      }
      if (!seen.hold) return key
      return yield* Effect.callback<string>((resume) => {
        open.set(key, () => resume(Effect.succeed(key)))
      })
    })
  const end = (key: string) => {
    open.get(key)?.()
    return Effect.yieldNow
  }
  return { end, lookup, seen }
}

type Source = ReturnType<typeof makeSource>
type Guard = (
  upstream: Upstream.Upstream<string, string, unknown>,
) => Upstream.Upstream<string, string, unknown>

const none: Guard = (upstream) => upstream

const guards: Readonly<Record<"retry" | "breaker", Guard>> = {
  retry: (u) => Upstream.withRetry(u, Schedule.recurs(2)),
  breaker: (u) => Upstream.withCircuitBreaker(u),
}

/** The guard under test in every place of the pipe. */
const ordersWith = (concurrency: Guard): ReadonlyArray<readonly [string, Guard]> => {
  const { breaker, retry } = guards
  return [
    ["alone", concurrency],
    ["retry outside", (u) => retry(concurrency(u))],
    ["retry inside", (u) => concurrency(retry(u))],
    ["breaker outside", (u) => breaker(concurrency(u))],
    ["breaker inside", (u) => concurrency(breaker(u))],
    ["breaker and retry outside", (u) => breaker(retry(concurrency(u)))],
    ["retry and breaker outside", (u) => retry(breaker(concurrency(u)))],
    ["breaker and retry inside", (u) => concurrency(breaker(retry(u)))],
    ["retry inside, breaker outside", (u) => breaker(concurrency(retry(u)))],
    ["breaker inside, retry outside", (u) => retry(concurrency(breaker(u)))],
  ]
}

const make = (source: Source, guard: Guard, bulk = false) =>
  Larder.make({
    name: "guarded",
    policy,
    upstream: guard(
      Upstream.make({
        lookup: source.lookup,
        lookupMany: bulk
          ? (keys: ReadonlyArray<string>) =>
              Effect.map(
                Effect.forEach(keys, source.lookup, { concurrency: "unbounded" }),
                (values) => new Map(keys.map((key, i) => [key, values[i]!])),
              )
          : undefined,
      }),
    ),
  })

/** Keys that are stale in the cache, and a source that holds what is asked for from now on. */
const warmed = (source: Source, guard: Guard, keys: ReadonlyArray<string>, bulk = false) =>
  Effect.gen(function* () {
    const larder = yield* make(source, guard, bulk)
    for (const key of keys) yield* larder.get(key)
    yield* TestClock.adjust("2 seconds")
    source.seen.began.clear()
    source.seen.hold = true
    return larder
  })

/** A stale hit, and the beginning of the refresh that it causes. */
const behind = (larder: Larder.Larder<string, string, unknown>, key: string) =>
  Effect.tap(larder.get(key), Effect.yieldNow)

describe("withConcurrency in a larder", () => {
  const bounds = [
    { foreground: 2, background: 1 },
    { foreground: 2, background: 1, queue: 5 },
  ]

  for (const bound of bounds) {
    const name = bound.queue === undefined ? "unbounded" : "bounded"
    for (const [order, guard] of ordersWith((u) => Upstream.withConcurrency(u, bound))) {
      it.effect(
        `a caller with nothing to serve takes the refresh it joins out of the background's line (${name}, ${order})`,
        () =>
          Effect.gen(function* () {
            const source = makeSource()
            const larder = yield* warmed(source, guard, ["slow", "wanted"])
            yield* behind(larder, "slow")
            yield* behind(larder, "wanted")
            yield* Effect.yieldNow
            assert.deepStrictEqual([...source.seen.began.keys()], ["slow"])
            const caller = yield* fork(larder.get("wanted", nothingStale))
            yield* Effect.yieldNow
            assert.deepStrictEqual([...source.seen.began.keys()], ["slow", "wanted"])
            yield* source.end("wanted")
            assert.strictEqual(yield* Fiber.join(caller), "wanted")
          }).pipe(Effect.scoped, inMemory),
      )
    }
  }

  it.effect("a lookup that is tried again enters the line as what it is now", () =>
    Effect.gen(function* () {
      const source = makeSource()
      const guard: Guard = (u) =>
        u.pipe(
          Upstream.withConcurrency({ foreground: 2, background: 1, queue: 1 }),
          Upstream.withRetry(Schedule.spaced("1 second")),
        )
      const larder = yield* warmed(source, guard, ["slow", "next", "wanted"])
      source.seen.failures = 1
      yield* behind(larder, "wanted")
      yield* Effect.yieldNow
      // Its first attempt has failed; the background's permit and line are taken before the second.
      yield* behind(larder, "slow")
      yield* behind(larder, "next")
      yield* Effect.yieldNow
      const caller = yield* fork(larder.get("wanted", nothingStale))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(source.seen.began.get("wanted"), 3_000)
      yield* source.end("wanted")
      assert.strictEqual(yield* Fiber.join(caller), "wanted")
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("what a lookup is told of its callers changes with them", () =>
    Effect.gen(function* () {
      const source = makeSource()
      const larder = yield* warmed(source, none, ["a"])
      yield* behind(larder, "a")
      yield* Effect.yieldNow
      const demand = source.seen.demands.get("a")!
      const now = () => ({ background: demand.background, stale: demand.stale })
      assert.deepStrictEqual(now(), { background: true, stale: true })
      const caller = yield* fork(larder.get("a", nothingStale))
      assert.deepStrictEqual(now(), { background: false, stale: false })
      yield* Fiber.interrupt(caller)
      assert.deepStrictEqual(now(), { background: true, stale: true })
      yield* fork(larder.get("a", { maxAge: 0 }))
      assert.deepStrictEqual(now(), { background: false, stale: true })
      // Beyond staleUntil there is nothing left to give.
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(now(), { background: false, stale: false })
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("a bulk lookup is background work while all of its keys are", () =>
    Effect.gen(function* () {
      const source = makeSource()
      const guard: Guard = (u) => Upstream.withConcurrency(u, { foreground: 1, background: 1 })
      const larder = yield* warmed(source, guard, ["slow", "a", "b"], true)
      yield* behind(larder, "slow")
      yield* larder.getMany(["a", "b"])
      yield* Effect.yieldNow
      assert.deepStrictEqual([...source.seen.began.keys()], ["slow"])
      const caller = yield* fork(larder.get("b", nothingStale))
      yield* Effect.yieldNow
      assert.deepStrictEqual([...source.seen.began.keys()], ["slow", "a", "b"])
      const demand = source.seen.demands.get("a")!
      assert.deepStrictEqual([demand.background, demand.stale], [false, false])
      yield* source.end("a")
      yield* source.end("b")
      assert.strictEqual(yield* Fiber.join(caller), "b")
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("goes to the end of the foreground's line; one that left takes nobody's permit", () =>
    Effect.gen(function* () {
      const source = makeSource()
      const guard: Guard = (u) => Upstream.withConcurrency(u, { foreground: 1, background: 1 })
      const larder = yield* warmed(source, guard, ["slow", "wanted", "left"])
      yield* behind(larder, "slow")
      yield* behind(larder, "left")
      yield* behind(larder, "wanted")
      yield* fork(larder.get("one"))
      yield* fork(larder.get("two"))
      const leaving = yield* fork(larder.get("left", nothingStale))
      yield* Fiber.interrupt(leaving)
      yield* fork(larder.get("wanted", nothingStale))
      yield* fork(larder.get("three"))
      for (const key of ["one", "two", "left", "wanted", "three"]) yield* source.end(key)
      // No demotion: the refresh that its caller left keeps its place.
      const began = [...source.seen.began.keys()]
      assert.deepStrictEqual(began, ["slow", "one", "two", "left", "wanted", "three"])
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("demands are used again once their lookups have ended, 64 of them", () =>
    Effect.gen(function* () {
      const source = makeSource()
      source.seen.hold = true
      const larder = yield* make(source, none)
      const keys = Array.from({ length: 100 }, (_, i) => `${i}`)
      const round = Effect.gen(function* () {
        source.seen.demands.clear()
        const callers = yield* Effect.forEach(keys, (key) => fork(larder.refresh(key)))
        const demands = new Set(source.seen.demands.values())
        assert.strictEqual(demands.size, keys.length)
        for (const { background, stale } of demands) {
          assert.deepStrictEqual([background, stale], [false, false])
        }
        yield* Effect.forEach(keys, source.end)
        yield* Fiber.joinAll(callers)
        return demands
      })
      const first = yield* round
      // A demand at rest holds no lookup any more: of none, all is true.
      for (const { background, stale } of first) {
        assert.deepStrictEqual([background, stale], [true, true])
      }
      const second = yield* round
      assert.strictEqual([...first].filter((demand) => second.has(demand)).length, 64)
    }).pipe(Effect.scoped, inMemory),
  )
})
