/** Law 11: a value that a change has overtaken is not kept; it is counted, and told as an event. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Layer, PubSub, Schema } from "effect"
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

/** Each lookup takes 100 ms. */
const make = (answer: Effect.Effect<number, string>, policy: Partial<Policy.Options> = {}) =>
  Larder.make({
    name: "superseded",
    value: Schema.Finite,
    upstream: Upstream.make({ lookup: (_: string) => Effect.delay(answer, 100) }),
    policy: Policy.make({ freshFor: "10 seconds", ...policy }),
  })

const start = TestClock.setTime(1_790_000_000_000)

describe.each(Object.entries(stacks))("%s", (_, stack) => {
  it.effect("a value that a removal overtakes is superseded, once", () =>
    Effect.gen(function* () {
      yield* start
      const larder = yield* make(Effect.succeed(1))
      const events = yield* larder.subscribe
      const first = yield* fork(larder.get("k"))
      yield* TestClock.adjust(50)
      yield* larder.remove("k")
      yield* TestClock.adjust(50)
      expect(yield* Fiber.join(first)).toBe(1)
      expect((yield* larder.read("k")).freshness).toEqual({ _tag: "Missing" })
      expect((yield* larder.stats).superseded).toBe(1)
      const told = (yield* PubSub.takeAll(events)).map(({ _tag }) => _tag)
      expect(told.filter((tag) => tag === "Superseded" || tag === "Committed")).toEqual([
        "Superseded",
      ])
    }).pipe(Effect.scoped, Effect.provide(stack())),
  )

  it.effect("a failure that a removal overtakes supersedes nothing", () =>
    Effect.gen(function* () {
      yield* start
      const larder = yield* make(Effect.fail("down"))
      const first = yield* fork(Effect.exit(larder.get("k")))
      yield* TestClock.adjust(50)
      yield* larder.remove("k")
      yield* TestClock.adjust(50)
      expect(yield* Fiber.join(first)).toEqual(Exit.fail("down"))
      expect((yield* larder.stats).superseded).toBe(0)
    }).pipe(Effect.scoped, Effect.provide(stack())),
  )

  it.effect("a value without a life is kept nowhere, and is not superseded", () =>
    Effect.gen(function* () {
      yield* start
      const larder = yield* make(Effect.succeed(1), { freshFor: 0 })
      const first = yield* fork(larder.get("k"))
      yield* TestClock.adjust(100)
      expect(yield* Fiber.join(first)).toBe(1)
      expect((yield* larder.read("k")).entry).toBe(undefined)
      expect((yield* larder.stats).superseded).toBe(0)
    }).pipe(Effect.scoped, Effect.provide(stack())),
  )

  it.effect(
    "law 3: a value that is kept ends the hold on refreshes that an earlier failure began",
    () =>
      Effect.gen(function* () {
        yield* start
        let asked = 0
        let isDown = false
        const larder = yield* make(
          Effect.suspend(() => {
            asked += 1
            return isDown ? Effect.fail("down") : Effect.succeed(asked)
          }),
          { staleIfError: "1 hour", retryAfterFailure: "1 minute" },
        )
        const get = Effect.gen(function* () {
          const fiber = yield* fork(larder.get("k"))
          yield* TestClock.adjust(100)
          return yield* Fiber.join(fiber)
        })
        expect(yield* get).toBe(1)
        yield* TestClock.adjust("10 seconds")
        isDown = true
        expect(yield* get).toBe(1)
        expect(asked).toBe(2)
        isDown = false
        const refreshed = yield* fork(larder.refresh("k"))
        yield* TestClock.adjust(100)
        expect(yield* Fiber.join(refreshed)).toBe(3)
        yield* TestClock.adjust("10 seconds")
        expect(yield* get).toBe(4)
      }).pipe(Effect.scoped, Effect.provide(stack())),
  )
})

it.effect("law 20: a value is superseded that another node's change overtakes", () =>
  Effect.gen(function* () {
    yield* start
    const tier = Layer.succeedContext(yield* Layer.build(faultyShared(new Faults())))
    const stack = () => TierStack.layer(MemoryTier.layer(), tier)
    const a = yield* Effect.provide(make(Effect.succeed(1)), stack())
    const b = yield* Effect.provide(make(Effect.succeed(2)), stack())
    const events = yield* a.subscribe
    const first = yield* fork(a.get("k"))
    yield* TestClock.adjust(50)
    yield* b.set("k", 7)
    yield* TestClock.adjust(50)
    expect(yield* Fiber.join(first)).toBe(1)
    expect((yield* a.stats).superseded).toBe(1)
    const told = (yield* PubSub.takeAll(events)).map(({ _tag }) => _tag)
    expect(told).toContain("Superseded")
    expect(told).not.toContain("Committed")
    // It is joined no more: the next caller gets what the arbiter has.
    expect(yield* a.get("k")).toBe(7)
  }).pipe(Effect.scoped),
)
