/** A larder says where its entries are: one over nothing but default memory may have missed the stack that was meant for it. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Effect, Exit, Layer, Logger, References, Schema } from "effect"
import { Faults, fileLayer } from "./support/faultyTier.ts"

const make = (name: string) =>
  Larder.make({
    name,
    value: Schema.Finite,
    upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
    policy: Policy.make({ freshFor: "1 minute" }),
  })

/** The log lines while the effect runs, as level and text. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const lines: Array<readonly [level: string, text: string]> = []
    const logger = Logger.make(({ logLevel, message }) => {
      lines.push([logLevel, String(message)])
    })
    yield* effect.pipe(
      Effect.provide(Logger.layer([logger])),
      Effect.provideService(References.MinimumLogLevel, "All"),
    )
    return lines
  })

const memory = (options?: MemoryTier.Options) => TierStack.layer(MemoryTier.layer(options))

let names = 0

/** Each name is told once in a process, in which this file may run again. */
const newName = (name: string) => `${name}-${(names += 1)}`

it.effect("a larder whose stack was provided elsewhere says that it has memory alone, once", () =>
  Effect.gen(function* () {
    const forgotten = newName("forgotten")
    const behind = TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared))
    const lines = yield* logged(
      Effect.gen(function* () {
        yield* Effect.provide(make(newName("behind")), behind)
        yield* make(forgotten)
        yield* make(forgotten)
      }),
    )
    expect(lines).toHaveLength(1)
    const [level, text] = lines[0] ?? []
    // Most such larders are meant: at a level that the default logger prints it would be noise.
    expect(level).toBe("Debug")
    expect(text).toMatch(
      new RegExp(`^${forgotten}: .*only in memory.*provide their TierStack where`),
    )
  }).pipe(Effect.scoped, Effect.provide(memory())),
)

it.effect("a larder whose memory has bounds of its own says nothing", () =>
  Effect.gen(function* () {
    expect(yield* logged(make(newName("chosen")))).toEqual([])
  }).pipe(Effect.scoped, Effect.provide(memory({ maxEntries: 500 }))),
)

const stacks = {
  memory: [memory(), "process", { maxEntries: 10_000, maxWeight: Infinity }],
  "bounded memory": [memory({ maxEntries: 5 }), "process", { maxEntries: 5, maxWeight: Infinity }],
  "two memories": [
    TierStack.layer(MemoryTier.layer(), MemoryTier.layer()),
    "process",
    { maxEntries: 10_000, maxWeight: Infinity },
  ],
  "memory and file": [
    TierStack.layer(MemoryTier.layer({ maxWeight: 9 }), fileLayer(new Faults())),
    "machine",
    { maxEntries: 10_000, maxWeight: 9 },
  ],
  "file and shared": [
    TierStack.layer(fileLayer(new Faults()), Layer.fresh(MemoryTier.layerShared)),
    "shared",
    undefined,
  ],
} as const

for (const [name, [stack, reach, bounds]] of Object.entries(stacks)) {
  it.effect(`stats say how far entries reach, and what memory is held to: ${name}`, () =>
    Effect.gen(function* () {
      const larder = yield* make(name)
      expect(yield* larder.stats).toMatchObject({ reach, bounds })
    }).pipe(Effect.scoped, Effect.provide(stack)),
  )
}

it.effect("stats say what memory is held to after it was resized", () =>
  Effect.gen(function* () {
    const larder = yield* make("resized")
    yield* larder.resizeMemory({ maxEntries: 3 })
    expect((yield* larder.stats).bounds).toEqual({ maxEntries: 3, maxWeight: Infinity })
  }).pipe(Effect.scoped, Effect.provide(memory())),
)

it.effect("stats count what memory gave up to keep its bounds", () =>
  Effect.gen(function* () {
    const larder = yield* make("small")
    for (const word of ["milk", "tea", "bread"]) yield* larder.get(word)
    const { entries, evictions } = yield* larder.stats
    expect({ entries, evictions }).toEqual({ entries: 1, evictions: 2 })
  }).pipe(Effect.scoped, Effect.provide(memory({ maxEntries: 1, eviction: "lru" }))),
)

it.effect("a larder without a schema is refused where any tier of its stack keeps bytes", () =>
  Effect.gen(function* () {
    const shared = () => Layer.fresh(MemoryTier.layerShared)
    const stacks = [
      TierStack.layer(shared()),
      TierStack.layer(MemoryTier.layer(), shared()),
      TierStack.layer(MemoryTier.layer(), MemoryTier.layer()),
    ]
    for (const stack of stacks) {
      const exit = yield* Effect.exit(
        Larder.make({
          name: "bare",
          upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
          policy: Policy.make({ freshFor: "1 minute" }),
        }).pipe(Effect.provide(stack)),
      )
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({
        _tag: "InvalidOptions",
        module: "Larder",
        field: "value",
      })
    }
  }).pipe(Effect.scoped),
)
