/** Law 21: the same seed gives the same events, one for one, whoever observes the larder. */
import { assert, it } from "@effect/vitest"
import {
  Detectors,
  EarlyRefresh,
  Instrument,
  KeyDisplay,
  Larder,
  type LarderEvent,
  LogEvents,
  Policy,
  Upstream,
} from "@larder/core"
import { Effect, Layer, Metric, Random, Schema } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { TestClock } from "effect/testing"
import { Faults, faults, reaches } from "./support/faultyTier.ts"
import { Outside } from "./support/outside.ts"
import { stacks } from "./support/randomCalls.ts"
import { type Draw, drawing, seed } from "./support/seeded.ts"

const keys = ["a", "b", "c", "d", "e", "a\nb"]
const steps = 150

const fork = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.forkChild(Effect.exit(effect), { startImmediately: true })

const upstreamOf = (draw: Draw) => {
  const answer = (key: string): Effect.Effect<number, string> => {
    const after = draw(3) * 50
    if (draw(4) === 0) return Effect.delay(Effect.fail(`no ${key}`), after)
    return draw(9) === 0 ? Effect.never : Effect.delay(Effect.succeed(draw(100)), after)
  }
  return Upstream.make({
    lookup: (key: string) => Effect.suspend(() => answer(key)),
    lookupMany: (asked) =>
      Effect.map(
        Effect.suspend(() => answer("many")),
        (value) => new Map(asked.map((key) => [key, value] as const)),
      ),
  }).pipe(Upstream.withCircuitBreaker(), Upstream.withConcurrency({ foreground: 3, queue: 2 }))
}

/** What is set up besides the larder. */
interface Observing {
  readonly layer: Layer.Layer<never>
  /** Subscribes to the larder. */
  readonly subscribe: boolean
  /** Runs after each step. */
  readonly afterStep: Effect.Effect<void>
}

type Stack = keyof typeof stacks

/** The events of one random program. */
const eventsOf = (own: number, stack: Stack, { afterStep, layer, subscribe }: Observing) => {
  const draw = drawing(own)
  const faulty = new Faults()
  const events: Array<LarderEvent.LarderEvent> = []
  const program = Effect.gen(function* () {
    yield* TestClock.setTime(1_790_000_000_000)
    const larder = yield* Larder.make({
      name: "observed",
      value: Schema.Finite,
      upstream: upstreamOf(draw),
      policy: Policy.make({
        freshFor: 300,
        jitter: 0.2,
        staleWhileRevalidate: draw(2) * 200,
        staleIfError: 2_000,
        earlyRefresh: EarlyRefresh.xfetch({ beta: 2 }),
        softTimeout: 60,
        hardTimeout: 200,
        retryAfterFailure: 50,
      }),
      tags: (value) => [value % 2 === 0 ? "even" : "odd"],
      stampedeCallers: 1,
    })
    if (subscribe) {
      yield* larder.subscribeTo({ hits: "sampled" })
      yield* larder.subscribeTo({ hits: "none" })
    }
    for (let i = 0; i < steps; i += 1) {
      const key = keys[draw(keys.length)]!
      if (draw(15) === 0) faulty.turn(faults[draw(faults.length)]!, reaches[draw(4)]!)
      const calls: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
        larder.get(key),
        larder.get(key),
        larder.getMany(keys),
        larder.refresh(key),
        larder.set(key, draw(100)),
        larder.remove(key),
        larder.invalidateTags("even"),
        larder.get(key, { maxAge: draw(200) }),
      ]
      yield* fork(calls[draw(calls.length)]!)
      yield* TestClock.adjust(draw(60) === 0 ? 40_000 : draw(4) * 25)
      yield* afterStep
    }
    faulty.turn("none", "all")
    yield* TestClock.adjust("3 minutes")
    yield* afterStep
  }).pipe(
    Effect.provide([stacks[stack](faulty), layer]),
    Effect.provideService(Instrument.Instrument, { event: (event) => events.push(event) }),
    Effect.scoped,
    Random.withSeed(String(own)),
  )
  return Effect.as(program, events)
}

const nobody: Observing = { layer: Layer.empty, subscribe: false, afterStep: Effect.void }

/** Reads all metrics now and then: chance of its own decides, which the larder does not share. */
const reading = (own: number) => {
  const draw = drawing(own + 1)
  const read = { snapshots: 0, scrapes: 0 }
  const snapshot = Effect.map(Metric.snapshot, (all) => {
    assert.isAbove(all.length, 50)
    read.snapshots += 1
  })
  const scrape = Effect.map(PrometheusMetrics.format(), (page) => {
    assert.include(page, "larder_answers_total")
    read.scrapes += 1
  })
  const afterStep = Effect.suspend(() => {
    const kind = draw(4)
    if (kind === 0) return snapshot
    return kind === 1 ? scrape : Effect.void
  })
  return { afterStep, read }
}

/** Events that only an observer asks for, or whose hooks may change what follows. */
const ofObservers: ReadonlySet<string> = new Set(["StampedeDetected", "AnomalyChanged", "Audited"])

const withoutObservers = (events: ReadonlyArray<LarderEvent.LarderEvent>) =>
  events.filter(({ _tag }) => !ofObservers.has(_tag))

const runs = (Object.keys(stacks) as ReadonlyArray<Stack>).flatMap((stack) =>
  Array.from({ length: 6 }, (_, i) => [stack, seed + i] as const),
)

const plainly = (own: number, stack: Stack) =>
  eventsOf(own, stack, nobody).pipe(
    Effect.provideService(Metric.MetricRegistry, new Map()),
    Effect.provide(TestClock.layer()),
  )

it.effect.each(runs)("over %s, seed %d, with logs and subscribers and without", ([stack, own]) =>
  Effect.gen(function* () {
    const plain = yield* plainly(own, stack)
    assert.isAbove(plain.length, 200)
    assert.isTrue(plain.some(({ _tag }) => _tag === "StampedeDetected"))
    const outside = new Outside()
    const observing = { ...nobody, layer: LogEvents.layer(), subscribe: true }
    const watched = yield* eventsOf(own, stack, observing).pipe(
      Effect.provideService(KeyDisplay.KeyDisplay, "hashed"),
      outside.around,
      Effect.provide(TestClock.layer()),
    )
    assert.isAbove(outside.lines.length, 10)
    assert.isAbove(outside.spans.length, 10)
    assert.deepStrictEqual(watched, plain)
  }),
)

let anomalies = 0

it.effect.each(runs)(
  "over %s, seed %d, with metrics that are read, logs and detectors, and without any of them",
  ([stack, own]) =>
    Effect.gen(function* () {
      const plain = yield* plainly(own, stack)
      const outside = new Outside()
      const { afterStep, read } = reading(own)
      const watched = yield* eventsOf(own, stack, {
        layer: Layer.merge(
          LogEvents.layer(),
          Detectors.layer({ leastAnswers: 1, stampedeCallers: 1, steadyHitRatio: 1 }),
        ),
        subscribe: true,
        afterStep,
      }).pipe(
        outside.around,
        Effect.provideService(Metric.MetricRegistry, new Map()),
        Effect.provide(TestClock.layer()),
      )
      assert.isAbove(read.snapshots, 10)
      assert.isAbove(read.scrapes, 10)
      anomalies += watched.filter(({ _tag }) => _tag === "AnomalyChanged").length
      assert.deepStrictEqual(withoutObservers(watched), withoutObservers(plain))
    }),
)

it("the detectors of these runs have found something", () => {
  assert.isAtLeast(anomalies, 1)
})
