/** The answers that a call gets without waiting, their counts and events; when a call begins a lookup, and how long it waits. */
import { describe, expect, it } from "@effect/vitest"
import { EarlyRefresh, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Layer, PubSub, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { deadlineOf } from "../../../src/internal/read/question.ts"
import type { Engine } from "../../../src/internal/state/engine.ts"

const start = 1_790_000_000_000

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** Values are the numbers of their lookups, while upstream is well. */
const make = (
  policy: Partial<Policy.Options> = {},
  options: {
    readonly failureFor?: (error: unknown) => "5 seconds"
    readonly graceFor?: (error: unknown) => boolean
  } = {},
) =>
  Effect.gen(function* () {
    const source = {
      asked: 0,
      answer: Effect.void as Effect.Effect<void, string>,
      omits: false,
      bulk: 0,
    }
    const larder = yield* Larder.make({
      name: "asking",
      value: Schema.Finite,
      upstream: Upstream.make({
        lookup: (_: string) =>
          Effect.suspend(() => {
            source.asked += 1
            return Effect.as(source.answer, source.asked)
          }),
        lookupMany: (keys) =>
          Effect.suspend(() => {
            source.asked += 1
            source.bulk += 1
            const found = keys.map((key) => [key, source.asked] as const)
            return Effect.as(source.answer, new Map(source.omits ? [] : found))
          }),
      }),
      policy: Policy.make({
        freshFor: "10 seconds",
        staleIfError: "1 hour",
        retryAfterFailure: "1 second",
        ...policy,
      }),
      ...options,
    })
    return { larder, source }
  })

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  "memory and shared": () =>
    TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared)),
}

const on = (
  title: string,
  body: Effect.Effect<void, unknown, TierStack.TierStack | Scope.Scope>,
  stack: () => Layer.Layer<TierStack.TierStack> = stacks.memory,
) =>
  it.effect(title, () =>
    Effect.andThen(
      TestClock.setTime(start),
      Effect.provide(Effect.scoped(body), stack(), { local: true }),
    ),
  )

type Node = Larder.Larder<string, number, string>

const kinds = new Set(["Hit", "Miss", "Coalesced", "StaleServed", "EarlyRefresh"])

/** The events and counts while the effect runs. */
const during = <A, E, R>(larder: Node, effect: Effect.Effect<A, E, R>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const subscription = yield* larder.subscribe
      const before = yield* larder.stats
      yield* effect
      const after = yield* larder.stats
      const events = yield* PubSub.takeUpTo(subscription, 1_000)
      const counters = [
        "hits",
        "misses",
        "coalesced",
        "staleServed",
        "earlyRefreshes",
        "failures",
      ] as const
      const changed = counters.filter((name) => after[name] !== before[name])
      return {
        told: events.filter(({ _tag }) => kinds.has(_tag)),
        counted: Object.fromEntries(changed.map((name) => [name, after[name] - before[name]])),
      }
    }),
  )

const ways: Readonly<Record<string, (larder: Node) => Effect.Effect<Exit.Exit<number, unknown>>>> =
  {
    get: (larder) => Effect.exit(larder.get("k")),
    getMany: (larder) => Effect.map(larder.getMany(["k"]), (exits) => exits.get("k")!),
    "get with options": (larder) => Effect.exit(larder.get("k", { maxAge: "2 hours" })),
  }

for (const [way, get] of Object.entries(ways)) {
  describe(`${way} tells and counts`, () => {
    on(
      "a miss, and callers that join it",
      Effect.gen(function* () {
        const { larder, source } = yield* make()
        source.answer = Effect.sleep(100)
        const seen = yield* during(
          larder,
          Effect.andThen(Effect.all([fork(get(larder)), fork(get(larder))]), TestClock.adjust(100)),
        )
        expect(seen.counted).toEqual({ misses: 2, coalesced: 1 })
        expect(seen.told).toMatchObject([{ _tag: "Miss" }, { _tag: "Coalesced" }])
      }),
    )

    on(
      "a hit",
      Effect.gen(function* () {
        const { larder } = yield* make()
        yield* get(larder)
        const seen = yield* during(larder, get(larder))
        expect(seen.counted).toEqual({ hits: 1 })
        expect(seen.told).toMatchObject([{ _tag: "Hit", key: "k", tier: "memory" }])
      }),
    )

    on(
      "a hit whose early refresh has come, as one",
      Effect.gen(function* () {
        const { larder, source } = yield* make({ earlyRefresh: EarlyRefresh.after(0.5) })
        yield* get(larder)
        yield* TestClock.adjust(6_000)
        const seen = yield* during(larder, get(larder))
        expect(seen.counted).toEqual({ hits: 1, earlyRefreshes: 1 })
        expect(seen.told).toMatchObject([{ _tag: "Hit" }, { _tag: "EarlyRefresh", key: "k" }])
        yield* TestClock.adjust(1)
        expect(source.asked).toBe(2)
        expect(yield* get(larder)).toEqual(Exit.succeed(2))
      }),
    )

    on(
      "something stale that is being revalidated",
      Effect.gen(function* () {
        const { larder, source } = yield* make({ staleWhileRevalidate: "1 minute" })
        yield* get(larder)
        yield* TestClock.adjust("11 seconds")
        const seen = yield* during(larder, get(larder))
        expect(seen.counted).toEqual({ staleServed: 1 })
        expect(seen.told).toMatchObject([{ _tag: "StaleServed", reason: "revalidating" }])
        yield* TestClock.adjust(1)
        expect(source.asked).toBe(2)
      }),
    )

    on(
      "something stale while upstream is left alone after a failure, and for how long that is",
      Effect.gen(function* () {
        const { larder, source } = yield* make()
        yield* get(larder)
        yield* TestClock.adjust("11 seconds")
        source.answer = Effect.fail("down")
        expect(yield* get(larder)).toEqual(Exit.succeed(1))
        expect(source.asked).toBe(2)
        yield* TestClock.adjust(999)
        const seen = yield* during(larder, get(larder))
        expect(seen.counted).toEqual({ staleServed: 1 })
        expect(seen.told).toMatchObject([{ _tag: "StaleServed", reason: "failed" }])
        expect(source.asked).toBe(2)
        yield* TestClock.adjust(1)
        yield* get(larder)
        expect(source.asked).toBe(3)
      }),
    )

    on(
      "a failure that is remembered, and for how long that is",
      Effect.gen(function* () {
        const { larder, source } = yield* make({}, { failureFor: () => "5 seconds" })
        source.answer = Effect.fail("down")
        expect(yield* get(larder)).toEqual(Exit.fail("down"))
        yield* TestClock.adjust(4_999)
        let exit: Exit.Exit<number, unknown> | undefined
        const seen = yield* during(
          larder,
          Effect.map(get(larder), (found) => (exit = found)),
        )
        expect(exit).toEqual(Exit.fail("down"))
        expect(seen.counted).toEqual({ failures: 1 })
        expect(source.asked).toBe(1)
        yield* TestClock.adjust(1)
        yield* get(larder)
        expect(source.asked).toBe(2)
      }),
    )

    on(
      "law 17: what is in use stays in memory",
      Effect.gen(function* () {
        const { larder, source } = yield* make({ staleWhileRevalidate: "1 minute" })
        yield* get(larder)
        source.answer = Effect.never
        yield* TestClock.adjust("11 seconds")
        for (let i = 0; i < 20; i += 1) {
          yield* get(larder)
          yield* larder.set(`${i}`, i)
        }
        expect((yield* larder.read("k")).entry?.value).toBe(1)
      }),
      () => TierStack.layer(MemoryTier.layer({ maxEntries: 2, eviction: "lru" })),
    )
  })
}

for (const [name, stack] of Object.entries(stacks)) {
  on(
    `a key that a bulk lookup did not return is remembered for bulk calls alone (${name})`,
    Effect.gen(function* () {
      const { larder, source } = yield* make({}, { failureFor: () => "5 seconds" })
      source.omits = true
      expect(Exit.isFailure((yield* larder.getMany(["k"])).get("k")!)).toBe(true)
      expect(Exit.isFailure((yield* larder.getMany(["k"])).get("k")!)).toBe(true)
      expect(source.asked).toBe(1)
      expect(yield* larder.get("k")).toBe(2)
    }),
    stack,
  )

  on(
    `a refresh of no key, or of a closed larder, asks nothing (${name})`,
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { larder, source } = yield* Scope.provide(make(), scope)
      expect(yield* Effect.flip(larder.refresh("a\u0000b"))).toMatchObject({ _tag: "InvalidKey" })
      yield* Scope.close(scope, Exit.void)
      const exit = yield* Effect.exit(larder.refresh("k"))
      expect(Exit.isFailure(exit) && exit.cause.reasons[0]).toMatchObject({
        _tag: "Die",
        defect: { _tag: "LarderClosed" },
      })
      expect(source.asked).toBe(0)
    }),
    stack,
  )

  on(
    `law 7: a refresh joins no older lookup, whose value is not kept (${name})`,
    Effect.gen(function* () {
      const { larder, source } = yield* make()
      source.answer = Effect.sleep(500)
      const older = yield* fork(larder.get("k"))
      source.answer = Effect.sleep(100)
      const refreshing = yield* fork(larder.refresh("k"))
      yield* TestClock.adjust(1_000)
      expect(yield* Fiber.join(older)).toBe(1)
      expect(yield* Fiber.join(refreshing)).toBe(2)
      expect(yield* larder.get("k")).toBe(2)
    }),
    stack,
  )

  on(
    `law 3: what a tier has is given, though memory remembers a failure and nothing else (${name})`,
    Effect.gen(function* () {
      const { larder, source } = yield* make(
        { softTimeout: "50 millis" },
        { failureFor: () => "5 seconds" },
      )
      const other = yield* make()
      source.answer = Effect.fail("down")
      expect(yield* Effect.flip(larder.get("k"))).toBe("down")
      yield* TestClock.adjust(10)
      yield* other.larder.set("k", 7)
      if (name === "memory") return
      expect(yield* larder.get("k")).toBe(7)
    }),
    stack,
  )
}

for (const [name, stack] of Object.entries(stacks)) {
  on(
    `a single key is looked up by the lookup of one key, whoever asks for it (${name})`,
    Effect.gen(function* () {
      const { larder, source } = yield* make({ staleWhileRevalidate: "1 minute" })
      yield* larder.get("k")
      yield* larder.refresh("k")
      yield* TestClock.adjust("11 seconds")
      yield* larder.get("k")
      yield* TestClock.adjust(1)
      expect([source.asked, source.bulk]).toEqual([3, 0])
    }),
    stack,
  )
}

on(
  "law 18: a value in grace is no answer any more once another node has changed the key",
  Effect.gen(function* () {
    const { larder, source } = yield* make({ staleWhileRevalidate: "1 minute" })
    const other = yield* make({ staleWhileRevalidate: "1 minute" })
    yield* larder.get("k")
    yield* TestClock.adjust("11 seconds")
    yield* other.larder.set("k", 7)
    expect(yield* larder.get("k")).toBe(7)
    expect(source.asked).toBe(1)
  }),
  stacks["memory and shared"],
)

describe("law 9: how long a call waits in all", () => {
  const longest = 200 + 10_000 + 30_000
  const engine = (now: number) =>
    ({
      settings: { policy: { hardTimeout: 30_000, tierBudget: 200 } },
      stack: { leaseWaitMillis: 10_000 },
      stopwatch: () => now,
    }) as unknown as Engine

  it("is counted from when it came", () => {
    for (const waited of [0, 1, 500, longest - 1]) {
      expect(deadlineOf(engine(5_000 + waited), 5_000)).toBe(5_000 + longest)
    }
  })

  it("begins anew where the process stood still until it was over", () => {
    for (const waited of [longest, longest + 1, 3_600_000]) {
      expect(deadlineOf(engine(5_000 + waited), 5_000)).toBe(5_000 + waited + longest)
    }
  })
})
