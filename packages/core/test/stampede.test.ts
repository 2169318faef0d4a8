/** Stampedes: how they are found, and what the option `onStampede` may do about them. */
import { assert, describe, it } from "@effect/vitest"
import {
  KeyDisplay,
  Larder,
  type LarderEvent,
  LogEvents,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import { type Duration, Effect, Exit, Fiber, PubSub, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { LongerGraces } from "../src/internal/state/longerGraces.ts"
import { Stampedes } from "../src/internal/state/stampedes.ts"
import { Faults, layer as faultyShared } from "./support/faultyTier.ts"
import { Outside } from "./support/outside.ts"

type Options = Partial<Larder.BaseOptions<number, string, string, never>>

/** A larder whose lookups take 100 ms, and its stampedes. */
const opened = (own: Options = {}) =>
  Effect.gen(function* () {
    const state = { isDown: false, lookups: 0 }
    const lookup = () =>
      Effect.suspend(() => {
        state.lookups += 1
        const { lookups } = state
        return Effect.delay(state.isDown ? Effect.fail("down") : Effect.succeed(lookups), 100)
      })
    const larder = yield* Larder.make({
      name: "numbers",
      value: Schema.Finite,
      upstream: Upstream.make({ lookup: (_: string) => lookup() }),
      policy: Policy.make({ freshFor: "1 second" }),
      tags: () => ["all"],
      ...own,
    })
    const events = yield* larder.subscribe
    const stampedes = Effect.map(PubSub.takeAll(events), (all) =>
      all.filter(
        (event): event is LarderEvent.StampedeDetected => event._tag === "StampedeDetected",
      ),
    )
    return { larder, stampedes, state }
  })

const memory = () => TierStack.layer(MemoryTier.layer())

const test = (
  title: string,
  body: Effect.Effect<void, unknown, Scope.Scope | TierStack.TierStack>,
  stack = memory,
) => it.effect(title, () => body.pipe(Effect.scoped, Effect.provide(stack())))

const fork = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.forkChild(Effect.exit(effect), { startImmediately: true })

/** So many callers at once, until all have their answers. */
const crowd = (count: number, call: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function* () {
    const fibers = yield* Effect.forEach(Array.from({ length: count }), () => fork(call))
    yield* TestClock.adjust(100)
    return yield* Fiber.joinAll(fibers)
  })

const plain = (all: ReadonlyArray<LarderEvent.StampedeDetected>) =>
  all.map(({ callers, key, lookups }) => ({ callers, key, lookups }))

describe("many callers of one lookup", () => {
  test(
    "are a stampede from 11 on, told once they have their answers",
    Effect.gen(function* () {
      const { larder, stampedes } = yield* opened()
      yield* crowd(10, larder.get("tea"))
      assert.deepStrictEqual(yield* stampedes, [])
      yield* crowd(500, larder.get("milk"))
      assert.deepStrictEqual(plain(yield* stampedes), [{ key: "milk", callers: 500, lookups: 1 }])
      yield* crowd(500, larder.get("milk"))
      assert.deepStrictEqual(yield* stampedes, [])
    }),
  )

  test(
    "are as many as the option says, those of getMany among them, or any number",
    Effect.gen(function* () {
      const { larder, stampedes } = yield* opened({ stampedeCallers: 2 })
      yield* crowd(2, larder.getMany(["milk", "tea"]))
      assert.deepStrictEqual(yield* stampedes, [])
      yield* crowd(3, larder.getMany(["bread", "jam"]))
      assert.deepStrictEqual(
        (yield* stampedes).map(({ callers, key }) => [key, callers]),
        [
          ["bread", 3],
          ["jam", 3],
        ],
      )
      const endless = yield* opened({ name: "endless", stampedeCallers: Infinity })
      yield* crowd(500, endless.larder.get("milk"))
      assert.deepStrictEqual(yield* endless.stampedes, [])
    }),
  )

  test(
    "are none where a farther tier has the value",
    Effect.gen(function* () {
      const first = yield* Scope.make()
      const { larder } = yield* Scope.provide(opened(), first)
      yield* crowd(1, larder.get("milk"))
      yield* Scope.close(first, Exit.void)
      const second = yield* opened()
      yield* crowd(20, second.larder.get("milk"))
      assert.strictEqual(second.state.lookups, 0)
      assert.deepStrictEqual(yield* second.stampedes, [])
    }),
    () => TierStack.layer(MemoryTier.layer(), faultyShared(new Faults())),
  )
})

describe("many lookups of one key", () => {
  test(
    "are a stampede if they come within 5 seconds with callers waiting, told once",
    Effect.gen(function* () {
      const { larder, stampedes, state } = yield* opened()
      state.isDown = true
      yield* crowd(3, larder.get("milk"))
      assert.deepStrictEqual(yield* stampedes, [])
      yield* crowd(2, larder.get("milk"))
      assert.deepStrictEqual(plain(yield* stampedes), [{ key: "milk", callers: 1, lookups: 2 }])
      yield* crowd(1, larder.get("milk"))
      yield* crowd(1, larder.get("tea"))
      assert.deepStrictEqual(yield* stampedes, [])
      yield* TestClock.adjust("5 seconds")
      yield* crowd(1, larder.get("milk"))
      assert.deepStrictEqual(yield* stampedes, [])
      yield* crowd(1, larder.get("milk"))
      assert.strictEqual((yield* stampedes).length, 1)
    }),
  )

  test(
    "are one also where they run at once, as of several `refresh`",
    Effect.gen(function* () {
      const { larder, stampedes } = yield* opened()
      yield* crowd(4, larder.refresh("milk"))
      assert.deepStrictEqual(plain(yield* stampedes), [{ key: "milk", callers: 1, lookups: 2 }])
    }),
  )

  test(
    "are none where each renews a value whose freshness has ended",
    Effect.gen(function* () {
      const { larder, stampedes, state } = yield* opened()
      for (let i = 0; i < 10; i += 1) {
        yield* crowd(5, larder.get("milk"))
        yield* TestClock.adjust("1 second")
      }
      assert.isAtLeast(state.lookups, 9)
      assert.deepStrictEqual(yield* stampedes, [])
    }),
  )

  test(
    "are none where memory has evicted the value, which is too small then",
    Effect.gen(function* () {
      const { larder, stampedes, state } = yield* opened({
        policy: Policy.make({ freshFor: "1 hour" }),
      })
      for (let i = 0; i < 4; i += 1) {
        yield* crowd(2, larder.get("milk"))
        yield* larder.set("tea", 1)
      }
      assert.strictEqual(state.lookups, 4)
      assert.deepStrictEqual(yield* stampedes, [])
    }),
    () => TierStack.layer(MemoryTier.layer({ maxEntries: 1, eviction: "lru" })),
  )

  test(
    "are none after a change, an invalidation or a clear",
    Effect.gen(function* () {
      const { larder, stampedes, state } = yield* opened()
      for (const change of [
        larder.remove("milk"),
        larder.expire("milk"),
        larder.invalidateTags("all"),
        larder.clear({ keepStale: false }),
      ]) {
        yield* crowd(1, larder.get("milk"))
        yield* change
      }
      yield* crowd(1, larder.get("milk"))
      assert.strictEqual(state.lookups, 5)
      assert.deepStrictEqual(yield* stampedes, [])
    }),
  )

  test(
    "are none after a change of keys in memory, of keys with a prefix, or around a write of the source",
    Effect.gen(function* () {
      const { larder, stampedes, state } = yield* opened()
      for (const change of [
        larder.invalidateWhen(() => true),
        larder.invalidateWhen(() => true, { keepStale: false }),
        larder.removeWhere({ prefix: "mi" }),
        Effect.void.pipe(larder.around("milk")),
      ]) {
        yield* crowd(1, larder.get("milk"))
        yield* change
      }
      yield* crowd(1, larder.get("milk"))
      assert.strictEqual(state.lookups, 5)
      assert.deepStrictEqual(yield* stampedes, [])
    }),
  )

  test(
    "are none in the background",
    Effect.gen(function* () {
      const { larder, stampedes, state } = yield* opened({
        policy: Policy.make({
          freshFor: 0,
          staleWhileRevalidate: "1 hour",
          staleIfError: "1 hour",
          retryAfterFailure: 0,
        }),
      })
      yield* crowd(1, larder.get("milk"))
      state.isDown = true
      for (let i = 0; i < 5; i += 1) yield* crowd(1, larder.get("milk"))
      assert.isAtLeast(state.lookups, 5)
      assert.deepStrictEqual(yield* stampedes, [])
    }),
  )
})

it("the keys with longer grace are bounded, and those whose window has ended go first", () => {
  const graces = new LongerGraces()
  for (let i = 0; i < 5_000; i += 1) graces.add(`key ${i}`, 1_000, i)
  assert.strictEqual(graces.size, 1_000)
  const entry = {
    value: 1,
    storedAt: 0,
    freshUntil: 20_000,
    revalidateUntil: 20_000,
    staleUntil: 20_000,
    loadMillis: 0,
    version: 1,
    asOf: 0,
    tags: [],
  }
  const until = (key: string, now: number) => graces.applied(key, entry, now).revalidateUntil
  assert.strictEqual(until("key 4999", 5_000), 21_000)
  assert.strictEqual(until("key 0", 5_000), 20_000)
  graces.add("another", 1_000, 9_500)
  assert.isBelow(graces.size, 600)
  assert.strictEqual(until("key 4999", 9_999), 20_000)
  assert.strictEqual(until("another", 9_999), 21_000)
})

it("the keys that are remembered are bounded: the most recently looked-up ones", () => {
  const stampedes = new Stampedes(10)
  const reached = (key: string) => stampedes.reached(key, 0, 0, () => 0).lookups
  for (let i = 0; i < 5_000; i += 1) reached(`key ${i}`)
  assert.isAtMost(stampedes.size, 1_000)
  assert.isAtLeast(stampedes.size, 500)
  assert.strictEqual(reached("key 4999"), 2)
  assert.strictEqual(reached("key 0"), 1)
})

test(
  "the log has a line for a key and window, with the number of callers",
  Effect.gen(function* () {
    const outside = new Outside()
    yield* Effect.gen(function* () {
      const { larder } = yield* opened()
      for (let i = 0; i < 3; i += 1) {
        yield* crowd(20, larder.get("milk"))
        yield* TestClock.adjust("1 second")
      }
      yield* crowd(30, larder.get("tea"))
      yield* TestClock.adjust("30 seconds")
      yield* crowd(40, larder.get("milk"))
    }).pipe(
      Effect.provide(LogEvents.layer()),
      Effect.provideService(KeyDisplay.KeyDisplay, "shown"),
      outside.around,
    )
    const lines = outside.lines.filter(({ message }) => message === "stampede")
    assert.deepStrictEqual(
      lines.map(({ annotations, level }): object => ({ level, ...annotations })),
      [
        { level: "Warn", larder: "numbers", key: "milk", callers: 20, lookups: 1 },
        { level: "Warn", larder: "numbers", key: "tea", callers: 30, lookups: 1 },
        { level: "Warn", larder: "numbers", key: "milk", callers: 40, lookups: 1 },
      ],
    )
  }),
)

describe("onStampede", () => {
  test(
    "gets the stampede, in a fiber of the larder, after the callers have their answers",
    Effect.gen(function* () {
      const seen: Array<Larder.Stampede<string>> = []
      const { larder } = yield* opened({
        onStampede: (stampede) =>
          Effect.andThen(
            Effect.sync(() => seen.push(stampede)),
            Effect.never,
          ),
      })
      const exits = yield* crowd(11, larder.get("milk"))
      assert.isTrue(exits.every(Exit.isSuccess))
      yield* Effect.yieldNow
      assert.deepStrictEqual(seen, [{ key: "milk", callers: 11, lookups: 1 }])
      // It still runs: not again for this key.
      yield* TestClock.adjust("1 second")
      yield* crowd(11, larder.get("milk"))
      yield* crowd(11, larder.get("tea"))
      yield* Effect.yieldNow
      assert.deepStrictEqual(
        seen.map(({ key }) => key),
        ["milk", "tea"],
      )
    }),
  )

  test(
    "runs for at most 16 keys at once",
    Effect.gen(function* () {
      let running = 0
      const { larder } = yield* opened({
        stampedeCallers: 1,
        onStampede: () =>
          Effect.andThen(
            Effect.sync(() => (running += 1)),
            Effect.never,
          ),
      })
      const keys = Array.from({ length: 40 }, (_, i) => `key ${i}`)
      yield* crowd(2, larder.getMany(keys))
      yield* Effect.yieldNow
      assert.strictEqual(running, 16)
    }),
  )

  test(
    "law 22: closing the larder interrupts it",
    Effect.gen(function* () {
      let ended = ""
      const scope = yield* Scope.make()
      const { larder } = yield* Scope.provide(
        opened({
          onStampede: () =>
            Effect.onExit(Effect.never, (exit) =>
              Effect.sync(() => (ended = Exit.hasInterrupts(exit) ? "interrupted" : "otherwise")),
            ),
        }),
        scope,
      )
      yield* crowd(11, larder.get("milk"))
      yield* Effect.yieldNow
      assert.strictEqual(ended, "")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(ended, "interrupted")
    }),
  )

  const failures: Readonly<Record<string, Larder.OnStampede<string>>> = {
    fails: () => Effect.fail("SECRET"),
    dies: () => Effect.die(new Error("SECRET")),
    throws: () => {
      throw new Error("SECRET")
    },
    "returns no effect": (() => 5) as unknown as Larder.OnStampede<string>,
    "returns an effect that goes on with none": () =>
      Effect.flatMap(Effect.void, () => 5 as unknown as Effect.Effect<void>),
    "asks for something unknown": () => Effect.succeed({ refesh: true } as Larder.StampedeRequest),
    "asks for no duration": () => Effect.succeed({ staleWhileRevalidate: -1 }),
    "asks for no end": () => Effect.succeed({ staleWhileRevalidate: Infinity }),
  }

  for (const [what, onStampede] of Object.entries(failures)) {
    test(
      `disturbs nobody where it ${what}: a warning, without what it said`,
      Effect.gen(function* () {
        const outside = new Outside()
        yield* Effect.gen(function* () {
          const { larder } = yield* opened({ onStampede })
          const exits = yield* crowd(11, larder.get("milk"))
          assert.isTrue(exits.every(Exit.isSuccess))
          yield* Effect.yieldNow
        }).pipe(Effect.scoped, outside.around)
        const warnings = outside.lines.filter(({ level }) => level === "Warn")
        assert.lengthOf(warnings, 1)
        assert.match(warnings[0]!.message, /^numbers: the option onStampede failed/)
        assert.isFalse(outside.texts.some((text) => text.includes("SECRET")))
      }),
    )
  }

  test(
    "runs again for a key after it has failed, whatever it returned",
    Effect.gen(function* () {
      let runs = 0
      const onStampede = (() => {
        runs += 1
        return 5
      }) as unknown as Larder.OnStampede<string>
      const { larder } = yield* opened({ onStampede })
      yield* crowd(11, larder.get("milk"))
      yield* Effect.yieldNow
      yield* larder.remove("milk")
      yield* crowd(11, larder.get("milk"))
      yield* Effect.yieldNow
      assert.strictEqual(runs, 2)
    }),
  )

  for (const [where, stack] of [
    ["memory", memory],
    ["memory and shared", () => TierStack.layer(MemoryTier.layer(), faultyShared(new Faults()))],
  ] as const) {
    test(
      `may ask for a refresh (${where})`,
      Effect.gen(function* () {
        const { larder, state } = yield* opened({
          onStampede: () => Effect.succeed({ refresh: true }),
        })
        yield* crowd(11, larder.get("milk"))
        yield* TestClock.adjust(100)
        assert.strictEqual(state.lookups, 2)
        assert.strictEqual(yield* larder.get("milk"), 2)
      }),
      stack,
    )

    test(
      `may ask for longer grace, which the value then has (${where})`,
      Effect.gen(function* () {
        const { larder, state } = yield* opened({
          onStampede: () => Effect.succeed({ staleWhileRevalidate: "10 seconds" }),
        })
        yield* crowd(11, larder.get("milk"))
        yield* TestClock.adjust("9 seconds")
        const { freshness, value } = yield* larder.getWithMeta("milk")
        assert.deepStrictEqual(freshness, { _tag: "Stale", grace: "revalidate" })
        assert.strictEqual(value, 1)
        // The refresh has begun.
        yield* TestClock.adjust(100)
        assert.strictEqual(state.lookups, 2)
        assert.strictEqual(yield* larder.get("milk"), 2)
      }),
      stack,
    )
  }

  for (const [how, replace] of Object.entries({
    "a refresh that it asks for as well": () => Effect.void,
    "a `set`": (larder: Larder.Larder<string, number, string>) => larder.set("milk", 7),
    "a removal and a lookup": (larder: Larder.Larder<string, number, string>) =>
      Effect.andThen(larder.remove("milk"), crowd(1, larder.get("milk"))),
  })) {
    const replaced = (after: Duration.Input) =>
      Effect.gen(function* () {
        const { larder } = yield* opened({
          onStampede: ({ callers }) =>
            Effect.succeed(
              callers > 10
                ? { staleWhileRevalidate: "10 seconds", refresh: how.startsWith("a refresh") }
                : undefined,
            ),
        })
        yield* crowd(11, larder.get("milk"))
        if (!how.startsWith("a refresh")) yield* TestClock.adjust(after)
        yield* replace(larder)
        yield* TestClock.adjust("9 seconds")
        return yield* fork(Effect.map(larder.getWithMeta("milk"), ({ freshness }) => freshness))
      })

    test(
      `may ask for longer grace, which a value has that replaces it by ${how} within 5 seconds`,
      Effect.gen(function* () {
        const fiber = yield* replaced("4 seconds")
        assert.deepStrictEqual(
          yield* Fiber.join(fiber),
          Exit.succeed({ _tag: "Stale", grace: "revalidate" } as const),
        )
      }),
    )

    if (how.startsWith("a refresh")) continue
    test(
      `may ask for longer grace, which a value by ${how} after 5 seconds does not have`,
      Effect.gen(function* () {
        const fiber = yield* replaced("5 seconds")
        yield* TestClock.adjust(100)
        assert.deepStrictEqual(yield* Fiber.join(fiber), Exit.succeed({ _tag: "Fresh" } as const))
      }),
    )
  }

  test(
    "gives no grace to a value that was expired meanwhile (law 12)",
    Effect.gen(function* () {
      const { larder, state } = yield* opened({
        policy: Policy.make({ freshFor: "1 second", staleIfError: "1 hour" }),
        onStampede: () => Effect.delay(Effect.succeed({ staleWhileRevalidate: "1 minute" }), 200),
      })
      yield* crowd(11, larder.get("milk"))
      yield* larder.expire("milk")
      yield* TestClock.adjust("1 second")
      yield* crowd(1, larder.get("milk"))
      assert.strictEqual(state.lookups, 2)
    }),
  )
})
