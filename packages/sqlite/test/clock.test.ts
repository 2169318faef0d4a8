/** Law 21 over a file: a clock that was ahead and is set back, while the process runs and between two of them. */
import { assert, describe, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { wallClock } from "../../core/test/support/wallClock.ts"
import { SqliteTier } from "../src/index.ts"
import { temporaryFile } from "./support/files.ts"
import { openOn } from "./support/stores.ts"

const someTime = 1_790_000_000_000
const tenHours = 36_000_000

const stacks = {
  file: (filename: string) => TierStack.layer(SqliteTier.layer({ filename })),
  "memory and file": (filename: string) =>
    TierStack.layer(MemoryTier.layer(), SqliteTier.layer({ filename })),
  "memory, file and shared": (filename: string) =>
    TierStack.layer(
      MemoryTier.layer(),
      SqliteTier.layer({ filename }),
      Layer.fresh(MemoryTier.layerShared),
    ),
}

type Answer = (n: number) => Effect.Effect<number, string>

const begin = Effect.gen(function* () {
  yield* TestClock.setTime(someTime)
  const wall = yield* wallClock
  wall.step(tenHours)
  return { filename: yield* temporaryFile, wall, correct: () => wall.step(-tenHours) }
})

/** One process from its start to its end, with its own clock. */
const during = <A, E>(
  clock: Clock.Clock,
  stack: Layer.Layer<TierStack.TierStack>,
  answer: Answer,
  use: (
    larder: Larder.Larder<string, number, string>,
    asked: () => number,
  ) => Effect.Effect<A, E, Scope.Scope>,
) =>
  Effect.scoped(
    Effect.gen(function* () {
      let asked = 0
      const larder = yield* Larder.make({
        name: "clock",
        value: Schema.Finite,
        policy: Policy.make({
          freshFor: "10 seconds",
          staleIfError: "20 seconds",
          retryAfterFailure: "2 seconds",
        }),
        upstream: Upstream.make({
          lookup: (_: string) => Effect.suspend(() => answer((asked += 1))),
        }),
      }).pipe(Effect.provideService(Clock.Clock, clock))
      return yield* use(larder, () => asked)
    }),
  ).pipe(Effect.provide(Layer.provide(stack, Layer.succeed(Clock.Clock, clock))))

for (const [name, stackOf] of Object.entries(stacks)) {
  describe(name, () => {
    it.effect("law 21: set back while the process runs: a value ends after its duration", () =>
      Effect.gen(function* () {
        const { correct, filename, wall } = yield* begin
        yield* during(wall.clock, stackOf(filename), Effect.succeed, (larder, asked) =>
          Effect.gen(function* () {
            yield* larder.get("k")
            correct()
            assert.strictEqual(yield* larder.get("k"), 1)
            yield* TestClock.adjust(9_999)
            assert.strictEqual(yield* larder.get("k"), 1)
            yield* TestClock.adjust(1)
            assert.strictEqual(yield* larder.get("k"), 2)
            assert.strictEqual(asked(), 2)
          }),
        )
      }).pipe(Effect.scoped),
    )

    it.effect(
      "law 21: set back before a restart: a value is asked for once, and ends in time",
      () =>
        Effect.gen(function* () {
          const { correct, filename, wall } = yield* begin
          yield* during(wall.clock, stackOf(filename), Effect.succeed, (larder) => larder.get("k"))
          correct()
          const answer: Answer = (n) => Effect.succeed(n + 10)
          yield* during(wall.again(), stackOf(filename), answer, (larder, asked) =>
            Effect.gen(function* () {
              assert.strictEqual(yield* larder.get("k"), 11)
              yield* TestClock.adjust(9_999)
              assert.strictEqual(yield* larder.get("k"), 11)
              yield* TestClock.adjust(1)
              assert.strictEqual(yield* larder.get("k"), 12)
              assert.strictEqual(asked(), 2)
            }),
          )
        }).pipe(Effect.scoped),
    )

    if (name === "memory, file and shared") return

    it.effect("law 21: set back before a restart: what failed before holds nothing back", () =>
      Effect.gen(function* () {
        const { correct, filename, wall } = yield* begin
        const once: Answer = (n) => (n === 1 ? Effect.succeed(1) : Effect.fail("down"))
        yield* during(wall.clock, stackOf(filename), once, (larder) =>
          Effect.gen(function* () {
            yield* larder.get("k")
            yield* TestClock.adjust("10 seconds")
            assert.strictEqual(yield* larder.get("k"), 1)
          }),
        )
        correct()
        yield* during(
          wall.again(),
          stackOf(filename),
          (n) => Effect.succeed(n + 10),
          (larder) =>
            Effect.gen(function* () {
              yield* larder.get("k")
              yield* TestClock.adjust("2 seconds")
              assert.strictEqual(yield* larder.get("k"), 11)
            }),
        )
      }).pipe(Effect.scoped),
    )
  })
}

it.effect("law 21: set back while the process runs: no lease and no row lasts for longer", () =>
  Effect.gen(function* () {
    const { correct, filename, wall } = yield* begin
    const { arbiter, put, text } = yield* openOn({ filename }).pipe(
      Effect.provideService(Clock.Clock, wall.clock),
    )
    const lease = { known: 0, leaseMillis: 10_000, force: false }
    yield* arbiter.acquire("leased", lease)
    yield* put("kept", "v", 1, 10_000)
    correct()
    yield* TestClock.adjust(9_999)
    assert.strictEqual((yield* arbiter.acquire("leased", lease))._tag, "Busy")
    assert.strictEqual(yield* text("kept"), "v")
    yield* TestClock.adjust(1)
    assert.strictEqual((yield* arbiter.acquire("leased", lease))._tag, "Won")
    assert.isUndefined(yield* text("kept"))
  }).pipe(Effect.scoped),
)
