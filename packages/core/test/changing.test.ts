/** Changes of one key that overlap. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyShared } from "./support/faultyTier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const make = Larder.make({
  name: "overlapping",
  value: Schema.Finite,
  upstream: Upstream.make({ lookup: (_: string) => Effect.fail("down") }),
  policy: Policy.make({ freshFor: "10 minutes", staleIfError: "1 hour" }),
})

const stacks = { "memory and shared": faultyShared, "memory and file": fileLayer }

type Changed = Larder.Larder<string, number, string>

/** The value that remains after a change during its `set`. */
const changes = {
  remove: { apply: (larder: Changed) => larder.remove("k"), left: [undefined, "Missing"] },
  expire: { apply: (larder: Changed) => larder.expire("k"), left: [1, "Stale"] },
  "another set": { apply: (larder: Changed) => larder.set("k", 2), left: [2, "Fresh"] },
} as const

for (const [name, layer] of Object.entries(stacks)) {
  for (const [change, { apply, left }] of Object.entries(changes)) {
    it.effect(
      `law 13: of two changes at once memory keeps no guess: set and ${change}, ${name}`,
      () => {
        const tier = new Faults()
        return Effect.gen(function* () {
          yield* TestClock.setTime(1_790_000_000_000)
          const larder = yield* make
          yield* larder.read("k")
          // The set is applied first; its caller hears of it last.
          tier.turn("slowAfter", "writes")
          const set = yield* fork(larder.set("k", 1))
          tier.turn("none", "all")
          const changed = yield* fork(apply(larder))
          yield* TestClock.adjust(100)
          expect((yield* Fiber.join(changed)).settled).toBe(true)
          expect((yield* Fiber.join(set)).settled).toBe(true)
          const { entry, freshness } = yield* larder.read("k")
          expect([entry?.value, freshness._tag]).toEqual(left)
        }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer(), layer(tier))))
      },
    )
  }
}

it.effect(
  "law 18: a removal that the arbiter applies after a later set leaves nothing in memory",
  () => {
    const shared = new Faults()
    return Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const larder = yield* make
      yield* larder.read("k")
      shared.turn("slow", "writes")
      const removed = yield* fork(larder.remove("k"))
      shared.turn("none", "all")
      yield* larder.set("k", 1)
      yield* TestClock.adjust(100)
      expect((yield* Fiber.join(removed)).settled).toBe(true)
      expect((yield* larder.read("k")).freshness).toEqual({ _tag: "Missing" })
    }).pipe(
      Effect.scoped,
      Effect.provide(TierStack.layer(MemoryTier.layer(), faultyShared(shared))),
    )
  },
)
