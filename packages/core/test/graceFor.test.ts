/** `graceFor`: errors that something stale must not hide. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Layer, Logger, Schema, type Scope } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyTier } from "./support/faultyTier.ts"

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  "memory and shared": () => TierStack.layer(MemoryTier.layer(), faultyTier(new Faults())),
  shared: () => TierStack.layer(faultyTier(new Faults())),
  "memory and file": () => TierStack.layer(MemoryTier.layer(), fileLayer(new Faults())),
} as const

type Failing = "forbidden" | "down" | "defect" | "hangs" | undefined

/** A larder whose upstream fails as it is told; "forbidden" is not to be hidden. */
const make = (
  policy: Partial<Policy.Options> = {},
  extra: Partial<Larder.BaseOptions<number, string, string, never>> = {},
) =>
  Effect.gen(function* () {
    const state = { failing: undefined as Failing, asked: 0 }
    const answer = Effect.suspend((): Effect.Effect<number, string> => {
      state.asked += 1
      if (state.failing === "defect") return Effect.die("broken")
      if (state.failing === "hangs") return Effect.never
      return state.failing === undefined ? Effect.succeed(state.asked) : Effect.fail(state.failing)
    })
    const larder = yield* Larder.make({
      name: "graced",
      value: Schema.Finite,
      policy: Policy.make({
        freshFor: "10 seconds",
        staleIfError: "1 hour",
        hardTimeout: "2 seconds",
        ...policy,
      }),
      upstream: Upstream.make({ lookup: (_: string) => answer }),
      graceFor: (error) => error !== "forbidden",
      ...extra,
    })
    return { larder, state }
  })

const reads = {
  get: (larder: Larder.Larder<string, number, string>) => larder.get("k"),
  getWithMeta: (larder: Larder.Larder<string, number, string>) =>
    Effect.map(larder.getWithMeta("k"), ({ value }) => value),
  getMany: (larder: Larder.Larder<string, number, string>) =>
    Effect.flatMap(larder.getMany(["k"]), (exits) => exits.get("k")!),
} as const

describe.each(Object.entries(stacks))("over %s", (_, stack) => {
  const within = <E>(body: Effect.Effect<void, E, TierStack.TierStack | Scope.Scope>) =>
    Effect.andThen(
      TestClock.setTime(1_790_000_000_000),
      body.pipe(Effect.scoped, Effect.provide([stack(), Logger.layer([])])),
    )

  it.effect.each(Object.entries(reads))(
    "in error grace %s gives the error, also while upstream is left alone",
    ([, read]) =>
      within(
        Effect.gen(function* () {
          const { larder, state } = yield* make()
          yield* read(larder)
          yield* TestClock.adjust("10 seconds")
          state.failing = "forbidden"
          for (let i = 0; i < 3; i++)
            expect(yield* Effect.exit(read(larder))).toEqual(Exit.fail("forbidden"))
          expect(state.asked).toBe(2)
          yield* TestClock.adjust("1 second")
          state.failing = "down"
          // Another failure gets its grace, the value is still there.
          expect(yield* read(larder)).toBe(1)
          yield* TestClock.adjust("1 second")
          state.failing = undefined
          expect(yield* read(larder)).toBe(4)
        }),
      ),
  )

  it.effect("in revalidate grace the error follows the refresh that met it, and stays", () =>
    within(
      Effect.gen(function* () {
        const { larder, state } = yield* make({ staleWhileRevalidate: "1 hour" })
        yield* larder.get("k")
        yield* TestClock.adjust("10 seconds")
        state.failing = "forbidden"
        expect(yield* larder.get("k")).toBe(1)
        yield* TestClock.adjust(10)
        expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("forbidden"))
        // Readers are not given the stale value and the error in turn.
        for (let i = 0; i < 5; i++) {
          yield* TestClock.adjust(600)
          expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("forbidden"))
        }
        state.failing = undefined
        yield* TestClock.adjust("1 second")
        const value = yield* larder.get("k")
        expect(value).toBeGreaterThan(1)
        state.failing = "down"
        yield* TestClock.adjust("11 seconds")
        expect(yield* larder.get("k")).toBe(value)
      }),
    ),
  )

  it.effect("a refresh that is denied leaves the entry as it was, and its error is seen next", () =>
    within(
      Effect.gen(function* () {
        const { larder, state } = yield* make({ staleWhileRevalidate: "1 hour" })
        yield* larder.get("k")
        yield* TestClock.adjust("11 seconds")
        const before = yield* larder.read("k")
        state.failing = "forbidden"
        expect(yield* Effect.exit(larder.refresh("k"))).toEqual(Exit.fail("forbidden"))
        expect(yield* larder.read("k")).toEqual(before)
        expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("forbidden"))
      }),
    ),
  )

  it.effect("a value that is fresh stays fresh when its refresh is denied", () =>
    within(
      Effect.gen(function* () {
        const { larder, state } = yield* make()
        yield* larder.get("k")
        state.failing = "forbidden"
        expect(yield* Effect.exit(larder.refresh("k"))).toEqual(Exit.fail("forbidden"))
        expect(yield* larder.get("k")).toBe(1)
      }),
    ),
  )

  it.effect.each(["defect", "hangs"] as const)("an upstream that %s always gets grace", (failing) =>
    within(
      Effect.gen(function* () {
        const { larder, state } = yield* make({}, { graceFor: () => false })
        yield* larder.get("k")
        yield* TestClock.adjust("10 seconds")
        state.failing = failing
        const waiting = yield* Effect.forkChild(larder.get("k"), { startImmediately: true })
        yield* TestClock.adjust("2 seconds")
        expect(waiting.pollUnsafe()).toEqual(Exit.succeed(1))
      }),
    ),
  )

  it.effect("an open breaker and a lookup that is shed always get grace", () =>
    within(
      Effect.gen(function* () {
        let isDown = false
        const larder = yield* Larder.make({
          name: "graced",
          value: Schema.Finite,
          policy: Policy.make({ freshFor: "10 seconds", staleIfError: "1 hour" }),
          upstream: Upstream.make({
            lookup: (key: string) =>
              key === "slow" ? Effect.never : isDown ? Effect.fail("down") : Effect.succeed(1),
          }).pipe(
            Upstream.withCircuitBreaker({ tripPolicy: CircuitBreaker.consecutive(1) }),
            Upstream.withConcurrency({ foreground: 1, queue: 0 }),
          ),
          graceFor: () => false,
        })
        yield* larder.get("k")
        yield* TestClock.adjust("10 seconds")
        const slow = yield* Effect.forkChild(larder.get("slow"), { startImmediately: true })
        yield* TestClock.adjust(1)
        expect(yield* larder.get("k")).toBe(1)
        slow.interruptUnsafe()
        yield* TestClock.adjust("1 second")
        isDown = true
        expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("down"))
        yield* TestClock.adjust("1 second")
        expect(yield* larder.get("k")).toBe(1)
      }),
    ),
  )

  it.effect("graceFor that throws, or gives no boolean, is as if it were not there", () =>
    within(
      Effect.gen(function* () {
        const answers: ReadonlyArray<() => boolean> = [
          () => {
            throw new Error("boom")
          },
          () => "no" as unknown as boolean,
        ]
        for (const graceFor of answers) {
          const { larder, state } = yield* make({}, { graceFor })
          yield* larder.remove("k")
          const value = yield* larder.get("k")
          yield* TestClock.adjust("10 seconds")
          state.failing = "down"
          expect(yield* larder.get("k")).toBe(value)
        }
      }),
    ),
  )
})

it.effect("an error that is denied grace on one node is not hidden on another", () =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1_790_000_000_000)
    const built = Layer.succeedContext(yield* Layer.build(faultyTier(new Faults())))
    const stack = () => TierStack.layer(MemoryTier.layer(), built)
    const a = yield* Effect.provide(make(), stack())
    const b = yield* Effect.provide(make(), stack())
    yield* a.larder.get("k")
    yield* b.larder.get("k")
    yield* TestClock.adjust("10 seconds")
    a.state.failing = "forbidden"
    b.state.failing = "forbidden"
    expect(yield* Effect.exit(a.larder.get("k"))).toEqual(Exit.fail("forbidden"))
    expect(yield* Effect.exit(b.larder.get("k"))).toEqual(Exit.fail("forbidden"))
  }).pipe(Effect.scoped),
)
