/** Law 8: when the last caller of a lookup leaves, the lookup is interrupted, however it was begun. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { layer as scriptedTier, Script } from "./support/scriptedTier.ts"
import { Faults, fileLayer, layer as faultyTier } from "./support/faultyTier.ts"

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  "memory and shared": () => TierStack.layer(MemoryTier.layer(), faultyTier(new Faults())),
  shared: () => TierStack.layer(faultyTier(new Faults())),
  file: () => TierStack.layer(fileLayer(new Faults())),
} as const

const cases = Object.entries(stacks).flatMap(([name, stack]) =>
  [true, false].map((bulk) => ({ name, stack, bulk })),
)

describe("law 8: getMany of a key that a tier has and keys that are looked up", () => {
  it.effect.each(cases)(
    "$name (bulk $bulk): left, the lookups are interrupted",
    ({ bulk, stack }) =>
      Effect.gen(function* () {
        const state = { running: 0, interrupted: 0 }
        const slow = <A>(answer: A) =>
          Effect.suspend(() => {
            state.running += 1
            return Effect.onInterrupt(Effect.delay(Effect.succeed(answer), "1 second"), () =>
              Effect.sync(() => (state.interrupted += 1)),
            )
          })
        const larder = yield* Larder.make({
          name: "left",
          value: Schema.Finite,
          policy: Policy.make({ freshFor: "1 minute" }),
          upstream: Upstream.make({
            lookup: (_: string) => slow(1),
            ...(bulk
              ? { lookupMany: (keys) => slow(new Map(keys.map((key) => [key, 1]))) }
              : undefined),
          }),
        })
        yield* larder.set("there", 1)
        const asking = yield* Effect.forkChild(larder.getMany(["there", "a", "b"]), {
          startImmediately: true,
        })
        yield* TestClock.adjust(10)
        const lookups = bulk ? 1 : 2
        expect(state.running).toBe(lookups)
        asking.interruptUnsafe()
        yield* TestClock.adjust(10)
        expect(state.interrupted).toBe(lookups)
        expect((yield* larder.stats).inFlight).toBe(0)
      }).pipe(Effect.scoped, Effect.provide(stack())),
  )
})

describe("law 8: getMany that is left while another caller waits for one of its keys", () => {
  const leasing = Effect.sync(() => {
    const script = new Script()
    const slow = { leases: 0, commits: 0 }
    script.instead.acquireAll =
      (acquireAll) =>
      (...args) =>
        Effect.delay(acquireAll!(...args), slow.leases)
    script.instead.commitAll =
      (commitAll) =>
      (...args) =>
        Effect.delay(commitAll!(...args), slow.commits)
    const stack = TierStack.layer(MemoryTier.layer(), scriptedTier(script, "shared", "batches"))
    return { slow, stack }
  })

  it.effect.each([{ bulk: true }, { bulk: false }])(
    "looks up that key alone, and keeps nothing of the others (bulk $bulk)",
    ({ bulk }) =>
      Effect.gen(function* () {
        const { slow, stack } = yield* leasing
        const asked: Array<string> = []
        const larder = yield* Effect.provide(
          Larder.make({
            name: "left",
            value: Schema.Finite,
            policy: Policy.make({ freshFor: "1 minute" }),
            upstream: Upstream.make({
              lookup: (key: string) => Effect.sync(() => asked.push(key)),
              ...(bulk
                ? {
                    lookupMany: (keys) =>
                      Effect.sync(() => new Map(keys.map((key) => [key, asked.push(key)]))),
                  }
                : undefined),
            }),
          }),
          stack,
        )
        yield* larder.set("there", 1)
        slow.leases = 50
        const many = yield* Effect.forkChild(larder.getMany(["a", "b"]), { startImmediately: true })
        yield* TestClock.adjust(10)
        const other = yield* Effect.forkChild(larder.get("b"), { startImmediately: true })
        many.interruptUnsafe()
        yield* TestClock.adjust(100)
        yield* Fiber.join(other)
        expect(asked).toEqual(["b"])
        expect((yield* larder.read("a")).freshness._tag).toBe("Missing")
        // The lease of the other key was given back.
        yield* larder.get("a")
        expect(asked).toEqual(["b", "a"])
      }).pipe(Effect.scoped),
  )

  it.effect("no change of a key is undone by a lookup that was left", () =>
    Effect.gen(function* () {
      const { slow, stack } = yield* leasing
      const larder = yield* Effect.provide(
        Larder.make({
          name: "left",
          value: Schema.Finite,
          policy: Policy.make({ freshFor: "1 minute" }),
          upstream: Upstream.make({ lookup: (_: string) => Effect.delay(Effect.succeed(1), 20) }),
        }),
        stack,
      )
      yield* larder.set("there", 1)
      slow.leases = 50
      const many = yield* Effect.forkChild(larder.getMany(["a", "b"]), { startImmediately: true })
      yield* TestClock.adjust(10)
      const other = yield* Effect.forkChild(larder.get("b"), { startImmediately: true })
      many.interruptUnsafe()
      yield* TestClock.adjust(50)
      // Longer than a step may take: whether the arbiter has the value is not known then.
      slow.commits = 150
      yield* TestClock.adjust(30)
      const expiring = yield* Effect.forkChild(larder.expire("a"), { startImmediately: true })
      yield* TestClock.adjust(200)
      yield* Fiber.join(expiring)
      yield* Fiber.join(other)
      expect((yield* larder.read("a")).freshness._tag).not.toBe("Fresh")
    }).pipe(Effect.scoped),
  )
})
