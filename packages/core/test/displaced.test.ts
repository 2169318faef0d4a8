/** Laws 11 and 13 for a lookup that a newer one of its key has taken the place of. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyTier } from "./support/faultyTier.ts"

const stacks = {
  file: (faults: Faults) => TierStack.layer(fileLayer(faults)),
  "memory and file": (faults: Faults) => TierStack.layer(MemoryTier.layer(), fileLayer(faults)),
  "memory and shared": (faults: Faults) => TierStack.layer(MemoryTier.layer(), faultyTier(faults)),
} as const

const changes = {
  remove: (larder: Larder.Larder<string, number>) => larder.remove("k"),
  expire: (larder: Larder.Larder<string, number>) => larder.expire("k"),
  set: (larder: Larder.Larder<string, number>) => larder.set("k", 1_000),
} as const

const cases = Object.entries(stacks).flatMap(([name, stack]) =>
  Object.entries(changes).flatMap(([what, change]) =>
    (["slow", "hang"] as const).map((fault) => ({ name, stack, what, change, fault })),
  ),
)

describe("a lookup that was reading tiers when a clear came is never kept as fresh after a later change", () => {
  it.effect.each(cases)("$name, $what, the tier: $fault", ({ change, fault, stack, what }) => {
    const faults = new Faults()
    return Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      let asked = 0
      const larder = yield* Larder.make({
        name: "displaced",
        value: Schema.Finite,
        policy: Policy.make({ freshFor: "10 seconds", staleIfError: "1 minute" }),
        upstream: Upstream.make({
          lookup: (_: string) =>
            Effect.suspend(() => {
              asked += 1
              return Effect.delay(Effect.succeed(asked), asked === 1 ? 500 : 100)
            }),
        }),
      })
      faults.turn("slow", "reads")
      yield* Effect.forkChild(larder.get("k"), { startImmediately: true })
      yield* TestClock.adjust(10)
      yield* larder.clear()
      yield* Effect.forkChild(larder.get("k"), { startImmediately: true })
      yield* TestClock.adjust(290)
      // The older lookup is still running, and began after the clear.
      faults.turn(fault, fault === "hang" ? "all" : "reads")
      const changing = yield* Effect.forkChild(change(larder), { startImmediately: true })
      yield* TestClock.adjust(400)
      faults.turn("none", "all")
      yield* TestClock.adjust("8 seconds")
      expect(changing.pollUnsafe()).not.toBe(undefined)
      const { entry, freshness } = yield* larder.read("k")
      if (freshness._tag === "Fresh") expect([what, entry?.value]).toEqual(["set", 1_000])
    }).pipe(Effect.scoped, Effect.provide(stack(faults)))
  })
})
