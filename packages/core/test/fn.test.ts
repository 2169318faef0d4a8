/** `Larder.fn`: a function in, a cached function of the same shape out. */
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
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
      const sum = yield* Larder.fn({ name: "sum", value, policy })(
        // @ts-expect-error two arguments are no key by themselves
        (a: number, b: number) => Effect.succeed(a + b),
      )
      expect(yield* Effect.flip(sum(1, 2))).toMatchObject({ _tag: "InvalidKey" })
      const none = yield* Larder.fn({ name: "none", value, policy })(
        // @ts-expect-error no argument is no key either
        () => Effect.succeed(1),
      )
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

describe("a cached function over memory alone", () => {
  it.effect("needs no schema, and returns what the function returns", () =>
    Effect.gen(function* () {
      const parsed = yield* Larder.fn({ name: "parsed", policy })((text: string) =>
        Effect.succeed(new URL(text)),
      )
      const url = yield* parsed("https://example.com/a")
      expectTypeOf(url).toEqualTypeOf<URL>()
      expect(url.pathname).toBe("/a")
      expect(yield* parsed("https://example.com/a")).toBe(url)
    }).pipe(Effect.scoped, inMemory),
  )

  it.effect("has tags, an etag and grace of its values and arguments", () =>
    Effect.gen(function* () {
      const cached = yield* Larder.fn({
        name: "tagged",
        policy,
        key: (id: string, currency: string) => `${id}/${currency}`,
        tags: (_: number, [id]) => [id],
        etag: (value: number, [, currency]) => `${value} ${currency}`,
      })((id: string, _: string) => Effect.succeed(id.length))
      yield* cached("milk", "EUR")
      const { entry } = yield* cached.larder.getWithMeta(["milk", "EUR"])
      expect([entry.tags, entry.etag]).toEqual([["milk"], "4 EUR"])
    }).pipe(Effect.scoped, inMemory),
  )
})

it.effect("an etag is taken with a schema as well", () =>
  Effect.gen(function* () {
    const cached = yield* Larder.fn({
      name: "etag",
      value,
      policy,
      etag: (value, [word]: readonly [string]) => `${word} ${value}`,
    })((word: string) => Effect.succeed(word.length))
    yield* cached("milk")
    expect((yield* cached.larder.getWithMeta(["milk"])).entry.etag).toBe("milk 4")
  }).pipe(Effect.scoped, inMemory),
)
