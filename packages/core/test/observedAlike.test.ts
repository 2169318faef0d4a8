/** Law 21: the same seed gives the same events, one for one, whoever observes the larder. */
import { assert, it } from "@effect/vitest"
import {
  EarlyRefresh,
  Instrument,
  KeyDisplay,
  Larder,
  type LarderEvent,
  LogEvents,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import { Effect, Layer, Random, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Faults, faults, layer as faultyShared, reaches } from "./support/faultyTier.ts"
import { Outside } from "./support/outside.ts"
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
}

/** The events of one random program. */
const eventsOf = (own: number, { layer, subscribe }: Observing) => {
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
    }
    faulty.turn("none", "all")
    yield* TestClock.adjust("3 minutes")
  }).pipe(
    Effect.provide([
      TierStack.layer(MemoryTier.layer({ maxEntries: 3 }), faultyShared(faulty)),
      layer,
    ]),
    Effect.provideService(Instrument.Instrument, { event: (event) => events.push(event) }),
    Effect.scoped,
    Random.withSeed(String(own)),
  )
  return Effect.as(program, events)
}

const nobody: Observing = { layer: Layer.empty, subscribe: false }

const observed = Array.from({ length: 8 }, (_, i) => seed + i).map((own) => [own] as const)

it.effect.each(observed)("with seed %d, with logs and subscribers and without", ([own]) =>
  Effect.gen(function* () {
    const plain = yield* Effect.provide(eventsOf(own, nobody), TestClock.layer())
    assert.isAbove(plain.length, 200)
    assert.isTrue(plain.some(({ _tag }) => _tag === "StampedeDetected"))
    const outside = new Outside()
    const watched = yield* eventsOf(own, { layer: LogEvents.layer(), subscribe: true }).pipe(
      Effect.provideService(KeyDisplay.KeyDisplay, "hashed"),
      outside.around,
      Effect.provide(TestClock.layer()),
    )
    assert.isAbove(outside.lines.length, 10)
    assert.isAbove(outside.spans.length, 10)
    assert.deepStrictEqual(watched, plain)
  }),
)
