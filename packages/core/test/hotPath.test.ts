import { assert, describe, it } from "@effect/vitest"
import { BoundedMap, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Context, Effect, Exit, Fiber, PubSub, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"

const inMemory = (options?: MemoryTier.Options) =>
  Effect.provide(TierStack.layer(MemoryTier.layer(options)), { local: true })

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** From within a function that is none of Effect's. */
const runNow = <A, E>(effect: Effect.Effect<A, E>): void => {
  Effect.runFork(effect)
}

/** A lookup gives its number. */
const counting = (policy: Policy.Policy, tags?: () => ReadonlyArray<string>) =>
  Effect.gen(function* () {
    let lookups = 0
    const previous: Array<unknown> = []
    const larder = yield* Larder.make({
      name: "counting",
      policy,
      tags,
      upstream: Upstream.make({
        lookup: (_: string, before) =>
          Effect.sync(() => {
            previous.push(before?.value)
            return (lookups += 1)
          }),
      }),
    })
    return { larder, lookups: () => lookups, previous }
  })

const hour = Policy.make({ freshFor: "1 hour" })
const graceful = Policy.make({ freshFor: "10 seconds", staleWhileRevalidate: "1 hour" })

describe("weights", () => {
  it("law 17: the first weight other than 1 may come to any slot", () => {
    for (const eviction of ["w-tinylfu", "lru"] as const) {
      const map = BoundedMap.make<number>({ maxEntries: 1_000, maxWeight: 600, eviction })
      for (let i = 0; i < 500; i += 1) map.set(`${i}`, i)
      map.set("3", 3, { weight: 2 })
      assert.strictEqual(map.weight, 501)
      map.delete("400")
      assert.strictEqual(map.weight, 500)
      for (let i = 0; i < 500; i += 1) map.delete(`${i}`)
      assert.strictEqual(map.weight, 0)
    }
  })

  it.effect("a value that `weigh` gives no weight for is refused, and the previous one stays", () =>
    Effect.gen(function* () {
      for (const weigh of [
        (value: unknown) => (value === -1 ? Number.NaN : 1),
        (value: unknown) => {
          if (value === -1) throw new Error("no scales")
          return 1
        },
      ]) {
        const { larder } = yield* counting(hour).pipe(inMemory({ weigh }))
        yield* larder.get("a")
        assert.isTrue(Exit.isFailure(yield* Effect.exit(larder.set("a", -1))))
        assert.strictEqual((yield* larder.read("a")).entry?.value, 1)
        assert.strictEqual(yield* larder.get("a"), 1)
      }
    }).pipe(Effect.scoped),
  )

  it.effect("a `weigh` that calls the larder back mixes nothing up", () => {
    let back: (() => void) | undefined
    const weigh = () => {
      const call = back
      back = undefined
      call?.()
      return 1
    }
    return Effect.gen(function* () {
      const { larder } = yield* counting(hour)
      yield* larder.set("a", 10)
      yield* larder.set("b", 20)
      back = () => {
        runNow(larder.remove("a"))
        runNow(larder.set("c", 30))
      }
      yield* larder.set("a", 11)
      const values = yield* Effect.forEach(["a", "b", "c"], (key) => larder.get(key))
      assert.deepStrictEqual(values, [11, 20, 30])
      const entries = yield* Effect.forEach(["a", "b", "c"], (key) => larder.read(key))
      assert.deepStrictEqual(
        entries.map(({ entry }) => entry?.value),
        [11, 20, 30],
      )
    }).pipe(inMemory({ weigh }), Effect.scoped)
  })
})

describe("what is asked for is in use", () => {
  const threeKeys = (
    again: (larder: Larder.Larder<string, number>) => Effect.Effect<unknown, unknown>,
  ) =>
    Effect.gen(function* () {
      const { larder } = yield* counting(
        Policy.make({ freshFor: "1 second", staleIfError: "1 hour" }),
      ).pipe(inMemory({ maxEntries: 2, eviction: "lru" }))
      yield* larder.get("a")
      yield* larder.get("b")
      yield* TestClock.adjust("1 second")
      yield* again(larder)
      yield* larder.get("c")
      const left = yield* Effect.filter(["a", "b", "c"], (key) =>
        Effect.map(larder.read(key), ({ entry }) => entry !== undefined),
      )
      assert.deepStrictEqual(left, ["a", "c"])
    }).pipe(Effect.scoped)

  it.effect("also by a get that had to wait", () => threeKeys((larder) => larder.get("a")))
  it.effect("also by getMany that had to wait", () => threeKeys((larder) => larder.getMany(["a"])))
  it.effect("also by a set", () => threeKeys((larder) => larder.set("a", 0)))
  it.effect("also by a refresh", () => threeKeys((larder) => larder.refresh("a")))
})

describe("between a stale hit and the beginning of its refresh", () => {
  const staleHit = Effect.gen(function* () {
    const made = yield* counting(graceful, () => ["t"])
    yield* made.larder.get("a")
    yield* TestClock.adjust("10 seconds")
    assert.strictEqual(yield* made.larder.get("a"), 1)
    assert.strictEqual(made.lookups(), 1)
    return made
  })

  it.effect("law 2: it begins without anybody asking, before time passes", () =>
    Effect.gen(function* () {
      const { larder, lookups } = yield* staleHit
      yield* Effect.yieldNow
      assert.strictEqual(lookups(), 2)
      assert.strictEqual((yield* larder.stats).inFlight, 0)
    }).pipe(inMemory(), Effect.scoped),
  )

  it.effect("who asks again begins it", () =>
    Effect.gen(function* () {
      const { larder, lookups } = yield* staleHit
      assert.strictEqual(yield* larder.get("a"), 2)
      assert.strictEqual(lookups(), 2)
    }).pipe(inMemory(), Effect.scoped),
  )

  it.effect("law 7: a mark does not cover what begins after it", () =>
    Effect.gen(function* () {
      const { larder, lookups } = yield* staleHit
      yield* larder.invalidateTags(["t"])
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* larder.read("a")).freshness._tag, "Fresh")
      assert.strictEqual(yield* larder.get("a"), 2)
      assert.strictEqual(lookups(), 2)
    }).pipe(inMemory(), Effect.scoped),
  )

  it.effect("law 12: what a mark dropped is not shown to the lookup", () =>
    Effect.gen(function* () {
      const { larder, previous } = yield* staleHit
      yield* larder.invalidateTags(["t"], { keepStale: false })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(previous, [undefined, undefined])
      assert.strictEqual(yield* larder.get("a"), 2)
    }).pipe(inMemory(), Effect.scoped),
  )

  for (const change of ["remove", "expire", "clear"] as const) {
    it.effect(`${change}: it does not begin, unless somebody asks`, () =>
      Effect.gen(function* () {
        const { larder, lookups } = yield* staleHit
        yield* change === "clear" ? larder.clear() : larder[change]("a")
        yield* TestClock.adjust(1)
        assert.strictEqual(lookups(), 1)
        assert.strictEqual((yield* larder.stats).inFlight, 0)
      }).pipe(inMemory(), Effect.scoped),
    )
  }
})

describe("closing", () => {
  it.effect("law 22: a waiter that is told so gets nothing of what memory had", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const scope = yield* Scope.make()
      const larder = yield* Larder.make({
        name: "closing",
        policy: graceful,
        upstream: Upstream.make({
          lookup: (key: string) =>
            Effect.suspend(() => {
              asked.push(key)
              return key === "slow" ? Effect.never : Effect.succeed(key)
            }),
        }),
      }).pipe(Scope.provide(scope))
      yield* larder.get("stale")
      yield* TestClock.adjust("10 seconds")
      yield* larder.get("fresh")
      const waiting = yield* Effect.forEach(["stale", "fresh"], (key) =>
        fork(Effect.andThen(Effect.exit(larder.get("slow")), Effect.exit(larder.get(key)))),
      )
      yield* Scope.close(scope, Exit.void)
      for (const fiber of waiting) {
        const exit = yield* Fiber.join(fiber)
        const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.propertyVal(defect, "_tag", "LarderClosed")
      }
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(asked, ["stale", "fresh", "slow"])
    }).pipe(inMemory()),
  )

  it.effect("law 22: a lookup whose first step closes the larder is interrupted", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      let interrupted = false
      const larder = yield* Larder.make({
        name: "closing",
        policy: hour,
        upstream: Upstream.make({
          lookup: (_: string) =>
            Effect.suspend(() => {
              runNow(Scope.close(scope, Exit.void))
              return Effect.never
            }).pipe(Effect.onInterrupt(() => Effect.sync(() => (interrupted = true)))),
        }),
      }).pipe(Scope.provide(scope))
      const waiting = yield* fork(Effect.exit(larder.get("a")))
      yield* TestClock.adjust(1)
      assert.isTrue(interrupted)
      assert.isTrue(Exit.isFailure(yield* Fiber.join(waiting)))
    }).pipe(inMemory()),
  )

  it.effect("law 22: who subscribes on hearing the last event finds a stream that ends", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { larder } = yield* counting(hour).pipe(Scope.provide(scope))
      yield* larder.get("a")
      const listening = yield* fork(
        Effect.scoped(
          Effect.gen(function* () {
            const told = yield* larder.subscribe
            yield* PubSub.take(told)
            yield* Stream.runDrain(larder.events)
          }),
        ),
      )
      yield* larder.get("a")
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(listening)
    }).pipe(inMemory()),
  )
})

class Db extends Context.Service<Db, string>()("hotPath/Db") {}

it.effect(
  "law 8: an upstream keeps the services of where it was resolved, in another's lookup too",
  () =>
    Effect.gen(function* () {
      const products = Upstream.make({
        lookup: (key: string) => Effect.map(Db, (db) => `${db}:${key}`),
      })
      const resolved = yield* products.resolve
      const larder = yield* Larder.make({
        name: "services",
        policy: hour,
        upstream: Upstream.make({
          lookup: (key: string) => Effect.provideService(resolved.lookup(key, undefined), Db, "tx"),
        }),
      })
      assert.strictEqual(yield* larder.get("a"), "pool:a")
    }).pipe(inMemory(), Effect.provideService(Db, "pool"), Effect.scoped),
)

it.effect("a `key` function that gives no string is an invalid key", () =>
  Effect.gen(function* () {
    const larder = yield* Larder.make({
      name: "keys",
      key: (key: string) => (key === "bad" ? undefined : key) as string,
      policy: hour,
      upstream: Upstream.make({ lookup: (key: string) => Effect.succeed(key) }),
    })
    const failure = yield* Effect.flip(larder.get("bad"))
    assert.strictEqual(
      failure.message,
      "keys: invalid key: the `key` function returned a value of type undefined; return a string",
    )
    const exits = yield* larder.getMany(["good", "bad"])
    assert.deepStrictEqual([...exits.values()].map(Exit.isSuccess), [true, false])
  }).pipe(inMemory(), Effect.scoped),
)
