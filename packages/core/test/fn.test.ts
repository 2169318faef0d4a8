/** `Larder.fn`: a function in, a cached function of the same shape out. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack } from "@larder/core"
import { Effect, Schema } from "effect"

const value = Schema.Finite
const policy = Policy.make({ freshFor: "1 minute" })

const inMemory = Effect.provide(TierStack.layer(MemoryTier.layer()), { local: true })

describe("a cached function", () => {
  it.effect("of one argument has that as its key", () =>
    Effect.gen(function* () {
      let calls = 0
      const length = yield* Larder.fn({ name: "length", value, policy })((word: string) =>
        Effect.sync(() => (calls += 1) + word.length),
      )
      expect(yield* length("milk")).toBe(5)
      expect(yield* length("milk")).toBe(5)
      expect(yield* length("tea")).toBe(5)
      expect(calls).toBe(2)
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("of several arguments without a key is refused, whatever the first one is", () =>
    Effect.gen(function* () {
      const sum = yield* Larder.fn({ name: "sum", value, policy })((a: number, b: number) =>
        Effect.succeed(a + b),
      )
      expect(yield* Effect.flip(sum(1, 2))).toMatchObject({ _tag: "InvalidKey" })
      const none = yield* Larder.fn({ name: "none", value, policy })(() => Effect.succeed(1))
      expect(yield* Effect.flip(none())).toMatchObject({ _tag: "InvalidKey" })
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("has the key that is made of its arguments", () =>
    Effect.gen(function* () {
      let calls = 0
      const sum = yield* Larder.fn({
        name: "sum",
        value,
        policy,
        key: (a: number, b: number) => `${a}+${b}`,
      })((a: number, b: number) => Effect.sync(() => ((calls += 1), a + b)))
      expect(yield* sum(1, 2)).toBe(3)
      expect(yield* sum(2, 2)).toBe(4)
      expect(yield* sum(1, 2)).toBe(3)
      expect(calls).toBe(2)
    }).pipe(Effect.scoped, inMemory),
  )
})
