/** The result of upstream's answer: renewals, lagging values, remembered failures, and newer known values. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, type LarderEvent, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Effect, Exit, Fiber, Layer, Logger, PubSub, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, layer as faultyShared } from "../../support/faultyTier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

type Answer = number | Upstream.NotModified
type Options = Partial<Larder.BaseOptions<number, string, string, never>>

/** Upstream answers what `says` holds; lookups are counted. */
const make = (policy: Partial<Policy.Options> = {}, options: Options = {}) =>
  Effect.suspend(() => {
    const source = {
      asked: 0,
      says: Effect.succeed(1) as Effect.Effect<Answer, string>,
    }
    return Effect.map(
      Larder.make({
        name: "arrivals",
        value: Schema.Finite,
        policy: Policy.make({
          freshFor: "10 seconds",
          staleIfError: "1 hour",
          retryAfterFailure: "1 second",
          ...policy,
        }),
        upstream: Upstream.make({
          lookup: (_: string) =>
            Effect.suspend(() => {
              source.asked += 1
              return source.says
            }),
        }),
        ...options,
      }),
      (larder) => ({ larder, source }),
    )
  })

const within = <E>(
  body: Effect.Effect<void, E, TierStack.TierStack | Scope.Scope>,
  stack: Layer.Layer<TierStack.TierStack> = TierStack.layer(MemoryTier.layer()),
) =>
  Effect.andThen(
    TestClock.setTime(1_790_000_000_000),
    body.pipe(Effect.scoped, Effect.provide([stack, Logger.layer([])])),
  )

const told = (heard: PubSub.Subscription<LarderEvent.LarderEvent>) =>
  Effect.map(PubSub.takeUpTo(heard, 1_000), (events) => events)

describe("notModified", () => {
  it.effect("with nothing to renew it is a defect that names larder and key", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make()
        source.says = Effect.succeed(Upstream.notModified)
        const exit = yield* Effect.exit(larder.get("k"))
        const message = Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "a value"
        expect(message).toContain("arrivals")
        expect(message).toContain('"k"')
        expect(message).toContain("notModified")
        expect((yield* larder.read("k")).entry).toBe(undefined)
      }),
    ),
  )

  it.effect("renews the times alone: value, tags and validator stay those of the entry", () =>
    within(
      Effect.gen(function* () {
        let release = "one"
        const { larder, source } = yield* make(
          {},
          { tags: () => [release], etag: () => release, revision: (value) => value },
        )
        yield* larder.get("k")
        yield* TestClock.adjust("10 seconds")
        release = "two"
        source.says = Effect.succeed(Upstream.notModified)
        expect(yield* larder.get("k")).toBe(1)
        const { entry, freshness } = yield* larder.read("k")
        expect(freshness).toEqual({ _tag: "Fresh" })
        expect(entry).toMatchObject({ value: 1, tags: ["one"], etag: "one" })
        expect(entry!.freshUntil - entry!.storedAt).toBe(10_000)
      }),
    ),
  )
})

it.effect("an entry without a validator has no etag, not an undefined one", () =>
  within(
    Effect.gen(function* () {
      const { larder } = yield* make({}, { etag: () => undefined })
      yield* larder.get("k")
      const { entry } = yield* larder.read("k")
      expect(Object.keys(entry!)).not.toContain("etag")
    }),
  ),
)

it.effect("jitter shortens freshFor by up to its share, one draw per load", () =>
  within(
    Effect.gen(function* () {
      for (const jitter of [0.5, 1]) {
        const { larder } = yield* make({ jitter }, { name: `jitter ${jitter}` })
        const keys = Array.from({ length: 20 }, (_, i) => `k${i}`)
        const spans = yield* Effect.forEach(keys, (key) =>
          Effect.map(larder.getWithMeta(key), ({ entry }) => entry.freshUntil - entry.storedAt),
        )
        expect(new Set(spans).size).toBeGreaterThan(10)
        expect(Math.max(...spans)).toBeLessThanOrEqual(10_000)
        expect(Math.min(...spans)).toBeGreaterThanOrEqual(10_000 * (1 - jitter))
      }
    }),
  ),
)

describe("an answer on which an option fails", () => {
  /** The policy fails on what is looked up while `isBroken`. */
  const breakable = Effect.suspend(() => {
    const state = { isBroken: false }
    const policy = Policy.adaptive(
      Policy.make({ freshFor: "10 seconds", staleIfError: "1 hour" }),
      (_value, _key, base) => {
        if (state.isBroken) throw new Error("broken")
        return base
      },
    )
    return Effect.map(make({}, { policy }), (made) => ({ ...made, state }))
  })

  it.effect("leaves the entry that is there as it was", () =>
    within(
      Effect.gen(function* () {
        const { larder, source, state } = yield* breakable
        yield* larder.get("k")
        source.says = Effect.succeed(2)
        state.isBroken = true
        expect(yield* larder.refresh("k")).toBe(2)
        expect(yield* larder.read("k")).toMatchObject({
          freshness: { _tag: "Fresh" },
          entry: { value: 1 },
        })
      }),
    ),
  )

  it.effect("a renewal takes nothing away that was set in the meantime", () =>
    within(
      Effect.gen(function* () {
        const { larder, source, state } = yield* breakable
        yield* larder.get("k")
        yield* TestClock.adjust("10 seconds")
        source.says = Effect.delay(Effect.succeed(Upstream.notModified), 100)
        const asking = yield* fork(larder.get("k"))
        yield* TestClock.adjust(50)
        yield* larder.set("k", 7)
        state.isBroken = true
        yield* TestClock.adjust(50)
        expect(yield* Fiber.join(asking)).toBe(1)
        expect((yield* larder.read("k")).entry?.value).toBe(7)
      }),
    ),
  )
})

it.effect("law 16: a known value on which revision fails gives way to any looked-up one", () =>
  within(
    Effect.gen(function* () {
      let chokesOn = Number.NaN
      const { larder, source } = yield* make(
        {},
        {
          revision: (value) => {
            if (value === chokesOn) throw new Error("broken")
            return value
          },
        },
      )
      yield* larder.set("k", 5)
      yield* TestClock.adjust("10 seconds")
      chokesOn = 5
      source.says = Effect.succeed(3)
      expect(yield* larder.get("k")).toBe(3)
      expect((yield* larder.read("k")).entry?.value).toBe(3)
      expect(yield* larder.stats).toMatchObject({ undecodable: 1 })
    }),
  ),
)

it.effect("law 16: a known value on which revision fails is given to nobody any more", () =>
  within(
    Effect.gen(function* () {
      let isBroken = false
      const { larder, source } = yield* make(
        {},
        {
          revision: (value) => {
            if (isBroken && value === 5) throw new Error("broken")
            return value
          },
          tags: (value) => {
            if (value === 3) throw new Error("the answer is not kept")
            return []
          },
        },
      )
      yield* larder.set("k", 5)
      yield* TestClock.adjust("10 seconds")
      isBroken = true
      source.says = Effect.succeed(3)
      expect(yield* larder.get("k")).toBe(3)
      expect((yield* larder.read("k")).entry).toBe(undefined)
    }),
  ),
)

describe("a value of a lower revision than is known", () => {
  const revised = { revision: (value: number) => value }

  it.effect("is told, counted and not kept; upstream is left alone for retryAfterFailure", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make({}, { ...revised, failureFor: () => "1 minute" })
        const heard = yield* larder.subscribe
        yield* larder.set("k", 5)
        yield* TestClock.adjust("10 seconds")
        for (let i = 0; i < 2; i++) expect(yield* larder.get("k")).toBe(5)
        expect(source.asked).toBe(1)
        // The first caller was given what is known, the second one while upstream is left alone.
        expect(yield* larder.stats).toMatchObject({ superseded: 1, staleServed: 2 })
        const events = yield* told(heard)
        expect(events.filter(({ _tag }) => _tag === "Superseded")).toMatchObject([{ key: "k" }])
        yield* TestClock.adjust("1 second")
        source.says = Effect.succeed(6)
        expect(yield* larder.get("k")).toBe(6)
      }),
    ),
  )

  it.effect("of the same revision it replaces what is known", () =>
    within(
      Effect.gen(function* () {
        const { larder } = yield* make({}, { revision: () => 7 })
        yield* larder.set("k", 5)
        yield* TestClock.adjust("10 seconds")
        expect(yield* larder.get("k")).toBe(1)
        expect((yield* larder.read("k")).freshness).toEqual({ _tag: "Fresh" })
      }),
    ),
  )

  it.effect("is given and kept where the newer value ended its life during the lookup", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make({ staleIfError: "1 second" }, revised)
        yield* larder.set("k", 5)
        yield* TestClock.adjust(10_900)
        source.says = Effect.delay(Effect.succeed(3), 200)
        const asking = yield* fork(larder.get("k"))
        yield* TestClock.adjust(200)
        expect(yield* Fiber.join(asking)).toBe(3)
        expect((yield* larder.read("k")).entry?.value).toBe(3)
      }),
    ),
  )
})

it.effect("a renewal of a value of a lower revision than is known by now gives that one", () =>
  within(
    Effect.gen(function* () {
      const { larder, source } = yield* make({}, { revision: (value) => value })
      yield* larder.set("k", 5)
      yield* TestClock.adjust("10 seconds")
      source.says = Effect.delay(Effect.succeed(Upstream.notModified), 100)
      const asking = yield* fork(larder.get("k"))
      yield* TestClock.adjust(50)
      yield* larder.set("k", 7)
      yield* TestClock.adjust(50)
      expect(yield* Fiber.join(asking)).toBe(7)
      expect((yield* larder.read("k")).entry?.value).toBe(7)
    }),
  ),
)

describe("law 3: a caller whose lookup fails gets the newest value that is known", () => {
  it.effect("what was set while it waited, not what was there before", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make()
        yield* larder.set("k", 1)
        yield* TestClock.adjust("10 seconds")
        source.says = Effect.delay(Effect.fail("down"), 100)
        const asking = yield* fork(larder.get("k"))
        yield* TestClock.adjust(50)
        yield* larder.set("k", 2)
        yield* TestClock.adjust(50)
        expect(yield* Fiber.join(asking)).toBe(2)
      }),
    ),
  )

  it.effect("what a farther tier had, where memory has an older one", () => {
    const tier = faultyShared(new Faults())
    return Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const shared = Layer.succeedContext(yield* Layer.build(tier))
      const stack = () => TierStack.layer(MemoryTier.layer(), shared)
      const one = yield* Effect.provide(make(), stack())
      const other = yield* Effect.provide(make(), stack())
      yield* one.larder.set("k", 1)
      yield* other.larder.set("k", 2)
      yield* TestClock.adjust("10 seconds")
      one.source.says = Effect.fail("down")
      expect((yield* one.larder.getWithMeta("k")).value).toBe(2)
    }).pipe(Effect.scoped)
  })
})

it.effect("a failureFor and a graceFor that fail are logged by name", () => {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ message }) => lines.push(String(message)))
  const failing = (): never => {
    throw new Error("broken")
  }
  return Effect.gen(function* () {
    const { larder, source } = yield* make({}, { failureFor: failing, graceFor: failing })
    source.says = Effect.fail("down")
    expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("down"))
    for (const option of ["failureFor", "graceFor"]) {
      expect(lines.filter((line) => line.includes(option))).not.toEqual([])
    }
  }).pipe(
    Effect.scoped,
    Effect.provide([TierStack.layer(MemoryTier.layer()), Logger.layer([logger])]),
  )
})

describe("a failure", () => {
  it.effect("with nothing stale is remembered for failureFor alone, to the millisecond", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make({}, { failureFor: () => 1 })
        source.says = Effect.fail("down")
        for (let i = 0; i < 2; i++)
          expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("down"))
        expect(source.asked).toBe(1)
        yield* TestClock.adjust(1)
        source.says = Effect.succeed(2)
        expect(yield* larder.get("k")).toBe(2)
      }),
    ),
  )

  it.effect("that is not remembered takes the place of none that is", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make(
          {},
          { failureFor: (error) => (error === "gone" ? "1 hour" : 0) },
        )
        source.says = Effect.fail("gone")
        yield* Effect.exit(larder.get("k"))
        source.says = Effect.fail("down")
        for (let i = 0; i < 10_001; i++) yield* Effect.exit(larder.get(`k${i}`))
        const { asked } = source
        expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("gone"))
        expect(source.asked).toBe(asked)
      }),
    ),
  )

  it.effect("a timeout is no failure of upstream's: failureFor is not asked", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make(
          { hardTimeout: "1 second" },
          { failureFor: () => "1 hour" },
        )
        source.says = Effect.never
        const asking = yield* fork(Effect.exit(larder.get("k")))
        yield* TestClock.adjust("1 second")
        expect(JSON.stringify(yield* Fiber.join(asking))).toContain("LookupTimeout")
        source.says = Effect.succeed(2)
        expect(yield* larder.get("k")).toBe(2)
      }),
    ),
  )

  it.effect(
    "of a key of which nothing was known does not hold back the refresh of a value that another node sets",
    () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(1_790_000_000_000)
        const shared = Layer.succeedContext(yield* Layer.build(faultyShared(new Faults())))
        const stack = () => TierStack.layer(MemoryTier.layer(), shared)
        const one = yield* Effect.provide(
          make({ freshFor: "1 second", retryAfterFailure: "1 minute" }, { failureFor: () => 1 }),
          stack(),
        )
        const other = yield* Effect.provide(make({ freshFor: "1 second" }), stack())
        one.source.says = Effect.fail("down")
        yield* Effect.exit(one.larder.get("k"))
        yield* other.larder.set("k", 5)
        yield* TestClock.adjust("1 second")
        one.source.says = Effect.succeed(6)
        expect(yield* one.larder.get("k")).toBe(6)
      }).pipe(Effect.scoped),
  )

  type Source = Upstream.Upstream<string, number, string>
  const guards: Record<string, (source: Source) => Upstream.Upstream<string, number, unknown>> = {
    shed: Upstream.withConcurrency({ foreground: 1, background: 1, queue: 0 }),
    breakerOpen: Upstream.withCircuitBreaker(),
    failed: (source) => source,
  }

  it.effect("events say why a stale value was served: failed, breakerOpen, shed", () =>
    within(
      Effect.gen(function* () {
        for (const [reason, guard] of Object.entries(guards)) {
          let says: Effect.Effect<number, string> = Effect.succeed(1)
          const larder = yield* Larder.make({
            name: reason,
            value: Schema.Finite,
            policy: Policy.make({ freshFor: "10 seconds", staleIfError: "1 hour" }),
            upstream: guard(Upstream.make({ lookup: (_: string) => Effect.suspend(() => says) })),
          })
          yield* larder.get("k")
          yield* TestClock.adjust("10 seconds")
          says = reason === "shed" ? Effect.never : Effect.fail("down")
          for (let i = 0; i < 5; i++) yield* fork(Effect.exit(larder.get(`other${i}`)))
          const heard = yield* larder.subscribe
          expect(yield* larder.get("k")).toBe(1)
          const served = (yield* told(heard)).filter(({ _tag }) => _tag === "StaleServed")
          expect(served).toMatchObject([{ key: "k", reason }])
        }
      }),
    ),
  )
})
