/** Failures that are remembered: which ones, for how long, by whom. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Layer, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyShared } from "./support/faultyTier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  "memory and shared": () => TierStack.layer(MemoryTier.layer(), faultyShared(new Faults())),
  "memory and file": () => TierStack.layer(MemoryTier.layer(), fileLayer(new Faults())),
  shared: () => TierStack.layer(faultyShared(new Faults())),
}

interface Asked {
  count: number
  upstream: Effect.Effect<number, string>
}

const make = (
  asked: Asked,
  options: Partial<Larder.BaseOptions<number, string, string, never>> = {},
) =>
  Larder.make({
    name: "failures",
    value: Schema.Finite,
    tags: () => ["t"],
    upstream: Upstream.make({
      lookup: (_: string) =>
        Effect.suspend(() => {
          asked.count += 1
          return asked.upstream
        }),
    }),
    policy: Policy.make({
      freshFor: "10 seconds",
      staleIfError: "1 hour",
      retryAfterFailure: "1 minute",
    }),
    ...options,
  })

const test = (
  title: string,
  stack: () => Layer.Layer<TierStack.TierStack>,
  body: Effect.Effect<void, unknown, TierStack.TierStack | Scope.Scope>,
) =>
  it.effect(title, () =>
    Effect.andThen(
      TestClock.setTime(1_790_000_000_000),
      body.pipe(Effect.scoped, Effect.provide(stack())),
    ),
  )

type Failing = Larder.Larder<string, number, string>

const detaching = {
  remove: (larder: Failing) => larder.remove("k"),
  expire: (larder: Failing) => larder.expire("k"),
  clear: (larder: Failing) => larder.clear(),
}

for (const [stackName, stack] of Object.entries(stacks)) {
  for (const [change, detach] of Object.entries(detaching)) {
    test(
      `law 7: a lookup that fails after ${change} leaves no failure to those who come later, ${stackName}`,
      stack,
      Effect.gen(function* () {
        const asked: Asked = { count: 0, upstream: Effect.delay(Effect.fail("down"), 100) }
        const larder = yield* make(asked, { failureFor: () => "1 minute" })
        const before = yield* fork(Effect.exit(larder.get("k")))
        yield* TestClock.adjust(50)
        yield* detach(larder)
        yield* TestClock.adjust(50)
        expect(yield* Fiber.join(before)).toEqual(Exit.fail("down"))
        asked.upstream = Effect.succeed(7)
        expect(yield* larder.get("k")).toBe(7)
      }),
    )
  }

  test(
    `law 7: a success ends what is remembered of a failure, also where its value has no life, ${stackName}`,
    stack,
    Effect.gen(function* () {
      const asked: Asked = { count: 0, upstream: Effect.fail("down") }
      const larder = yield* make(asked, {
        failureFor: () => "1 minute",
        policy: Policy.make({ freshFor: 0, staleIfError: 0 }),
      })
      for (const _ of [1, 2]) expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("down"))
      expect(asked.count).toBe(1)
      asked.upstream = Effect.succeed(7)
      expect(yield* larder.refresh("k")).toBe(7)
      expect(yield* larder.get("k")).toBe(7)
      expect(asked.count).toBe(3)
    }),
  )

  for (const change of ["expire", "clear"] as const) {
    test(
      `law 7: a refresh that fails after ${change} holds no later one back, ${stackName}`,
      stack,
      Effect.gen(function* () {
        const asked: Asked = { count: 0, upstream: Effect.succeed(1) }
        const larder = yield* make(asked)
        yield* larder.get("k")
        yield* TestClock.adjust("10 seconds")
        asked.upstream = Effect.delay(Effect.fail("down"), 100)
        const before = yield* fork(larder.get("k"))
        yield* TestClock.adjust(50)
        yield* detaching[change](larder)
        yield* TestClock.adjust(50)
        expect(yield* Fiber.join(before)).toBe(1)
        asked.upstream = Effect.succeed(7)
        expect(yield* larder.get("k")).toBe(7)
        expect(asked.count).toBe(3)
      }),
    )
  }
}

test(
  "law 17: of more than 10,000 remembered failures the oldest is forgotten",
  stacks.memory,
  Effect.gen(function* () {
    const asked: Asked = { count: 0, upstream: Effect.fail("down") }
    const larder = yield* make(asked, { failureFor: () => "1 hour" })
    const bound = 10_000
    for (let i = 0; i <= bound; i++) yield* Effect.exit(larder.get(`k${i}`))
    expect(asked.count).toBe(bound + 1)
    yield* Effect.exit(larder.get("k1"))
    expect(asked.count).toBe(bound + 1)
    yield* Effect.exit(larder.get("k0"))
    expect(asked.count).toBe(bound + 2)
  }),
)

it.effect(
  "law 3: a failed refresh of one node holds those of the others back for retryAfterFailure",
  () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const tier = Layer.succeedContext(yield* Layer.build(faultyShared(new Faults())))
      const stack = () => TierStack.layer(MemoryTier.layer(), tier)
      const ofA: Asked = { count: 0, upstream: Effect.fail("down") }
      const ofB: Asked = { count: 0, upstream: Effect.fail("down") }
      const a = yield* Effect.provide(make(ofA), stack())
      const b = yield* Effect.provide(make(ofB), stack())
      yield* a.set("k", 1)
      yield* TestClock.adjust("10 seconds")
      expect(yield* a.get("k")).toBe(1)
      expect(ofA.count).toBe(1)
      yield* TestClock.adjust("59999 millis")
      expect(yield* b.get("k")).toBe(1)
      expect(ofB.count).toBe(0)
      yield* TestClock.adjust(1)
      expect(yield* b.get("k")).toBe(1)
      expect(ofB.count).toBe(1)
    }).pipe(Effect.scoped),
)

it.effect(
  "law 7: another node's failure, heard of after a change of the key, holds no later refresh back",
  () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const faults = new Faults()
      const tier = Layer.succeedContext(yield* Layer.build(faultyShared(faults)))
      const stack = () => TierStack.layer(MemoryTier.layer(), tier)
      const ofA: Asked = { count: 0, upstream: Effect.fail("down") }
      const ofB: Asked = { count: 0, upstream: Effect.succeed(7) }
      const a = yield* Effect.provide(make(ofA), stack())
      const b = yield* Effect.provide(make(ofB), stack())
      yield* a.set("k", 1)
      yield* TestClock.adjust("10 seconds")
      expect(yield* a.get("k")).toBe(1)
      // B is told of A's failure while it expires the key, which ends what the arbiter remembers of it.
      faults.turn("slowAfter", "leases")
      const before = yield* fork(b.get("k"))
      yield* b.expire("k")
      yield* TestClock.adjust(50)
      expect(yield* Fiber.join(before)).toBe(1)
      faults.turn("none", "all")
      expect(yield* b.get("k")).toBe(7)
    }).pipe(Effect.scoped),
)
