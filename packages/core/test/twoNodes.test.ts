/** Two nodes of one program over one shared tier: its order, its time, its leases. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Clock, Context, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** The stacks of two nodes, memory of their own, one shared tier. */
class StackA extends Context.Service<StackA, TierStack.TierStack["Service"]>()("test/StackA") {}
class StackB extends Context.Service<StackB, TierStack.TierStack["Service"]>()("test/StackB") {}

const stackAs = <Self>(tag: Context.Service<Self, TierStack.TierStack["Service"]>) =>
  Layer.effect(tag, TierStack.TierStack).pipe(
    Layer.provide(TierStack.layer(MemoryTier.layer(), MemoryTier.layerShared)),
  )

const stacks = () => Layer.fresh(Layer.mergeAll(stackAs(StackA), stackAs(StackB)))

const start = 1_790_000_000_000

const nodes = (title: string, body: Effect.Effect<void, unknown, StackA | StackB | Scope.Scope>) =>
  it.effect(title, () =>
    Effect.andThen(TestClock.setTime(start), body.pipe(Effect.scoped, Effect.provide(stacks()))),
  )

/** A clock that shows another time of day, and runs like the test's. */
const skewed = (millis: () => number) =>
  Effect.map(Effect.clockWith(Effect.succeed), (clock): Clock.Clock => ({
    ...clock,
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + millis(),
    currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + millis()),
  }))

const make = <Self>(
  node: Context.Service<Self, TierStack.TierStack["Service"]>,
  lookup: () => Effect.Effect<number, string>,
  options: { readonly schemaVersion?: number; readonly skewMillis?: () => number } = {},
) =>
  Effect.gen(function* () {
    const stack = yield* node
    const clock = yield* skewed(options.skewMillis ?? (() => 0))
    return yield* Larder.make({
      name: "nodes",
      value: Schema.Finite,
      upstream: Upstream.make({ lookup: (_: string) => Effect.suspend(lookup) }),
      policy: Policy.make({ freshFor: "10 seconds", staleIfError: "1 minute" }),
      schemaVersion: options.schemaVersion,
    }).pipe(
      Effect.provideService(TierStack.TierStack, stack),
      Effect.provideService(Clock.Clock, clock),
    )
  })

const counting = (millis: number) => {
  let asked = 0
  const lookup = () =>
    Effect.suspend(() => {
      asked += 1
      return Effect.delay(Effect.succeed(asked), millis)
    })
  return { lookup, asked: () => asked }
}

nodes(
  "law 7: two cold nodes, one lookup in all, the same value",
  Effect.gen(function* () {
    const { asked, lookup } = counting(300)
    const a = yield* make(StackA, lookup)
    const b = yield* make(StackB, lookup)
    const both = yield* fork(Effect.all([a.get("k"), b.get("k")], { concurrency: "unbounded" }))
    yield* TestClock.adjust("1 second")
    expect(yield* Fiber.join(both)).toEqual([1, 1])
    expect(asked()).toBe(1)
  }),
)

nodes(
  "law 10: a node that closes during a lookup gives its lease back",
  Effect.gen(function* () {
    const { asked, lookup } = counting(300)
    const scope = yield* Scope.make()
    const a = yield* Scope.provide(make(StackA, lookup), scope)
    const b = yield* make(StackB, lookup)
    yield* fork(Effect.exit(a.get("k")))
    yield* TestClock.adjust("10 millis")
    yield* Scope.close(scope, Exit.void)
    const second = yield* fork(b.get("k"))
    yield* TestClock.adjust("300 millis")
    expect(yield* Fiber.join(second)).toBe(2)
    expect(asked()).toBe(2)
  }),
)

for (const skewMillis of [300_000, -300_000]) {
  nodes(
    `law 20: a node's clock ${skewMillis} ms off: 10 s stay 10 s on both nodes, one lookup for a period`,
    Effect.gen(function* () {
      const { asked, lookup } = counting(0)
      const a = yield* make(StackA, lookup)
      const b = yield* make(StackB, lookup, { skewMillis: () => skewMillis })
      expect(yield* b.get("k")).toBe(1)
      expect(yield* a.get("k")).toBe(1)
      yield* TestClock.adjust("9999 millis")
      expect(yield* a.get("k")).toBe(1)
      expect(yield* b.get("k")).toBe(1)
      yield* TestClock.adjust("1 millis")
      expect(yield* b.get("k")).toBe(2)
      expect(yield* a.get("k")).toBe(2)
      expect(asked()).toBe(2)
    }),
  )

  nodes(
    `laws 11, 20: a node's clock ${skewMillis} ms off: a removal during its lookup is not undone by it`,
    Effect.gen(function* () {
      const { lookup } = counting(1_000)
      const a = yield* make(StackA, lookup)
      const b = yield* make(StackB, lookup, { skewMillis: () => skewMillis })
      const running = yield* fork(b.get("k"))
      yield* TestClock.adjust("500 millis")
      expect((yield* a.remove("k")).settled).toBe(true)
      yield* TestClock.adjust("500 millis")
      expect(yield* Fiber.join(running)).toBe(1)
      expect((yield* a.read("k")).freshness).toEqual({ _tag: "Missing" })
      expect((yield* b.read("k")).freshness).toEqual({ _tag: "Missing" })
    }),
  )

  nodes(
    `law 20: a node's clock is set by ${skewMillis} ms while it runs: what it adopts then lives as long as it should`,
    Effect.gen(function* () {
      const { asked, lookup } = counting(0)
      let skew = 0
      const a = yield* make(StackA, lookup)
      const b = yield* make(StackB, lookup, { skewMillis: () => skew })
      yield* b.get("another")
      skew = skewMillis
      expect(yield* a.get("k")).toBe(2)
      expect(yield* b.get("k")).toBe(2)
      yield* TestClock.adjust("9999 millis")
      expect(yield* b.get("k")).toBe(2)
      yield* TestClock.adjust("1 millis")
      expect(yield* b.get("k")).toBe(3)
      expect(asked()).toBe(3)
    }),
  )
}

nodes(
  "law 4: an adopted entry has the time that is left, not a new one",
  Effect.gen(function* () {
    const { asked, lookup } = counting(0)
    const a = yield* make(StackA, lookup)
    const b = yield* make(StackB, lookup)
    yield* a.get("k")
    yield* TestClock.adjust("9900 millis")
    expect(yield* b.get("k")).toBe(1)
    const { entry } = yield* b.read("k")
    expect(entry?.freshUntil).toBe(start + 10_000)
    yield* TestClock.adjust("100 millis")
    expect(yield* b.get("k")).toBe(2)
    expect(asked()).toBe(2)
  }),
)

nodes(
  "law 12: a clear by a node that is gone holds for those that come later",
  Effect.gen(function* () {
    const { lookup } = counting(0)
    const a = yield* make(StackA, lookup)
    yield* a.get("k")
    expect((yield* a.clear({ keepStale: false })).settled).toBe(true)
    const b = yield* make(StackB, lookup)
    expect((yield* b.read("k")).freshness).toEqual({ _tag: "Missing" })
    expect(yield* b.get("k")).toBe(2)
  }),
)

nodes(
  "law 16: two releases with different schemaVersion do not overwrite each other in turn",
  Effect.gen(function* () {
    const older = counting(0)
    const newer = counting(0)
    const a = yield* make(StackA, older.lookup, { schemaVersion: 1 })
    const b = yield* make(StackB, newer.lookup, { schemaVersion: 2 })
    for (let i = 0; i < 5; i++) {
      yield* a.get("k")
      yield* b.get("k")
      yield* TestClock.adjust("1 second")
    }
    // The older release hears of the newer one's value, cannot read it, and looks the key up once more.
    expect([older.asked(), newer.asked()]).toEqual([2, 1])
  }),
)
