/** Laws 1, 5, 6 and 21, over memory and over a shared tier whose bytes answer. */
import { describe, expect, it } from "@effect/vitest"
import { EarlyRefresh, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Effect, Exit, Fiber, Layer, Option, Random, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Faults, layer as faultyShared } from "./support/faultyTier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  shared: () => TierStack.layer(Layer.fresh(MemoryTier.layerShared)),
}

it.effect("law 1: a fresh hit in memory asks no farther tier", () => {
  const faults = new Faults()
  return Effect.gen(function* () {
    const larder = yield* Larder.make({
      name: "hits",
      value: Schema.String,
      upstream: Upstream.make({ lookup: (key: string) => Effect.succeed(key) }),
      policy: Policy.make({ freshFor: "10 seconds" }),
    })
    yield* larder.get("a")
    faults.trips.length = 0
    for (let i = 0; i < 10; i++) expect(yield* larder.get("a")).toBe("a")
    expect(faults.trips).toEqual([])
    expect((yield* larder.stats).lookups).toBe(1)
  }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer(), faultyShared(faults))))
})

const Value = Schema.Union([
  Schema.Number,
  Schema.String,
  Schema.Boolean,
  Schema.Null,
  Schema.Undefined,
])

describe.each(Object.entries(stacks))("law 5, from %s", (_, stack) => {
  it.effect.each([0, "", false, null, undefined, Number.NaN])("%s is a value", (value) =>
    Effect.gen(function* () {
      let asked = 0
      const larder = yield* Larder.make({
        name: "values",
        value: Value,
        upstream: Upstream.make({
          lookup: (_: string) =>
            Effect.sync(() => {
              asked += 1
              return value
            }),
        }),
        policy: Policy.make({ freshFor: "10 seconds" }),
      })
      expect(yield* larder.get("a")).toBe(value)
      expect(yield* larder.get("a")).toBe(value)
      const { entry, freshness } = yield* larder.read("a")
      expect(freshness).toEqual({ _tag: "Fresh" })
      expect(entry?.value).toBe(value)
      expect(asked).toBe(1)
    }).pipe(Effect.scoped, Effect.provide(stack())),
  )

  it.effect("Option.none() is a value", () =>
    Effect.gen(function* () {
      let asked = 0
      const larder = yield* Larder.make({
        name: "options",
        value: Schema.Option(Schema.String),
        upstream: Upstream.make({
          lookup: (_: string) =>
            Effect.sync(() => {
              asked += 1
              return Option.none<string>()
            }),
        }),
        policy: Policy.make({ freshFor: "10 seconds" }),
      })
      expect(Option.isNone(yield* larder.get("a"))).toBe(true)
      expect(Option.isNone(yield* larder.get("a"))).toBe(true)
      expect(asked).toBe(1)
    }).pipe(Effect.scoped, Effect.provide(stack())),
  )

  const failing = (
    title: string,
    lookup: Effect.Effect<string, string>,
    says: (cause: Cause.Cause<unknown>) => void,
  ) =>
    it.effect(`law 6: ${title}`, () =>
      Effect.gen(function* () {
        let asked = 0
        const larder = yield* Larder.make({
          name: "failures",
          value: Schema.String,
          upstream: Upstream.make({
            lookup: (_: string) =>
              Effect.suspend(() => {
                asked += 1
                return Effect.andThen(Effect.sleep(10), lookup)
              }),
          }),
          policy: Policy.make({ freshFor: "10 seconds" }),
        })
        const all = Array.from({ length: 200 }, () => Effect.exit(larder.get("a")))
        const waiting = yield* fork(Effect.all(all, { concurrency: "unbounded" }))
        yield* TestClock.adjust(10)
        for (const exit of yield* Fiber.join(waiting)) {
          if (Exit.isFailure(exit)) says(exit.cause)
          else expect(exit).toBe("a failure")
        }
        expect(asked).toBe(1)
        // The key is free again.
        const again = yield* fork(Effect.exit(larder.get("a")))
        yield* TestClock.adjust(10)
        yield* Fiber.join(again)
        expect(asked).toBe(2)
      }).pipe(Effect.scoped, Effect.provide(stack())),
    )

  failing(
    "a typed failure is that of every waiter, from one lookup",
    Effect.fail("down"),
    (cause) => expect(Cause.findErrorOption(cause)).toEqual(Option.some("down")),
  )
  failing("so is a defect", Effect.die("broken"), (cause) =>
    expect(Cause.squash(cause)).toBe("broken"),
  )
  failing(
    "an interruption from inside is a defect for those who wait",
    Effect.interrupt,
    (cause) => {
      expect(Cause.hasInterrupts(cause)).toBe(false)
      expect(Cause.squash(cause)).toMatchObject({ _tag: "LookupInterrupted" })
    },
  )
})

it.effect("law 21: the same seed and schedule, the same events, one for one", () => {
  const events = Effect.gen(function* () {
    const scope = yield* Scope.make()
    const larder = yield* Larder.make({
      name: "seeded",
      value: Schema.String,
      upstream: Upstream.make({
        lookup: (key: string) => Effect.as(Effect.sleep("200 millis"), key),
      }),
      policy: Policy.make({
        freshFor: "2 seconds",
        staleWhileRevalidate: "1 second",
        jitter: 0.3,
        earlyRefresh: EarlyRefresh.xfetch(),
      }),
    }).pipe(Scope.provide(scope))
    const told = yield* fork(Stream.runCollect(larder.events))
    for (let i = 0; i < 100; i++) {
      yield* fork(larder.get(`k${i % 3}`))
      yield* TestClock.adjust("100 millis")
    }
    yield* Scope.close(scope, Exit.void)
    const { early } = { early: (yield* larder.stats).earlyRefreshes }
    expect(early).toBeGreaterThan(0)
    return yield* Fiber.join(told)
  }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer())))
  const run = (seed: string) =>
    Effect.andThen(TestClock.setTime(0), Random.withSeed(events, seed)).pipe(
      Effect.provide(TestClock.layer()),
    )
  return Effect.gen(function* () {
    const [one, same, other] = [yield* run("a"), yield* run("a"), yield* run("b")]
    expect(same).toEqual(one)
    expect(other).not.toEqual(one)
  })
})
