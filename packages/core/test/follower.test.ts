/** A follower reads what its owner stores in the shared tier: it has no upstream, and nothing to write with. */
import { describe, expect, it as plain } from "@effect/vitest"
import {
  InvalidOptions,
  Larder,
  MemoryTier,
  Policy,
  type Tier,
  TierStack,
  Upstream,
} from "@larder/core"
import { Cause, Effect, Exit, Fiber, Layer, Logger, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, wayToShared } from "./support/faultyTier.ts"
import { fork, make, source, start, test } from "./support/nodes.ts"

/** Messages that have arrived are applied in the turns after. */
const heard = Effect.forEach(Array.from({ length: 4 }), () => Effect.yieldNow, { discard: true })

const built = (layer: Layer.Layer<Tier.Tier>) =>
  Effect.map(Layer.build(layer), (context) => Layer.succeedContext(context))

type OwnerOptions = Parameters<typeof make>[2]
type FollowerOptions = Partial<Larder.FollowerOptions<typeof Schema.Finite>>

/** An owner of `prices` and a follower, each a node of its own over one shared tier. */
const world = (
  options: OwnerOptions = {},
  following: FollowerOptions = {},
  tier: Parameters<typeof MemoryTier.layerSharedWith>[0] = {},
) =>
  Effect.gen(function* () {
    yield* start
    const shared = yield* built(MemoryTier.layerSharedWith(tier))
    const from = source(Effect.succeed(1))
    const ownerFaults = new Faults()
    const faults = new Faults()
    const owner = yield* make(
      from,
      TierStack.layer(MemoryTier.layer(), wayToShared(ownerFaults, shared)),
      { name: "prices", ...options },
    )
    const follower = yield* Effect.provide(
      Larder.follower({ name: "prices", value: Schema.Finite, ...following }),
      TierStack.layer(MemoryTier.layer(), wayToShared(faults, shared)),
    )
    return { faults, follower, from, owner }
  })

test(
  "what the owner has looked up is there, what it has not is None; upstream is never asked for it",
  Effect.gen(function* () {
    const { faults, follower, from, owner } = yield* world()
    expect(yield* follower.get("milk")).toEqual(Option.none())
    yield* owner.get("milk")
    yield* heard
    expect(yield* follower.get("milk")).toEqual(Option.some(1))
    expect(yield* follower.getMany(["tea", "milk"])).toEqual(new Map([["milk", 1]]))
    expect(yield* follower.read("milk")).toMatchObject({ freshness: { _tag: "Fresh" } })
    expect(from.asked).toBe(1)
    expect((yield* follower.stats).lookupsSucceeded).toBe(0)
    expect(faults.written).toBe(0)
  }),
)

test(
  "a miss takes no lease and is not remembered: each asks the tier, and the owner's lookup is not held up",
  Effect.gen(function* () {
    const { faults, follower, owner } = yield* world()
    for (const _ of [1, 2, 3]) yield* follower.get("milk")
    expect(faults.trips.filter((trip) => trip === "read")).toHaveLength(3)
    expect(faults.trips).not.toContain("acquire")
    expect(yield* owner.get("milk")).toBe(1)
    expect(yield* follower.get("milk")).toEqual(Option.some(1))
  }),
)

test(
  "it does not wait for a lookup of the owner",
  Effect.gen(function* () {
    const { follower, from, owner } = yield* world()
    from.answer = () => Effect.delay(Effect.succeed(1), "5 seconds")
    const loading = yield* fork(owner.get("milk"))
    expect(yield* follower.get("milk")).toEqual(Option.none())
    yield* Fiber.interrupt(loading)
  }),
)

describe("changes of the owner", () => {
  test(
    "a set is there with the next read",
    Effect.gen(function* () {
      const { follower, owner } = yield* world()
      yield* owner.get("milk")
      expect(yield* follower.get("milk")).toEqual(Option.some(1))
      yield* owner.set("milk", 2)
      yield* heard
      expect(yield* follower.get("milk")).toEqual(Option.some(2))
    }),
  )

  test(
    "a removal is None, also where the shared tier does not answer",
    Effect.gen(function* () {
      const { faults, follower, owner } = yield* world()
      yield* owner.get("milk")
      yield* follower.get("milk")
      yield* owner.remove("milk")
      yield* heard
      faults.turn("fail", "all")
      expect(yield* follower.get("milk")).toEqual(Option.none())
    }),
  )

  test(
    "an expired value is served for the owner's staleIfError, and replaced at once by what the owner looks up",
    Effect.gen(function* () {
      const { follower, from, owner } = yield* world()
      yield* owner.get("milk")
      yield* follower.get("milk")
      yield* owner.expire("milk")
      yield* heard
      expect(yield* follower.get("milk")).toEqual(Option.some(1))
      expect(yield* follower.get("milk", { stale: "never" })).toEqual(Option.none())
      from.answer = () => Effect.succeed(2)
      yield* owner.get("milk")
      yield* heard
      expect(yield* follower.get("milk")).toEqual(Option.some(2))
    }),
  )

  test(
    "a mark of a tag ends freshness; without stale values, the value",
    Effect.gen(function* () {
      const { follower, owner } = yield* world({ tags: () => ["dairy"] })
      yield* owner.get("milk")
      yield* follower.get("milk")
      yield* owner.invalidateTags("dairy")
      yield* heard
      expect(yield* follower.get("milk", { stale: "never" })).toEqual(Option.none())
      expect(yield* follower.get("milk")).toEqual(Option.some(1))
      yield* owner.invalidateTags("dairy", { keepStale: false })
      yield* heard
      expect(yield* follower.get("milk")).toEqual(Option.none())
    }),
  )
})

describe("stale values", () => {
  test(
    "within staleWhileRevalidate one is served at once, and the tier is read once within retryAfterFailure",
    Effect.gen(function* () {
      const policy = { staleWhileRevalidate: "1 minute", staleIfError: 0 } as const
      const { faults, follower, owner } = yield* world({ policy })
      yield* owner.get("milk")
      yield* follower.get("milk")
      yield* TestClock.adjust("11 seconds")
      faults.trips.length = 0
      for (const _ of [1, 2, 3]) {
        expect(yield* follower.get("milk")).toEqual(Option.some(1))
        yield* TestClock.adjust("100 millis")
      }
      expect(faults.trips.filter((trip) => trip === "read")).toHaveLength(1)
      yield* TestClock.adjust("1 minute")
      expect(yield* follower.get("milk")).toEqual(Option.none())
    }),
  )

  test(
    "with the owner and the shared tier away, values are served until staleIfError of the owner is over",
    Effect.gen(function* () {
      const { faults, follower, owner } = yield* world({ policy: { staleIfError: "1 hour" } })
      yield* owner.get("milk")
      yield* follower.get("milk")
      faults.turn("fail", "all")
      yield* TestClock.adjust("59 minutes")
      expect(yield* follower.get("milk")).toEqual(Option.some(1))
      yield* TestClock.adjust("2 minutes")
      expect(yield* follower.get("milk")).toEqual(Option.none())
    }),
  )

  test(
    "a shared tier that hangs costs a miss tierTimeout",
    Effect.gen(function* () {
      const { faults, follower } = yield* world({}, { tierTimeout: "30 millis" })
      faults.turn("hang", "all")
      const asking = yield* fork(follower.get("milk"))
      yield* TestClock.adjust("29 millis")
      expect(asking.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(asking)).toEqual(Option.none())
    }),
  )
})

describe("missed messages", () => {
  test(
    "maxFreshFor bounds how long a change that nobody told of goes unnoticed",
    Effect.gen(function* () {
      yield* start
      const shared = yield* built(MemoryTier.layerSharedWith({}))
      const deaf = new Faults()
      deaf.isDeaf = true
      const from = source(Effect.succeed(1))
      const stack = TierStack.layer(MemoryTier.layer(), shared)
      const owner = yield* make(from, stack, { name: "prices", policy: { freshFor: "1 hour" } })
      const options = { name: "prices", value: Schema.Finite, maxFreshFor: "20 seconds" } as const
      const deafStack = TierStack.layer(MemoryTier.layer(), wayToShared(deaf, shared))
      const follower = yield* Effect.provide(Larder.follower(options), deafStack)
      yield* owner.get("milk")
      yield* follower.get("milk")
      yield* owner.set("milk", 2)
      yield* TestClock.adjust("19999 millis")
      expect(yield* follower.get("milk")).toEqual(Option.some(1))
      yield* TestClock.adjust("1 second")
      expect(yield* follower.get("milk")).toEqual(Option.some(2))
    }),
  )

  test(
    "a gap makes what memory has suspect until the shared tier has confirmed it",
    Effect.gen(function* () {
      let isCut = false
      const shared = {
        heartbeat: 100,
        network: {
          deliver: (_: unknown, { number }: { readonly number: number }) =>
            isCut && number === 2 ? [] : [0],
        },
      }
      const own = { maxFreshFor: "1 hour" } as const
      const { faults, follower, owner } = yield* world(
        { policy: { freshFor: "1 hour" } },
        own,
        shared,
      )
      yield* owner.getMany(["milk", "tea"])
      yield* follower.getMany(["milk", "tea"])
      isCut = true
      yield* owner.set("milk", 2)
      yield* TestClock.adjust(300)
      expect((yield* follower.stats).gaps).toBe(1)
      expect(yield* follower.get("milk", { stale: "never" })).toEqual(Option.some(2))
      faults.turn("fail", "all")
      yield* TestClock.adjust("1 second")
      expect(yield* follower.get("tea")).toEqual(Option.some(1))
    }),
  )

  test(
    "without maxFreshFor it is one minute",
    Effect.gen(function* () {
      const { faults, follower, owner } = yield* world({ policy: { freshFor: "1 hour" } })
      yield* owner.get("milk")
      yield* follower.get("milk")
      faults.trips.length = 0
      yield* TestClock.adjust("59999 millis")
      yield* follower.get("milk")
      expect(faults.trips).not.toContain("read")
      yield* TestClock.adjust("1 second")
      expect(yield* follower.get("milk")).toEqual(Option.some(1))
      expect(faults.trips).toContain("read")
    }),
  )

  test(
    "what a file of the follower has from before is suspect until the shared tier confirms it",
    Effect.gen(function* () {
      yield* start
      const shared = yield* built(MemoryTier.layerSharedWith({}))
      const file = yield* built(fileLayer(new Faults()))
      const faults = new Faults()
      const from = source(Effect.succeed(1))
      const owner = yield* make(from, TierStack.layer(MemoryTier.layer(), shared), {
        name: "prices",
        policy: { freshFor: "1 hour" },
      })
      const stack = () => TierStack.layer(MemoryTier.layer(), file, wayToShared(faults, shared))
      const options = { name: "prices", value: Schema.Finite }
      const opened = Effect.suspend(() => Effect.provide(Larder.follower(options), stack()))
      yield* owner.get("milk")
      const first = Effect.flatMap(opened, (follower) => follower.get("milk"))
      expect(yield* Effect.scoped(first)).toEqual(Option.some(1))
      yield* owner.set("milk", 2)
      const again = yield* opened
      expect(yield* again.get("milk")).toEqual(Option.some(2))
    }),
  )
})

describe("what is refused", () => {
  const problem = <A>(effect: Effect.Effect<A, unknown, never>) =>
    Effect.map(Effect.exit(effect), (exit) => {
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      return error instanceof InvalidOptions ? error.message : error
    })

  const open = (
    options: object,
    layer = TierStack.layer(MemoryTier.layer(), MemoryTier.layerShared),
  ) =>
    problem(
      Effect.scoped(
        Effect.provide(
          Larder.follower({ name: "prices", value: Schema.Finite, ...options }),
          layer,
        ),
      ),
    )

  plain.effect("a duration of 0, an unknown option, and a stack of memory alone", () =>
    Effect.gen(function* () {
      expect(yield* open({ maxFreshFor: 0 })).toContain("maxFreshFor")
      expect(yield* open({ upstream: 1 })).toContain("unknown option")
      expect(yield* open({}, TierStack.layer(MemoryTier.layer()))).toContain("TierStack")
      expect(yield* open({ value: undefined })).toContain("value")
    }),
  )

  test(
    "an invalid key",
    Effect.gen(function* () {
      const { follower } = yield* world()
      expect(yield* Effect.flip(follower.get("\n"))).toBeInstanceOf(Larder.InvalidKey)
      expect(yield* Effect.flip(follower.getMany(["a", "\n"]))).toBeInstanceOf(Larder.InvalidKey)
    }),
  )
})

test(
  "a miss is the event Failed with notReturned",
  Effect.gen(function* () {
    const { follower } = yield* world()
    yield* follower.get("milk")
    expect((yield* follower.stats).failedAnswers.notReturned).toBe(1)
  }),
)

class Prices extends Larder.Follower<Prices>()("app/Prices", {
  name: "prices",
  value: Schema.Finite,
  key: ({ sku }: { readonly sku: string }) => sku,
}) {}

const warned: Array<unknown> = []

plain.effect(
  "a service reads by its accessors; owner and follower of one process do not warn",
  () =>
    Effect.gen(function* () {
      const owner = yield* Larder.make({
        name: "prices",
        value: Schema.Finite,
        upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(7) }),
        policy: Policy.make({ freshFor: "1 hour" }),
      })
      yield* owner.get("milk")
      expect(yield* Prices.get({ sku: "milk" })).toEqual(Option.some(7))
      expect(yield* Prices.getMany([{ sku: "tea" }])).toEqual(new Map())
      expect((yield* Prices.read({ sku: "milk" })).entry?.value).toBe(7)
      expect((yield* Prices.stats).lookupsSucceeded).toBe(0)
      expect(warned).toEqual([])
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Prices.layer.pipe(
          Layer.provideMerge(
            TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared)),
          ),
          Layer.provideMerge(
            Logger.layer([Logger.make(({ message }) => void warned.push(message))]),
          ),
        ),
      ),
    ),
)
