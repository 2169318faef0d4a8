/** User code that throws, asks back, or answers nonsense: contained, and the key is free again. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Effect, Exit, Layer, Schema } from "effect"

const stacks = {
  memory: () => TierStack.layer(MemoryTier.layer()),
  "memory and shared": () =>
    TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared)),
}

const base = {
  name: "hostile",
  value: Schema.Finite,
  policy: Policy.make({ freshFor: "1 minute" }),
}

const upstream = (lookup: (n: number) => Effect.Effect<number, string>) => {
  let asked = 0
  return Upstream.make({ lookup: (_: string) => Effect.suspend(() => lookup((asked += 1))) })
}

const defect = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "no failure"

describe.each(Object.entries(stacks))("over %s", (_, stack) => {
  it.effect("a lookup may set, remove and read its own key", () =>
    Effect.gen(function* () {
      const made: Array<Larder.Larder<string, number, string>> = []
      const asking = Effect.gen(function* () {
        yield* made[0].set("a", 7)
        yield* made[0].remove("a")
        yield* made[0].set("a", 8)
        return 1
      }).pipe(Effect.orDie)
      const larder = yield* Larder.make({ ...base, upstream: upstream(() => asking) })
      made.push(larder)
      expect(yield* larder.get("a")).toBe(1)
      expect(yield* larder.get("a")).toBe(8)
    }).pipe(Effect.scoped, Effect.provide(stack())),
  )

  it.effect("a bulk lookup with keys too many, too few, or that is no Map", () =>
    Effect.gen(function* () {
      const larder = yield* Larder.make({
        ...base,
        upstream: Upstream.make({
          lookup: (key: string) => Effect.succeed(key.length),
          lookupMany: (keys) =>
            keys.includes("none")
              ? Effect.succeed(undefined as unknown as Map<string, number>)
              : Effect.succeed(new Map([...keys.slice(1), "extra"].map((key) => [key, 1]))),
        }),
      })
      const exits = yield* larder.getMany(["aa", "b", "b", "c"])
      expect([...exits.keys()]).toEqual(["aa", "b", "c"])
      expect(defect(exits.get("aa")!)).toContain("returned no value")
      expect(exits.get("b")).toEqual(Exit.succeed(1))
      expect((yield* larder.read("extra")).freshness).toEqual({ _tag: "Missing" })
      expect(yield* larder.get("aa")).toBe(2)
      const none = yield* larder.getMany(["none"])
      expect(Exit.isFailure(none.get("none")!)).toBe(true)
      expect((yield* larder.getMany([])).size).toBe(0)
    }).pipe(Effect.scoped, Effect.provide(stack())),
  )
})
