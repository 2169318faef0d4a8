/** The answers of callers that join another caller's lookup, before it has settled or after. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Faults, layer as faultyShared } from "./support/faultyTier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const start = TestClock.setTime(1_790_000_000_000)

/** A larder whose lookups are numbered and take 100 ms. */
const make = (policy: Omit<Policy.Options, "freshFor"> = {}) => {
  let asked = 0
  return Effect.map(
    Larder.make({
      name: "joined",
      value: Schema.Finite,
      tags: () => ["t"],
      upstream: Upstream.make({
        lookup: (_: string) =>
          Effect.delay(
            Effect.sync(() => (asked += 1)),
            100,
          ),
      }),
      policy: Policy.make({ freshFor: "10 seconds", ...policy }),
    }),
    (larder) => ({ larder, asked: () => asked }),
  )
}

type Numbered = Larder.Larder<string, number>

const calls = {
  get: (larder: Numbered) => larder.get("k"),
  getWithMeta: (larder: Numbered) => Effect.map(larder.getWithMeta("k"), ({ value }) => value),
  getMany: (larder: Numbered) =>
    Effect.flatMap(larder.getMany(["k"]), (found) => found.get("k") ?? Effect.die("no answer")),
}

for (const [name, call] of Object.entries(calls)) {
  it.effect(`law 7: while a result settles no caller gets an older value: ${name}`, () => {
    const shared = new Faults()
    return Effect.gen(function* () {
      yield* start
      const { asked, larder } = yield* make({ staleWhileRevalidate: "1 minute" })
      const first = yield* fork(larder.get("k"))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(first)
      yield* TestClock.adjust(100)
      // In revalidate grace: without a demand of its own this caller would get value 1.
      shared.turn("slow", "writes")
      const demanding = yield* fork(larder.get("k", { stale: "never" }))
      yield* TestClock.adjust(100)
      expect(yield* Fiber.join(demanding)).toBe(2)
      // The commit of value 2 is on its way, memory still has value 1.
      expect(yield* call(larder)).toBe(2)
      yield* TestClock.adjust(50)
      expect(yield* call(larder)).toBe(2)
      expect(asked()).toBe(2)
    }).pipe(
      Effect.scoped,
      Effect.provide(TierStack.layer(MemoryTier.layer(), faultyShared(shared))),
    )
  })
}

it.effect("maxAge: a caller that joins a read of a tier is not given what is too old for it", () =>
  Effect.gen(function* () {
    yield* start
    const shared = new Faults()
    const tier = Layer.succeedContext(yield* Layer.build(faultyShared(shared)))
    const node = Effect.suspend(() =>
      Effect.provide(make(), TierStack.layer(MemoryTier.layer(), tier)),
    )
    const writer = yield* node
    yield* writer.larder.set("k", 100)
    yield* TestClock.adjust("5 seconds")
    const { asked, larder } = yield* node
    shared.turn("slow", "reads")
    const first = yield* fork(larder.get("k"))
    const joined = yield* fork(larder.get("k", { maxAge: "1 second" }))
    yield* TestClock.adjust(50)
    expect(yield* Fiber.join(first)).toBe(100)
    expect(joined.pollUnsafe()).toBe(undefined)
    yield* TestClock.adjust(200)
    expect(yield* Fiber.join(joined)).toBe(1)
    expect(asked()).toBe(1)
  }).pipe(Effect.scoped),
)

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  "memory and shared": () => TierStack.layer(MemoryTier.layer(), faultyShared(new Faults())),
  shared: () => TierStack.layer(faultyShared(new Faults())),
}

for (const [stackName, stack] of Object.entries(stacks)) {
  for (const [name, call] of Object.entries(calls)) {
    it.effect(
      `law 7: a caller waits for two lookups at most, however many marks come: ${name}, ${stackName}`,
      () =>
        Effect.gen(function* () {
          yield* start
          const { asked, larder } = yield* make()
          // Before the waiting caller is woken, the first one begins the next lookup and marks its tag.
          const leading = Effect.gen(function* () {
            yield* larder.get("k")
            yield* Effect.forkDetach(larder.get("k"), { startImmediately: true })
            yield* larder.invalidateTags(["t"])
          })
          yield* fork(leading)
          yield* TestClock.adjust(50)
          yield* larder.invalidateTags(["t"])
          const overtaken = yield* fork(call(larder))
          yield* TestClock.adjust(50)
          expect(overtaken.pollUnsafe()).toBe(undefined)
          yield* TestClock.adjust("1 second")
          expect(overtaken.pollUnsafe()).toEqual(Exit.succeed(2))
          expect(asked()).toBe(2)
        }).pipe(Effect.scoped, Effect.provide(stack())),
    )
  }
}

it.effect.each(Object.entries(calls))(
  "law 7: while the result of a refresh settles no caller gets the older one, fresh as it is: %s",
  ([, call]) => {
    const shared = new Faults()
    return Effect.gen(function* () {
      yield* start
      const { larder } = yield* make()
      const first = yield* fork(larder.get("k"))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(first)).toBe(1)
      shared.turn("slow", "writes")
      const refreshing = yield* fork(larder.refresh("k"))
      yield* TestClock.adjust(100)
      expect(yield* Fiber.join(refreshing)).toBe(2)
      expect(yield* call(larder)).toBe(2)
      yield* TestClock.adjust("1 second")
      expect(yield* call(larder)).toBe(2)
    }).pipe(
      Effect.scoped,
      Effect.provide(TierStack.layer(MemoryTier.layer(), faultyShared(shared))),
    )
  },
)

it.effect.each([
  ["is too old by its maxAge", { maxAge: 20 }, 2],
  ["takes it", { maxAge: 60 }, 1],
] as const)("maxAge: while a result settles, a caller for which it %s", ([, options, expected]) => {
  const shared = new Faults()
  return Effect.gen(function* () {
    yield* start
    const { larder } = yield* make({ staleWhileRevalidate: "1 minute" })
    shared.turn("slow", "writes")
    const first = yield* fork(larder.get("k"))
    yield* TestClock.adjust(100)
    expect(yield* Fiber.join(first)).toBe(1)
    // The commit of value 1 is still on its way.
    yield* TestClock.adjust(40)
    const caller = yield* fork(larder.get("k", options))
    yield* TestClock.adjust(1_000)
    expect(yield* Fiber.join(caller)).toBe(expected)
  }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer(), faultyShared(shared))))
})
