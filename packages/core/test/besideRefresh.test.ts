/** A lookup for a caller with a stricter demand delays no read that tiers can answer. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, type Tier, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyTier } from "./support/faultyTier.ts"

const stacks = {
  "memory and shared": { hasMemory: true, tiers: () => [faultyTier(new Faults())] },
  shared: { hasMemory: false, tiers: () => [faultyTier(new Faults())] },
  file: { hasMemory: false, tiers: () => [fileLayer(new Faults())] },
  "memory and file": { hasMemory: true, tiers: () => [fileLayer(new Faults())] },
  "memory, file and shared": {
    hasMemory: true,
    tiers: () => [fileLayer(new Faults()), faultyTier(new Faults())],
  },
} as const

const ages = { fresh: 5_000, revalidate: 15_000, error: 30_000 } as const

const outcomes = {
  succeeds: Effect.delay(Effect.succeed("new"), "1 second"),
  fails: Effect.delay(Effect.fail("down"), "1 second"),
  hangs: Effect.never,
} as const

type TheLarder = Larder.Larder<string, string, string>

/** The lookups that run while other callers read. */
const running = {
  refresh: (larder: TheLarder) => larder.refresh("k"),
  "get with maxAge": (larder: TheLarder) => larder.get("k", { maxAge: 0, stale: "never" }),
} as const

const reads = {
  get: (larder: TheLarder) => larder.get("k"),
  getWithMeta: (larder: TheLarder) => Effect.map(larder.getWithMeta("k"), ({ value }) => value),
  getMany: (larder: TheLarder) => Effect.flatMap(larder.getMany(["k"]), (exits) => exits.get("k")!),
} as const

const make = (lookup: Effect.Effect<string, string>) =>
  Larder.make({
    name: "beside",
    value: Schema.String,
    policy: Policy.make({
      freshFor: "10 seconds",
      staleWhileRevalidate: "10 seconds",
      staleIfError: "1 minute",
      softTimeout: "100 millis",
    }),
    upstream: Upstream.make({
      lookup: (key: string) => (key === "k" ? lookup : Effect.succeed(key)),
    }),
  })

/** A larder that finds "old" of this age in its tiers, and something else in its memory, which has room for one entry. */
const opened = (stack: keyof typeof stacks, age: number, lookup: Effect.Effect<string, string>) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1_790_000_000_000)
    const { hasMemory, tiers } = stacks[stack]
    const built = yield* Effect.forEach(tiers(), (tier: Layer.Layer<Tier.Tier>) =>
      Effect.map(Layer.build(tier), Layer.succeedContext),
    )
    const [first, ...rest] = hasMemory ? [MemoryTier.layer({ maxEntries: 1 }), ...built] : built
    const context = yield* Layer.build(TierStack.layer(first!, ...rest))
    yield* Effect.scoped(
      Effect.gen(function* () {
        const writer = yield* make(lookup)
        yield* writer.set("k", "old")
      }),
    ).pipe(Effect.provide(context))
    const larder = yield* Effect.provide(make(lookup), context)
    // Tiers in front of an arbiter are believed once it has confirmed what they have.
    if (stack === "memory, file and shared") yield* larder.get("k")
    yield* TestClock.adjust(age)
    yield* larder.get("other")
    return larder
  })

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const cases = Object.keys(stacks).flatMap((stack) =>
  Object.entries(ages).flatMap(([age, millis]) =>
    Object.keys(outcomes).flatMap((outcome) =>
      Object.keys(running).flatMap((what) =>
        Object.keys(reads).map((read) => ({ stack, age, millis, outcome, what, read }) as const),
      ),
    ),
  ),
)

describe("laws 1 to 3: a read gets what a tier may give it, in its own time, whatever lookup runs", () => {
  it.effect.each(cases)(
    "$stack, $age: $read while $what $outcome",
    ({ age, millis, outcome, read, stack, what }) =>
      Effect.gen(function* () {
        const larder = yield* opened(
          stack as keyof typeof stacks,
          millis,
          outcomes[outcome as keyof typeof outcomes],
        )
        const other = yield* fork(Effect.exit(running[what as keyof typeof running](larder)))
        yield* TestClock.adjust(1)
        const reading = reads[read as keyof typeof reads]
        const waiting = yield* fork(reading(larder))
        yield* TestClock.adjust(0)
        if (age === "error") {
          expect(waiting.pollUnsafe()).toBe(undefined)
          yield* TestClock.adjust(100)
        }
        expect(waiting.pollUnsafe()).toEqual(Exit.succeed("old"))
        expect(other.pollUnsafe()).toBe(undefined)
        // The next one too, as long as the lookup runs.
        const next = yield* fork(reading(larder))
        yield* TestClock.adjust(age === "error" ? 100 : 0)
        expect(next.pollUnsafe()).toEqual(Exit.succeed("old"))
        yield* TestClock.adjust("1 minute")
        const exit = yield* Fiber.join(other)
        if (outcome === "succeeds") expect(exit).toEqual(Exit.succeed("new"))
        else expect(Exit.isFailure(exit)).toBe(true)
      }).pipe(Effect.scoped),
  )
})

describe("refresh gives what upstream says, and a failure leaves the entry as it was", () => {
  const all = [...Object.keys(stacks), "memory"] as const
  const each = all.flatMap((stack) =>
    Object.entries(ages).flatMap(([age, millis]) =>
      (["fails", "hangs"] as const).map((outcome) => ({ stack, age, millis, outcome })),
    ),
  )
  it.effect.each(each)("$stack, $age: upstream $outcome", ({ millis, outcome, stack }) =>
    Effect.gen(function* () {
      const lookup = outcomes[outcome]
      const larder =
        stack === "memory"
          ? yield* Effect.gen(function* () {
              yield* TestClock.setTime(1_790_000_000_000)
              const inMemory = yield* make(lookup)
              yield* inMemory.set("k", "old")
              yield* TestClock.adjust(millis)
              return inMemory
            }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer())))
          : yield* opened(stack as keyof typeof stacks, millis, lookup)
      const before = (yield* larder.read("k")).entry
      const refreshing = yield* fork(Effect.flip(larder.refresh("k")))
      // Within its life in error grace.
      yield* TestClock.adjust("30 seconds")
      const error = yield* Fiber.join(refreshing)
      if (outcome === "fails") expect(error).toBe("down")
      else expect(error).toMatchObject({ _tag: "LookupTimeout" })
      expect((yield* larder.read("k")).entry).toEqual(before)
    }).pipe(Effect.scoped),
  )
})

it.effect(
  "law 11: while a refresh hangs, a read over bytes alone gives what another node has set since",
  () =>
    Effect.gen(function* () {
      const larder = yield* make(Effect.never)
      const other = yield* make(Effect.never)
      yield* other.set("k", "old")
      yield* fork(larder.refresh("k"))
      yield* TestClock.adjust(1)
      expect(yield* larder.get("k")).toBe("old")
      expect((yield* other.set("k", "set since")).settled).toBe(true)
      expect(yield* larder.get("k")).toBe("set since")
      yield* other.remove("k")
      const waiting = yield* fork(larder.get("k"))
      yield* TestClock.adjust("1 second")
      expect(waiting.pollUnsafe()).toBe(undefined)
    }).pipe(Effect.scoped, Effect.provide(TierStack.layer(faultyTier(new Faults())))),
)
