import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Metric, PubSub, Schema, Scope, Stream, Tracer } from "effect"
import { counters, gauges } from "./support/scraped.ts"

const make = Larder.make({
  name: "lengths",
  upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
  policy: Policy.make({ freshFor: "10 seconds" }),
})

const memory = () => TierStack.layer(MemoryTier.layer())

it.effect("law 22: streams of events end with the larder, and at once after it", () =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const larder = yield* Scope.provide(make, scope)
    const listening = yield* Effect.forkChild(Stream.runCollect(larder.events), {
      startImmediately: true,
    })
    yield* larder.get("milk")
    yield* larder.get("milk")
    yield* Scope.close(scope, Exit.void)
    const events = yield* Fiber.join(listening)
    expect(events.map(({ _tag }) => _tag)).toEqual([
      "Opened",
      "Miss",
      "LookupStarted",
      "LookupSucceeded",
      "Committed",
      "Answered",
      "Hit",
    ])
    expect(yield* Stream.runCollect(larder.events)).toEqual([])
  }).pipe(Effect.provide(memory())),
)

it.effect("a slow subscriber loses events and is told how many; another loses none", () =>
  Effect.gen(function* () {
    const larder = yield* make
    const slow = yield* larder.subscribe
    const quick = yield* larder.subscribe
    yield* larder.get("milk")
    let seen = (yield* PubSub.takeAll(quick)).length
    const hits = 5_000
    for (let i = 0; i < hits; i++) {
      yield* larder.get("milk")
      if (i % 1_000 === 999) seen += (yield* PubSub.takeAll(quick)).length
    }
    expect(seen).toBe(6 + hits)
    const kept = yield* PubSub.takeAll(slow)
    yield* larder.get("milk")
    const [dropped, next] = yield* PubSub.takeAll(slow)
    expect(dropped).toMatchObject({ _tag: "Dropped", count: 6 + hits - kept.length })
    expect(next).toMatchObject({ _tag: "Hit" })
  }).pipe(Effect.scoped, Effect.provide(memory())),
)

it.effect("metrics are summed over larders of one name, and stay when they close", () =>
  Effect.gen(function* () {
    const used = Effect.scoped(
      Effect.gen(function* () {
        const larder = yield* make
        yield* larder.get("milk")
        yield* larder.get("milk")
      }),
    )
    yield* used
    yield* used
    const reads = [...(yield* counters)].flatMap(([series, count]) => {
      const [metric, ...labels] = series.split(" ")
      return metric === "larder_answers_total" ? [[labels.join(" "), count]] : []
    })
    expect(Object.fromEntries(reads)).toEqual({
      "memory fresh": 2,
      "memory stale": 0,
      "upstream fresh": 2,
      "upstream stale": 0,
      "none failed": 0,
    })
    // The size of a memory that has gone is no size of 0.
    expect(yield* gauges).toEqual(new Map())
  }).pipe(Effect.provide(memory()), Effect.provideService(Metric.MetricRegistry, new Map())),
)

it.effect(
  "metrics of larders that are open are summed as well, and gauges say what is there now",
  () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const [one, other] = [yield* Scope.provide(make, scope), yield* make]
      yield* one.get("milk")
      yield* other.get("tea")
      yield* other.get("milk")
      yield* other.get("milk")
      const read = Effect.zipWith(counters, gauges, (one, other) =>
        Object.fromEntries([...one, ...other]),
      )
      expect(yield* read).toMatchObject({
        "larder_answers_total memory fresh": 1,
        "larder_answers_total upstream fresh": 3,
        "larder_misses_total new": 3,
        "larder_lookups_total succeeded": 3,
        larder_entries: 3,
        larder_weight: 3,
        larder_lookups_in_flight: 0,
      })
      yield* Scope.close(scope, Exit.void)
      expect(yield* read).toMatchObject({
        "larder_answers_total memory fresh": 1,
        "larder_answers_total upstream fresh": 3,
        "larder_misses_total new": 3,
        larder_entries: 2,
      })
    }).pipe(
      Effect.scoped,
      Effect.provide(memory()),
      Effect.provideService(Metric.MetricRegistry, new Map()),
    ),
)

it.effect("stats of a stack without memory name its tiers alone", () =>
  Effect.gen(function* () {
    const { bounds, entries, tiers } = yield* (yield* Larder.make({
      name: "lengths",
      value: Schema.Finite,
      upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
      policy: Policy.make({ freshFor: "10 seconds" }),
    })).stats
    expect({ bounds, entries, tiers }).toEqual({ bounds: undefined, entries: 0, tiers: ["shared"] })
  }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layerShared))),
)

it.effect("one span for each lookup, under that of its caller; none for a hit", () =>
  Effect.gen(function* () {
    const spans: Array<Tracer.Span> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      },
    })
    yield* Effect.gen(function* () {
      const larder = yield* make
      yield* Effect.withSpan(larder.get("milk"), "request")
      yield* larder.get("milk")
    }).pipe(Effect.scoped, Effect.provide(memory()), Effect.withTracer(tracer))
    expect(spans.map(({ name }) => name)).toEqual(["request", "larder.lookup"])
    expect(spans[1].parent._tag === "Some" && spans[1].parent.value).toBe(spans[0])
    expect(spans[1].attributes.get("larder.name")).toBe("lengths")
  }),
)

it.effect("a larder that has just been made has counted nothing", () =>
  Effect.gen(function* () {
    const { bounds: _, ...stats } = yield* (yield* make).stats
    const counts = Object.values(stats).filter((stat) => typeof stat === "number")
    expect(counts).toEqual(counts.map(() => 0))
    expect(counts.length).toBeGreaterThan(14)
  }).pipe(Effect.scoped, Effect.provide(memory())),
)
