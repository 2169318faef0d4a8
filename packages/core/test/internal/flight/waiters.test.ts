/** Callers that wait for a lookup: each is answered once, by the best there is, and leaves nothing behind. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Layer, Logger, PubSub, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { vi } from "vitest"
import { Flight } from "../../../src/internal/state/flight.ts"
import { get } from "../../../src/internal/read/get.ts"
import { WaitingCallers } from "../../../src/internal/runtime/processLife.ts"
import { complete } from "../../../src/internal/flight/waiters.ts"
import { makeEngine, settings } from "../../support/engine.ts"
import { Faults, layer as faultyShared } from "../../support/faultyTier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

type Options = Partial<Larder.BaseOptions<number, string, string, never>>

/** Upstream does what `says` holds; lookups are counted. */
const make = (policy: Partial<Policy.Options> = {}, options: Options = {}) =>
  Effect.suspend(() => {
    const source = { asked: 0, says: Effect.succeed(1) as Effect.Effect<number, string> }
    const upstream = Upstream.make({
      lookup: (_: string) =>
        Effect.suspend(() => {
          source.asked += 1
          return source.says
        }),
    })
    const made = Larder.make({
      name: "waiting",
      value: Schema.Finite,
      policy: Policy.make({ freshFor: "10 seconds", staleIfError: "1 hour", ...policy }),
      upstream,
      ...options,
    })
    return Effect.map(made, (larder) => ({ larder, source }))
  })

const within = <E>(
  body: Effect.Effect<void, E, TierStack.TierStack | Scope.Scope>,
  stack: Layer.Layer<TierStack.TierStack> = TierStack.layer(MemoryTier.layer()),
) =>
  Effect.andThen(
    TestClock.setTime(1_790_000_000_000),
    body.pipe(Effect.scoped, Effect.provide([stack, Logger.layer([])])),
  )

const withShared = (faults: Faults) => TierStack.layer(MemoryTier.layer(), faultyShared(faults))

describe("a caller that joins a result which settles", () => {
  it.effect("is answered once: its soft timeout serves nothing stale later", () => {
    const faults = new Faults()
    return within(
      Effect.gen(function* () {
        const { larder } = yield* make({ softTimeout: 10 })
        faults.turn("slow", "writes")
        expect(yield* larder.get("k")).toBe(1)
        expect(yield* larder.get("k")).toBe(1)
        yield* TestClock.adjust("1 second")
        expect(yield* larder.stats).toMatchObject({ staleServed: 0, inFlight: 0 })
      }),
      withShared(faults),
    )
  })

  it.effect("is told how fresh the result still is", () => {
    const faults = new Faults()
    return within(
      Effect.gen(function* () {
        const { larder } = yield* make({ freshFor: 30, staleWhileRevalidate: "1 hour" })
        faults.turn("slow", "writes")
        expect((yield* larder.getWithMeta("k")).freshness).toEqual({ _tag: "Fresh" })
        yield* TestClock.adjust(29)
        expect((yield* larder.getWithMeta("k")).freshness).toEqual({ _tag: "Fresh" })
        yield* TestClock.adjust(1)
        expect((yield* larder.getWithMeta("k")).freshness).toEqual({
          _tag: "Stale",
          grace: "revalidate",
        })
        // Closing waits for the commit.
        yield* TestClock.adjust("1 second")
      }),
      withShared(faults),
    )
  })
})

describe("softTimeout", () => {
  it.effect("is told as the reason why something stale was served", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make({ softTimeout: 100 })
        yield* larder.get("k")
        yield* TestClock.adjust("10 seconds")
        source.says = Effect.never
        const heard = yield* larder.subscribe
        yield* fork(larder.get("k"))
        yield* TestClock.adjust(100)
        const served = (yield* PubSub.takeUpTo(heard, 1_000)).filter(
          ({ _tag }) => _tag === "StaleServed",
        )
        expect(served).toMatchObject([{ key: "k", reason: "softTimeout" }])
      }),
    ),
  )

  it.effect("of a caller that has left serves nothing stale later", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make({ softTimeout: 100 })
        yield* larder.get("k")
        yield* TestClock.adjust("10 seconds")
        source.says = Effect.never
        yield* fork(larder.get("k", { stale: "never" }))
        const leaving = yield* fork(larder.get("k"))
        yield* TestClock.adjust(50)
        yield* Fiber.interrupt(leaving)
        yield* TestClock.adjust("1 second")
        expect(yield* larder.stats).toMatchObject({ staleServed: 0, inFlight: 1 })
      }),
    ),
  )

  it.effect("of a caller that was answered in time serves nothing stale later", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make({ softTimeout: 100 })
        yield* larder.get("k")
        yield* TestClock.adjust("10 seconds")
        source.says = Effect.delay(Effect.succeed(2), 50)
        const asking = yield* fork(larder.get("k"))
        yield* TestClock.adjust(50)
        expect(yield* Fiber.join(asking)).toBe(2)
        yield* TestClock.adjust("1 second")
        expect(yield* larder.stats).toMatchObject({ staleServed: 0 })
      }),
    ),
  )

  it.effect("that has passed with nothing stale: what a tier then has is given at once", () => {
    const faults = new Faults()
    return Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const shared = Layer.succeedContext(yield* Layer.build(faultyShared(faults)))
      const stack = () => TierStack.layer(MemoryTier.layer(), shared)
      const writer = yield* Effect.provide(make(), stack())
      yield* writer.larder.set("k", 7)
      yield* TestClock.adjust("10 seconds")
      const { larder, source } = yield* Effect.provide(make({ softTimeout: 10 }), stack())
      source.says = Effect.never
      faults.turn("slow", "reads")
      const asking = yield* fork(larder.get("k"))
      yield* TestClock.adjust(49)
      expect(asking.pollUnsafe()).toBe(undefined)
      yield* TestClock.adjust(1)
      expect(asking.pollUnsafe()).toEqual(Exit.succeed(7))
    }).pipe(Effect.scoped)
  })

  it.effect("that has passed: what a tier then has is told as fresh, where it is", () => {
    const faults = new Faults()
    return Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const shared = Layer.succeedContext(yield* Layer.build(faultyShared(faults)))
      const stack = () => TierStack.layer(MemoryTier.layer(), shared)
      const writer = yield* Effect.provide(make(), stack())
      yield* writer.larder.set("k", 7)
      yield* TestClock.adjust(10)
      const { larder, source } = yield* Effect.provide(make({ softTimeout: 10 }), stack())
      yield* larder.get("warm")
      source.says = Effect.never
      faults.turn("slow", "reads")
      yield* fork(larder.get("k", { maxAge: 0, stale: "never" }))
      const asking = yield* fork(larder.getWithMeta("k"))
      yield* TestClock.adjust(50)
      expect(asking.pollUnsafe()).toMatchObject({
        value: { value: 7, freshness: { _tag: "Fresh" } },
      })
      expect(yield* larder.stats).toMatchObject({ staleServed: 0 })
    }).pipe(Effect.scoped)
  })

  it.effect(
    "leaves the lookup to the larder: it is stored, also when every other caller leaves",
    () =>
      within(
        Effect.gen(function* () {
          const { larder, source } = yield* make({ softTimeout: 100 })
          yield* larder.get("k")
          yield* TestClock.adjust("10 seconds")
          source.says = Effect.delay(Effect.succeed(2), "1 second")
          const served = yield* fork(larder.get("k"))
          const leaving = yield* fork(larder.get("k", { stale: "never" }))
          yield* TestClock.adjust(100)
          expect(yield* Fiber.join(served)).toBe(1)
          yield* Fiber.interrupt(leaving)
          yield* TestClock.adjust(900)
          expect(yield* larder.get("k")).toBe(2)
          expect(source.asked).toBe(2)
        }),
      ),
  )

  it.effect.each([
    ["allow", 100, 7],
    ["never", 1_000, 1],
  ] as const)(
    "gives what was set while the caller waited, though there was nothing before: stale %s",
    ([stale, millis, expected]) =>
      within(
        Effect.gen(function* () {
          const { larder, source } = yield* make({ softTimeout: 100 })
          source.says = Effect.delay(Effect.succeed(1), "1 second")
          const asking = yield* fork(larder.get("k", { stale }))
          yield* TestClock.adjust(50)
          yield* larder.set("k", 7)
          yield* TestClock.adjust(millis - 51)
          expect(asking.pollUnsafe()).toBe(undefined)
          yield* TestClock.adjust(1)
          expect(asking.pollUnsafe()).toEqual(Exit.succeed(expected))
        }),
      ),
  )

  it.effect("does not answer a refresh, nor a caller that takes nothing stale", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make({ softTimeout: 100 })
        yield* larder.get("k")
        yield* TestClock.adjust("10 seconds")
        source.says = Effect.delay(Effect.succeed(2), "1 second")
        const refreshing = yield* fork(larder.refresh("k"))
        const strict = yield* fork(larder.get("k", { stale: "never" }))
        yield* TestClock.adjust(999)
        expect([refreshing.pollUnsafe(), strict.pollUnsafe()]).toEqual([undefined, undefined])
        yield* TestClock.adjust(1)
        expect(yield* Fiber.join(refreshing)).toBe(2)
        expect(yield* Fiber.join(strict)).toBe(2)
        expect(source.asked).toBe(2)
      }),
    ),
  )
})

describe("a looked-up value of a lower revision than is known", () => {
  const revised = { revision: (value: number) => value }

  it.effect(
    "is given all the same to callers that take nothing stale, where what is known is stale",
    () =>
      within(
        Effect.gen(function* () {
          const { larder, source } = yield* make({ staleWhileRevalidate: "1 minute" }, revised)
          yield* larder.set("k", 5)
          yield* TestClock.adjust("10 seconds")
          source.says = Effect.delay(Effect.succeed(3), 100)
          const strict = yield* fork(larder.get("k", { stale: "never" }))
          const refreshing = yield* fork(larder.refresh("k"))
          yield* TestClock.adjust(100)
          expect(yield* Fiber.join(strict)).toBe(3)
          expect(yield* Fiber.join(refreshing)).toBe(3)
        }),
      ),
  )

  it.effect("is not given to a getMany either, which still waits for its other keys", () =>
    within(
      Effect.gen(function* () {
        const { larder } = yield* make(
          {},
          {
            ...revised,
            upstream: Upstream.make({
              lookup: (key: string) =>
                key === "old" ? Effect.succeed(3) : Effect.delay(Effect.succeed(4), 100),
            }),
          },
        )
        yield* larder.set("old", 5)
        yield* TestClock.adjust("10 seconds")
        const many = yield* fork(larder.getMany(["old", "slow"]))
        yield* TestClock.adjust(99)
        expect(many.pollUnsafe()).toBe(undefined)
        yield* TestClock.adjust(1)
        expect([...(yield* Fiber.join(many)).values()]).toEqual([Exit.succeed(5), Exit.succeed(4)])
      }),
    ),
  )

  it.effect("is not given in place of a fresh one, whatever a caller asks for", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make({}, revised)
        yield* larder.set("k", 5)
        source.says = Effect.succeed(3)
        yield* TestClock.adjust("1 second")
        expect(yield* larder.refresh("k")).toBe(5)
        expect(yield* larder.get("k", { maxAge: 0, stale: "never" })).toBe(5)
      }),
    ),
  )
})

it.effect("a get that joins a bulk lookup which leaves its key out asks for the key alone", () =>
  within(
    Effect.gen(function* () {
      const asked: Array<string> = []
      const { larder } = yield* make(
        {},
        {
          upstream: Upstream.make({
            lookup: (key: string) => Effect.sync(() => asked.push(key)),
            lookupMany: (_: ReadonlyArray<string>) =>
              Effect.delay(Effect.succeed(new Map<string, number>()), 100),
          }),
        },
      )
      const many = yield* fork(larder.getMany(["k"]))
      const one = yield* fork(larder.get("k"))
      yield* TestClock.adjust(100)
      const exits = yield* Fiber.join(many)
      expect(JSON.stringify(exits.get("k"))).toContain("KeyNotReturned")
      expect(yield* Fiber.join(one)).toBe(1)
      expect(asked).toEqual(["k"])
      expect(yield* larder.stats).toMatchObject({ failures: 1, staleServed: 0 })
    }),
  ),
)

it.effect(
  "law 7: a value that is on its way to the arbiter is kept, though the getMany that waits for others leaves",
  () => {
    const faults = new Faults()
    return within(
      Effect.gen(function* () {
        const asked: Array<string> = []
        const { larder } = yield* make(
          {},
          {
            upstream: Upstream.make({
              lookup: (key: string) => {
                asked.push(key)
                return key === "hangs" ? Effect.never : Effect.succeed(1)
              },
            }),
          },
        )
        yield* larder.get("warm")
        faults.turn("slow", "writes")
        const many = yield* fork(larder.getMany(["k", "hangs"]))
        yield* TestClock.adjust(10)
        yield* Fiber.interrupt(many)
        yield* TestClock.adjust("1 second")
        expect(yield* larder.getWithMeta("k")).toMatchObject({ value: 1, tier: "memory" })
        expect(asked).toEqual(["warm", "k", "hangs"])
        expect(yield* larder.stats).toMatchObject({ superseded: 0, inFlight: 0 })
      }),
      withShared(faults),
    )
  },
)

it.effect("law 17: nothing is left of a lookup that its last caller has left", () =>
  Effect.gen(function* () {
    const upstream = { ...settings.upstream, lookup: () => Effect.never }
    const engine = yield* makeEngine({}, Infinity, { upstream })
    const asking = yield* fork(get(engine, "k", undefined))
    expect([engine.flights.at("k")?.k, engine.flights.inFlight]).toEqual(["k", 1])
    yield* Fiber.interrupt(asking)
    expect([engine.flights.at("k"), engine.flights.inFlight]).toEqual([undefined, 0])
  }),
)

it.effect("a background refresh goes on when the caller that joined it leaves", () =>
  within(
    Effect.gen(function* () {
      const { larder, source } = yield* make({ staleWhileRevalidate: "1 hour" })
      yield* larder.get("k")
      yield* TestClock.adjust("10 seconds")
      source.says = Effect.delay(Effect.succeed(2), "1 second")
      expect(yield* larder.get("k")).toBe(1)
      const leaving = yield* fork(larder.get("k", { stale: "never" }))
      yield* TestClock.adjust(500)
      yield* Fiber.interrupt(leaving)
      yield* TestClock.adjust(500)
      expect(yield* larder.get("k")).toBe(2)
      expect(source.asked).toBe(2)
    }),
  ),
)

it.effect(
  "a caller that joined a refresh which fails is given what a tier is still being asked for",
  () => {
    const faults = new Faults()
    return Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const shared = Layer.succeedContext(yield* Layer.build(faultyShared(faults)))
      const stack = () => TierStack.layer(MemoryTier.layer(), shared)
      const writer = yield* Effect.provide(make(), stack())
      yield* writer.larder.set("k", 7)
      yield* TestClock.adjust("10 seconds")
      const { larder, source } = yield* Effect.provide(make(), stack())
      yield* larder.get("warm")
      source.says = Effect.delay(Effect.fail("down"), 20)
      const refreshing = yield* fork(Effect.exit(larder.refresh("k")))
      faults.turn("slow", "reads")
      const asking = yield* fork(Effect.exit(larder.get("k")))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(refreshing)).toEqual(Exit.fail("down"))
      expect(yield* Fiber.join(asking)).toEqual(Exit.succeed(7))
    }).pipe(Effect.scoped)
  },
)

describe("a caller that joined a refresh which fails", () => {
  const joined = (stale: "allow" | "never") =>
    Effect.gen(function* () {
      const { larder, source } = yield* make()
      source.says = Effect.delay(Effect.fail("down"), 100)
      yield* fork(Effect.exit(larder.refresh("k")))
      const asking = yield* fork(Effect.exit(larder.get("k", { stale })))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(asking)).toEqual(Exit.fail("down"))
      expect(source.asked).toBe(1)
    })

  it.effect("fails as well where no tier can have anything", () => within(joined("allow")))

  it.effect("fails as well where the tiers have nothing", () =>
    within(joined("allow"), withShared(new Faults())),
  )

  it.effect("fails as well where it takes nothing stale, whatever tiers may have", () => {
    const faults = new Faults()
    return within(
      Effect.andThen(
        Effect.sync(() => faults.turn("hang", "reads")),
        joined("never"),
      ),
      withShared(faults),
    )
  })
})

it.effect(
  "a caller that joined a refresh which fails is given what memory has, without a lookup",
  () => {
    const faults = new Faults()
    return within(
      Effect.gen(function* () {
        const { larder, source } = yield* make({ retryAfterFailure: 0 })
        yield* larder.get("k")
        yield* TestClock.adjust("10 seconds")
        source.says = Effect.delay(Effect.fail("down"), 20)
        yield* fork(Effect.exit(larder.refresh("k")))
        // The tiers have not answered when the lookup fails.
        faults.turn("slow", "reads")
        const asking = yield* fork(larder.get("k"))
        yield* TestClock.adjust(20)
        expect(asking.pollUnsafe()).toEqual(Exit.succeed(1))
        yield* TestClock.adjust("1 second")
        expect(source.asked).toBe(2)
      }),
      withShared(faults),
    )
  },
)

describe("a key that a bulk lookup has left out, where grace must not hide that", () => {
  const opened = Effect.gen(function* () {
    const built = yield* Layer.build(faultyShared(new Faults()))
    const stack = TierStack.layer(Layer.succeedContext(built))
    const policy = { staleWhileRevalidate: "1 hour", retryAfterFailure: "1 minute" } as const
    const upstream = Upstream.make({
      lookup: (_: string) => Effect.delay(Effect.succeed(2), "1 second"),
      lookupMany: (_: ReadonlyArray<string>) =>
        Effect.delay(Effect.succeed(new Map<string, number>()), 100),
    })
    const { larder } = yield* make(policy, { upstream, graceFor: () => false }).pipe(
      Effect.provide(stack),
    )
    yield* larder.set("k", 7)
    yield* TestClock.adjust("10 seconds")
    // It is given what is in grace, and its lookup fails.
    expect((yield* larder.getMany(["k"])).get("k")).toEqual(Exit.succeed(7))
    yield* TestClock.adjust(100)
    return larder
  })

  it.effect("is given from a tier to a caller of that key, which cannot be told so", () =>
    within(
      Effect.gen(function* () {
        const larder = yield* opened
        const asking = yield* fork(larder.get("k"))
        yield* TestClock.adjust(0)
        expect(asking.pollUnsafe()).toEqual(Exit.succeed(7))
      }),
    ),
  )

  it.effect("is told to those who ask for many", () =>
    within(
      Effect.gen(function* () {
        const larder = yield* opened
        const asking = yield* fork(larder.getMany(["k"]))
        yield* TestClock.adjust(100)
        expect(JSON.stringify((yield* Fiber.join(asking)).get("k"))).toContain("KeyNotReturned")
      }),
    ),
  )
})

describe("law 22: the process is kept alive", () => {
  /** How many callers hold it. */
  const holding = Effect.acquireRelease(
    Effect.sync(() => {
      const spies = [
        vi.spyOn(WaitingCallers.prototype, "joined"),
        vi.spyOn(WaitingCallers.prototype, "left"),
      ] as const
      return { spies, holders: () => spies[0].mock.calls.length - spies[1].mock.calls.length }
    }),
    ({ spies }) => Effect.sync(() => spies.forEach((spy) => spy.mockRestore())),
  ).pipe(Effect.map(({ holders }) => holders))

  const ends: Record<string, (asking: Fiber.Fiber<unknown, unknown>) => Effect.Effect<unknown>> = {
    "is answered": () => TestClock.adjust(50),
    leaves: (asking) => Fiber.interrupt(asking),
    "is given something stale": () => TestClock.adjust(100),
  }

  for (const [name, end] of Object.entries(ends)) {
    it.effect(`while a caller waits, until it ${name}`, () =>
      within(
        Effect.gen(function* () {
          const holders = yield* holding
          const { larder, source } = yield* make({ softTimeout: 100 })
          yield* larder.get("k")
          yield* TestClock.adjust("10 seconds")
          source.says = Effect.delay(Effect.succeed(2), name === "is answered" ? 50 : "1 second")
          const before = holders()
          const asking = yield* fork(larder.get("k"))
          expect(holders()).toBe(before + 1)
          yield* end(asking)
          expect(holders()).toBe(before)
          yield* TestClock.adjust("1 second")
          expect(holders()).toBe(before)
        }),
      ),
    )
  }

  it.effect("while a caller waits, whoever else has waited for long enough", () =>
    within(
      Effect.gen(function* () {
        const holders = yield* holding
        const { larder, source } = yield* make(
          { hardTimeout: "1 second", tierBudget: 200 },
          { tags: () => ["t"] },
        )
        source.says = Effect.delay(Effect.succeed(1), 900)
        const before = holders()
        yield* fork(larder.get("k"))
        yield* TestClock.adjust(50)
        yield* larder.invalidateTags(["t"])
        const overtaken = yield* fork(Effect.exit(larder.get("k", { stale: "never" })))
        source.says = Effect.never
        yield* TestClock.adjust(950)
        const asking = yield* fork(larder.get("other"))
        expect(holders()).toBe(before + 2)
        yield* TestClock.adjust(250)
        expect(JSON.stringify(yield* Fiber.join(overtaken))).toContain("LookupTimeout")
        expect([asking.pollUnsafe(), holders()]).toEqual([undefined, before + 1])
      }),
    ),
  )

  it.effect("while a caller waits, until a tier has what it may be given", () =>
    within(
      Effect.gen(function* () {
        const holders = yield* holding
        const { larder, source } = yield* make()
        yield* larder.get("k")
        yield* larder.get("other")
        source.says = Effect.never
        const refreshing = yield* fork(larder.refresh("k"))
        const before = holders()
        expect(yield* larder.get("k")).toBe(1)
        expect(holders()).toBe(before)
        yield* Fiber.interrupt(refreshing)
        expect(holders()).toBe(before - 1)
      }),
      TierStack.layer(MemoryTier.layer({ maxEntries: 1 }), faultyShared(new Faults())),
    ),
  )

  it.effect("while a caller waits, until its larder closes", () =>
    within(
      Effect.gen(function* () {
        const holders = yield* holding
        const scope = yield* Scope.make()
        const { larder, source } = yield* Scope.provide(make(), scope)
        source.says = Effect.never
        const before = holders()
        const asking = yield* fork(Effect.exit(larder.get("k")))
        expect(holders()).toBe(before + 1)
        yield* Scope.close(scope, Exit.void)
        yield* Fiber.join(asking)
        expect(holders()).toBe(before)
      }),
    ),
  )
})

describe("law 9: a caller whose lookup was overtaken by a mark", () => {
  const overtaken = (stale: "allow" | "never") =>
    Effect.gen(function* () {
      const { larder, source } = yield* make(
        { hardTimeout: "1 second", tierBudget: 200 },
        { tags: () => ["t"] },
      )
      source.says = Effect.delay(Effect.succeed(1), 900)
      yield* fork(larder.get("k"))
      yield* TestClock.adjust(50)
      yield* larder.invalidateTags(["t"])
      const asking = yield* fork(Effect.exit(larder.get("k", { stale })))
      source.says = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (source.asked = -1)))
      // It came at 50 ms: its patience of one lookup and the tiers' share ends at 1,250.
      yield* TestClock.adjust(1_199)
      expect([asking.pollUnsafe(), source.asked]).toEqual([undefined, 2])
      yield* TestClock.adjust(1)
      const exit = yield* Fiber.join(asking)
      return { exit, source, stats: yield* larder.stats }
    })

  it.effect("waits no longer than one lookup may take, and takes something stale then", () =>
    within(
      Effect.gen(function* () {
        const { exit, source, stats } = yield* overtaken("allow")
        expect(exit).toEqual(Exit.succeed(1))
        expect(stats).toMatchObject({ failures: 0, staleServed: 1, inFlight: 0 })
        // Nobody else waits for the lookup.
        expect(source.asked).toBe(-1)
      }),
    ),
  )

  it.effect("is done with when its new lookup answers: its soft timeout serves nothing later", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make(
          { freshFor: 10, softTimeout: 500 },
          { tags: () => ["t"] },
        )
        source.says = Effect.delay(Effect.succeed(1), 100)
        yield* fork(larder.get("k"))
        yield* TestClock.adjust(50)
        yield* larder.invalidateTags(["t"])
        const asking = yield* fork(larder.get("k"))
        source.says = Effect.delay(Effect.succeed(2), 100)
        yield* TestClock.adjust(150)
        expect(yield* Fiber.join(asking)).toBe(2)
        yield* TestClock.adjust("1 minute")
        expect(yield* larder.stats).toMatchObject({ staleServed: 0, failures: 0 })
      }),
    ),
  )

  it.effect("is done with when its soft timeout serves something: it does not fail later", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make(
          { hardTimeout: "1 second", tierBudget: 200, softTimeout: 300 },
          { tags: () => ["t"] },
        )
        source.says = Effect.delay(Effect.succeed(1), 100)
        yield* fork(larder.get("k"))
        yield* TestClock.adjust(50)
        yield* larder.invalidateTags(["t"])
        const asking = yield* fork(larder.get("k"))
        source.says = Effect.never
        yield* TestClock.adjust(300)
        expect(yield* Fiber.join(asking)).toBe(1)
        yield* TestClock.adjust("1 minute")
        expect(yield* larder.stats).toMatchObject({ staleServed: 1, failures: 0 })
      }),
    ),
  )

  it.effect("gets a LookupTimeout where it takes nothing stale", () =>
    within(
      Effect.gen(function* () {
        const { exit, source, stats } = yield* overtaken("never")
        expect(JSON.stringify(exit)).toContain("LookupTimeout")
        expect(stats).toMatchObject({ failures: 1, staleServed: 0, inFlight: 0 })
        expect(source.asked).toBe(-1)
      }),
    ),
  )
})

it.effect(
  "a flight that is complete keeps its outcome: a defect of what goes on for its companions comes late",
  () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine()
      const flight = new Flight("k", "k", engine.versions.asOf(), {
        force: false,
        early: false,
        background: false,
        many: true,
        notBefore: -Infinity,
        stale: undefined,
      })
      const failure = (message: string) =>
        ({
          _tag: "Failure",
          exit: Exit.die(message),
          reason: "failed",
          graceDenied: false,
          notReturned: false,
        }) as const
      complete(engine, flight, failure("first"))
      complete(engine, flight, failure("late"))
      expect(flight.outcome).toEqual(failure("first"))
    }).pipe(Effect.scoped),
)
