/** Values that a tier does not take: callers get them, and the log says that they are not kept, without showing them. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { Effect, Layer, Logger, References, Schema } from "effect"
import { TestClock } from "effect/testing"

const Even = Schema.Finite.check(Schema.isMultipleOf(2))

interface Line {
  readonly text: string
  readonly annotations: Readonly<Record<string, unknown>>
}

const logging = () => {
  const lines: Array<Line> = []
  const logger = Logger.make(({ fiber, logLevel, message }) => {
    if (logLevel !== "Warn") return
    const annotations = fiber.getRef(References.CurrentLogAnnotations)
    lines.push({ text: String(message), annotations })
  })
  return { lines, layer: Logger.layer([logger]) }
}

const make = (stack: Layer.Layer<TierStack.TierStack>) =>
  Larder.make({
    name: "evens",
    value: Even,
    upstream: Upstream.make({
      lookup: (key: string) => Effect.succeed(Number(key)),
      lookupMany: (keys) => Effect.succeed(new Map(Array.from(keys, (key) => [key, Number(key)]))),
    }),
    policy: Policy.make({ freshFor: "1 minute" }),
  }).pipe(Effect.provide(stack))

const shared = TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared))
const sharedAlone = TierStack.layer(Layer.fresh(MemoryTier.layerShared))
const small = TierStack.layer(MemoryTier.layer({ maxWeight: 100, weigh: (value) => Number(value) }))

/** A tier that takes nothing, and says how much it was. */
const refusing = Layer.succeed(Tier.Tier, {
  kind: "bytes",
  name: "tiny",
  scope: "machine",
  abilities: { notifies: false },
  open: ({ notify }) =>
    Effect.succeed({
      read: (keys) => Effect.succeed(keys.map(() => undefined)),
      put: (key, envelope) =>
        Effect.sync(() => {
          notify?.({ _tag: "Evicted", key, cause: "refused", bytes: envelope.length })
          return false
        }),
      drop: () => Effect.void,
      arbiter: undefined,
    }),
})

type Evens = Effect.Success<ReturnType<typeof make>>

const operations: Readonly<
  Record<string, (larder: Evens, key: string) => Effect.Effect<unknown, unknown>>
> = {
  get: (larder, key) => larder.get(key),
  getMany: (larder, key) => larder.getMany([key]),
  refresh: (larder, key) => larder.refresh(key),
  set: (larder, key) => larder.set(key, Number(key)),
}

describe("a value that a tier does not take", () => {
  for (const [what, stack, key, said] of [
    [
      "its schema refuses, shared behind memory",
      shared,
      "777001",
      /^evens: a value cannot be encoded as bytes, so shared does not store it/,
    ],
    [
      "its schema refuses, shared alone",
      sharedAlone,
      "777001",
      /^evens: a value cannot be encoded as bytes, so shared does not store it/,
    ],
    [
      "is over the bounds of memory",
      small,
      "777002",
      /^evens: memory refused a value that is heavier/,
    ],
    [
      "a tier refuses",
      TierStack.layer(MemoryTier.layer(), refusing),
      "777002",
      /^evens: tiny refused a value of 0.0 MB/,
    ],
  ] as const) {
    for (const [name, operation] of Object.entries(operations)) {
      it.effect(`is told in the log: ${what}, ${name}`, () =>
        Effect.gen(function* () {
          const { layer, lines } = logging()
          yield* Effect.scoped(
            Effect.flatMap(make(stack), (larder) =>
              Effect.andThen(operation(larder, key), TestClock.adjust(50)),
            ),
          ).pipe(Effect.provide(layer))
          const told = lines.filter(({ text }) => said.test(text))
          expect(told.length).toBeGreaterThan(0)
          expect(told[0]!.annotations).toMatchObject({ larder: "evens" })
          expect(JSON.stringify(lines)).not.toContain("77700")
        }),
      )
    }
  }

  it.effect("is told a few times, and then how often it was not", () =>
    Effect.gen(function* () {
      const { layer, lines } = logging()
      yield* Effect.scoped(
        Effect.flatMap(make(small), (larder) =>
          Effect.gen(function* () {
            for (let i = 0; i < 100; i++) yield* larder.get(String(1000 + 2 * i))
            expect(lines).toHaveLength(5)
            yield* TestClock.adjust("1 second")
            yield* larder.get("5000")
            expect(lines).toHaveLength(6)
            expect(lines[5]!.annotations).toMatchObject({ suppressed: 95 })
          }),
        ),
      ).pipe(Effect.provide(layer))
    }),
  )

  it.effect("what a tier takes is not told", () =>
    Effect.gen(function* () {
      const { layer, lines } = logging()
      for (const stack of [shared, sharedAlone, small]) {
        yield* Effect.scoped(Effect.flatMap(make(stack), (larder) => larder.get("2"))).pipe(
          Effect.provide(layer),
        )
      }
      expect(lines).toEqual([])
    }),
  )
})
