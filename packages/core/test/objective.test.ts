/** A freshness objective: which answers are within it, in the metrics and in `stats`. */
import { assert, describe, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Effect, Metric, Random } from "effect"
import { TestClock } from "effect/testing"
import { counters, gauges, histogramCounts } from "./support/scraped.ts"

const make = (objective: Larder.ObjectiveOptions | undefined, mood = { isDown: false }) =>
  Larder.make({
    name: "prices",
    upstream: Upstream.make({
      lookup: (key: string) =>
        Effect.suspend(() => (mood.isDown ? Effect.fail("down") : Effect.succeed(key.length))),
    }),
    policy: Policy.make({
      freshFor: "1 minute",
      staleIfError: "1 hour",
      retryAfterFailure: "1 second",
    }),
    objective,
  })

const alone = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() =>
    effect.pipe(
      Effect.scoped,
      Effect.provide(TierStack.layer(MemoryTier.layer())),
      Effect.provideService(Metric.MetricRegistry, new Map()),
    ),
  )

const within = "larder_answers_within_objective_total"

describe("the freshness objective", () => {
  it.effect("counts answers that are younger, and neither failed nor abandoned calls", () =>
    Effect.gen(function* () {
      const mood = { isDown: false }
      const larder = yield* make({ youngerThan: "2 minutes", share: 0.95 }, mood)
      assert.deepStrictEqual((yield* larder.stats).objective, {
        youngerThan: 120_000,
        share: 0.95,
        reached: undefined,
      })
      yield* larder.get("a")
      mood.isDown = true
      yield* TestClock.adjust("90 seconds")
      // Stale, and young enough.
      yield* larder.get("a")
      yield* TestClock.adjust("30 seconds")
      // Stale, and as old as the objective: not younger.
      yield* larder.get("a")
      yield* Effect.flip(larder.get("b"))
      assert.strictEqual((yield* counters).get(within), 2)
      assert.strictEqual((yield* histogramCounts).get("larder_answer_age_seconds"), 3)
      assert.strictEqual((yield* larder.stats).objective?.reached, 2 / 4)
      assert.strictEqual((yield* gauges).get("larder_objective_seconds"), 120)
      assert.strictEqual((yield* gauges).get("larder_objective_ratio"), 0.95)
    }).pipe(alone),
  )

  it.effect("counts hits of memory by the sample", () =>
    Effect.gen(function* () {
      const larder = yield* make({ youngerThan: "30 seconds", share: 0.9 })
      yield* larder.get("a")
      for (let i = 0; i < 2_000; i++) yield* larder.get("a")
      yield* TestClock.adjust("40 seconds")
      for (let i = 0; i < 2_000; i++) yield* larder.get("a")
      const reached = (yield* larder.stats).objective?.reached ?? 0
      assert.isBelow(Math.abs(reached - 0.5), 0.05)
      const answers = (yield* counters).get("larder_answers_total memory fresh")!
      const ages = (yield* histogramCounts).get("larder_answer_age_seconds")!
      assert.strictEqual(answers, 4_000)
      assert.isBelow(answers + 1 - ages, 128)
    }).pipe(alone),
  )

  it.effect("is not there where none is set", () =>
    Effect.gen(function* () {
      const larder = yield* make(undefined)
      yield* larder.get("a")
      assert.isUndefined((yield* larder.stats).objective)
      assert.isFalse((yield* counters).has(within))
    }).pipe(alone),
  )

  it.effect(
    "may be as long as the policy lets values be served, and longer for an adaptive one",
    () =>
      Effect.gen(function* () {
        yield* make({ youngerThan: "61 minutes", share: 0.5 })
        yield* Larder.make({
          name: "adaptive",
          upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }),
          policy: Policy.adaptive(Policy.make({ freshFor: "1 second" }), (_, __, base) => base),
          objective: { youngerThan: "1 hour", share: 0.5 },
        })
      }).pipe(alone),
  )
})

it.effect("an unknown name in it is refused, with the known ones", () =>
  Effect.gen(function* () {
    const objective = { youngerThan: "1 second", part: 0.9 } as never
    const defect = yield* Effect.flip(Effect.sandbox(make(objective)))
    assert.include(
      String(Cause.squash(defect)),
      'objective.part of "prices" is an unknown option; the options are youngerThan and share',
    )
  }).pipe(alone),
)

it.effect("law 21: measuring ages draws nothing of the larder's Random", () =>
  Effect.gen(function* () {
    let draws = 0
    const random = yield* Random.Random
    const counted: typeof random = {
      ...random,
      nextDoubleUnsafe: () => {
        draws += 1
        return random.nextDoubleUnsafe()
      },
      nextIntUnsafe: () => {
        draws += 1
        return random.nextIntUnsafe()
      },
    }
    const larder = yield* Effect.provideService(
      make({ youngerThan: "30 seconds", share: 0.9 }),
      Random.Random,
      counted,
    )
    const before = draws
    for (let i = 0; i < 1_000; i++) yield* larder.get("a")
    assert.strictEqual(draws, before)
    assert.isAbove((yield* histogramCounts).get("larder_answer_age_seconds")!, 500)
  }).pipe(alone),
)
