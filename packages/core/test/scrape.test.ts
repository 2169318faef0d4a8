/** The metrics of a larder: those of the catalogue, where its stack can have them, and no others. */
import { assert, describe, it } from "@effect/vitest"
import { Larder, MemoryTier, Metrics, Policy, type Tier, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Layer, Metric, Schema, Scope } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { TestClock } from "effect/testing"
import { counters, gauges } from "./support/scraped.ts"

const memory = () => MemoryTier.layer({ maxWeight: 1_000 })
const shared = () => Layer.fresh(MemoryTier.layerShared) as Layer.Layer<Tier.Tier>

const make = (name = "scraped") =>
  Larder.make({
    name,
    value: Schema.Finite,
    upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }).pipe(
      Upstream.withCircuitBreaker(),
      Upstream.withConcurrency({ foreground: 2, background: 1, queue: 1 }),
    ),
    policy: Policy.make({ freshFor: "1 minute", staleIfError: "1 hour" }),
    objective: { youngerThan: "30 seconds", share: 0.99 },
    audit: {},
  })

const ownRegistry = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))

interface Family {
  readonly type: string
  readonly help: string
  readonly series: ReadonlyArray<ReadonlyMap<string, string>>
}

const labelsIn = (text: string): ReadonlyMap<string, string> =>
  new Map([...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!]))

/** The families of a page in the text format of Prometheus, by name. */
const familiesOf = (page: string): ReadonlyMap<string, Family> =>
  new Map(
    page.split(/^# HELP /m).flatMap((text): ReadonlyArray<[string, Family]> => {
      const [first = "", second = "", ...lines] = text.trimEnd().split("\n")
      const [name = "", ...help] = first.split(" ")
      if (name === "") return []
      const series = lines.map(labelsIn)
      return [[name, { type: second.split(" ").at(-1)!, help: help.join(" "), series }]]
    }),
  )

/** Metrics that `Detectors.layer` and a flusher of `WriteBehind` register. */
const elsewhere = new Set([
  "larder_anomaly",
  "larder_anomalies_total",
  "larder_outbox_writes",
  "larder_outbox_oldest_seconds",
  "larder_outbox_flushed_total",
])

const valuesOf = ({ series }: Family, label: string): ReadonlySet<string> =>
  new Set(series.flatMap((labels) => labels.get(label) ?? []))

describe("a scrape of a larder with every option and an arbiter", () => {
  const scraped = Effect.gen(function* () {
    yield* (yield* make()).get("milk")
    return { page: yield* PrometheusMetrics.format(), all: yield* Metric.snapshot }
  }).pipe(Effect.scoped, Effect.provide(TierStack.layer(memory(), shared())), ownRegistry)

  it.effect("has each metric of the catalogue, and no other", () =>
    Effect.gen(function* () {
      const names = [...familiesOf((yield* scraped).page).keys()]
      const expected = Metrics.catalogue.map(({ name }) => name)
      assert.deepStrictEqual(
        names.toSorted(),
        expected.filter((name) => !elsewhere.has(name)).toSorted(),
      )
    }),
  )

  it.effect("has its types, labels, values of labels, buckets, and help", () =>
    Effect.gen(function* () {
      const families = familiesOf((yield* scraped).page)
      for (const { buckets, help, labels, name, type } of Metrics.catalogue) {
        const family = families.get(name)
        if (family === undefined) continue
        assert.strictEqual(family.type, type, name)
        assert.strictEqual(family.help, help, name)
        const own = new Set(family.series.flatMap((labels) => [...labels.keys()]))
        const names = ["larder", ...labels.map((label) => label.name)]
        assert.deepStrictEqual(
          [...own].toSorted(),
          [...names, ...(buckets === undefined ? [] : ["le"])].toSorted(),
          name,
        )
        for (const { isOpen, name: label, values } of labels) {
          const there = valuesOf(family, label)
          const unknown = [...there].filter((value) => !values.includes(value))
          assert.deepStrictEqual(
            values.filter((value) => !there.has(value)),
            [],
            `${name} ${label}`,
          )
          if (!isOpen) assert.deepStrictEqual(unknown, [], `${name} ${label}`)
        }
        if (buckets !== undefined) {
          const bounds = [...valuesOf(family, "le")].filter((bound) => bound !== "+Inf").map(Number)
          assert.deepStrictEqual(bounds, [...buckets], name)
        }
      }
    }),
  )

  it.effect("has the units of the catalogue as an attribute, and not as a label", () =>
    Effect.gen(function* () {
      const { all, page } = yield* scraped
      const units = new Map(Metrics.catalogue.map(({ name, unit }) => [name, unit]))
      for (const { attributes, id } of all) {
        assert.strictEqual(attributes?.["unit"], units.get(id), id)
        assert.strictEqual(attributes?.["larder"], "scraped")
      }
      assert.notMatch(page, /unit="/)
    }),
  )
})

/** The lines with a value that a scrape of one larder has. */
const linesOver = (stack: Layer.Layer<TierStack.TierStack>) =>
  Effect.gen(function* () {
    yield* make()
    const page = yield* PrometheusMetrics.format()
    return page.split("\n").filter((line) => line !== "" && !line.startsWith("#"))
  }).pipe(Effect.scoped, Effect.provide(stack), ownRegistry)

describe("series of what a larder cannot have are not there", () => {
  const without = (name: string, ...metrics: ReadonlyArray<string>) =>
    it.effect(`over ${name}: no ${metrics.join(", ")}`, () =>
      Effect.gen(function* () {
        const stack =
          name === "memory alone"
            ? TierStack.layer(memory())
            : TierStack.layer(shared() as Layer.Layer<Tier.Tier>)
        const lines = yield* linesOver(stack)
        for (const metric of metrics) {
          assert.isFalse(
            lines.some((line) => line.startsWith(metric)),
            metric,
          )
        }
      }),
    )
  without(
    "memory alone",
    "larder_lease",
    "larder_tier",
    "larder_changes_pending",
    "larder_messages",
    "larder_undecodable",
  )
  without("a shared tier alone", "larder_entries", "larder_max_entries", "larder_weight")

  it.effect("a larder with memory and one more tier has at most 350", () =>
    Effect.gen(function* () {
      const lines = yield* linesOver(TierStack.layer(memory(), shared()))
      assert.isAtMost(lines.length, 350)
      assert.isAtLeast(lines.length, 250)
    }),
  )

  it.effect("no objective, no permits, no finite weight: none of their metrics", () =>
    Effect.gen(function* () {
      yield* Larder.make({
        name: "plain",
        upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
        policy: Policy.make({ freshFor: "1 minute" }),
      })
      const page = yield* PrometheusMetrics.format()
      for (const metric of ["objective", "queue_length", "max_weight", "larder_breaker"]) {
        assert.notInclude(page, metric)
      }
    }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())), ownRegistry),
  )
})

describe("larders of one name", () => {
  it.effect("add up, keep their totals when they close, and leave no gauge behind", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const one = yield* Scope.provide(make("same"), scope)
      const other = yield* make("same")
      yield* one.get("milk")
      yield* other.get("tea")
      assert.strictEqual((yield* gauges).get("larder_entries"), 2)
      // Each has the objective: it is no sum.
      assert.strictEqual((yield* gauges).get("larder_objective_ratio"), 0.99)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* gauges).get("larder_entries"), 1)
      assert.strictEqual((yield* counters).get("larder_lookups_total succeeded"), 2)
    }).pipe(Effect.scoped, Effect.provide(TierStack.layer(memory())), ownRegistry),
  )

  it.effect("two tiers of one name count once, together", () =>
    Effect.gen(function* () {
      const larder = yield* make()
      yield* larder.get("k")
      const { tierCounts } = yield* larder.stats
      const { nothing } = tierCounts["shared"]!.reads
      assert.strictEqual(nothing, 2)
      assert.strictEqual((yield* counters).get("larder_tier_reads_total shared nothing"), nothing)
    }).pipe(
      Effect.scoped,
      Effect.provide(TierStack.layer(memory(), shared(), shared())),
      ownRegistry,
    ),
  )

  it.effect("the bounds of memory are there once `resizeMemory` has set them", () =>
    Effect.gen(function* () {
      const larder = yield* make()
      assert.isUndefined((yield* gauges).get("larder_max_weight"))
      yield* larder.resizeMemory({ maxWeight: 10, maxEntries: 5 })
      assert.strictEqual((yield* gauges).get("larder_max_weight"), 10)
      assert.strictEqual((yield* gauges).get("larder_max_entries"), 5)
    }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())), ownRegistry),
  )
})

it.effect("the time in each state of a breaker counts, and that of a failed probe goes on", () =>
  Effect.gen(function* () {
    const mood = { isDown: true }
    const larder = yield* Larder.make({
      name: "breaking",
      upstream: Upstream.make({
        lookup: (_: string) =>
          Effect.suspend(() => (mood.isDown ? Effect.fail("down") : Effect.succeed(1))),
      }).pipe(Upstream.withCircuitBreaker({ key: "prices", openDuration: "10 seconds" })),
      policy: Policy.make({ freshFor: "1 second" }),
    })
    yield* TestClock.adjust("3 seconds")
    for (let i = 0; i < 5; i++) yield* Effect.exit(larder.get(`k${i}`))
    yield* TestClock.adjust("10 seconds")
    // A probe, which fails.
    yield* Effect.exit(larder.get("k"))
    yield* TestClock.adjust("4 seconds")
    const notClosed = "larder_breaker_not_closed_seconds prices"
    assert.strictEqual((yield* gauges).get(notClosed), 14)
    assert.strictEqual((yield* gauges).get("larder_breaker_state prices open"), 1)
    const seconds = "larder_breaker_state_seconds_total prices"
    assert.strictEqual((yield* counters).get(`${seconds} closed`), 3)
    assert.strictEqual((yield* counters).get(`${seconds} open`), 14)
    mood.isDown = false
    yield* TestClock.adjust("60 seconds")
    yield* larder.get("k")
    yield* TestClock.adjust("1 second")
    assert.strictEqual((yield* gauges).get(notClosed), 0)
    assert.strictEqual((yield* gauges).get("larder_breaker_state prices closed"), 1)
    assert.strictEqual((yield* counters).get(`${seconds} closed`), 4)
  }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer())), ownRegistry),
)
