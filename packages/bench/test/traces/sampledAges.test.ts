/**
 * Ages of plain hits are sampled: of one in 64 on average, and each stands for all hits since the one
 * before. Over many hits, the sampled distribution is that of the ages of all answers.
 */
import { Larder, MemoryTier, Metrics, Policy, TierStack, Upstream } from "@larder/core"
import type { Trace } from "@larder/traces"
import { Clock, Effect, Metric } from "effect"
import { expect, it } from "vitest"
import { sources } from "./recordings.ts"

/** A clock that this test alone moves, and in which nobody sleeps. */
class ManualClock implements Clock.Clock {
  now = 1_790_000_000_000
  currentTimeMillisUnsafe(): number {
    return this.now
  }
  readonly currentTimeMillis = Effect.sync(() => this.now)
  currentTimeNanosUnsafe(): bigint {
    return BigInt(this.now) * 1_000_000n
  }
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  monotonicTimeNanosUnsafe(): bigint {
    return this.currentTimeNanosUnsafe()
  }
  readonly monotonicTimeNanos = this.currentTimeNanos
  sleep(): Effect.Effect<void> {
    return Effect.never
  }
}

const buckets = Metrics.catalogue.find(({ name }) => name === "larder_answer_age_seconds")!.buckets!

/** 20 requests a second, of which a value is good for 5 minutes. */
const millisPerRequest = 50
const freshFor = "5 minutes"

/** Fewer hits leave the few sampled ones to chance: with a million there are about 15,000. */
const leastHits = 1_000_000

const total = (counts: ReadonlyArray<number>): number => counts.reduce((sum, n) => sum + n, 0)

/** The share of the answers up to each age: of all of them, and of the sample. */
const replayed = ({ keys, requests }: Trace, name: string) =>
  Effect.gen(function* () {
    const clock = new ManualClock()
    const larder = yield* Larder.make({
      name,
      upstream: Upstream.make({ lookup: (_: string) => Effect.sync(() => clock.now) }),
      policy: Policy.make({ freshFor, staleWhileRevalidate: "1 minute" }),
    }).pipe(
      Effect.provide(TierStack.layer(MemoryTier.layer({ maxEntries: 3_000 }))),
      Effect.provideService(Clock.Clock, clock),
    )
    // By bucket; the last one is for ages above all bounds.
    const exact = [...buckets, Infinity].map(() => 0)
    let answers = 0
    const answered = (storedAt: number) => {
      answers += 1
      const age = (clock.now - storedAt) / 1_000
      const place = buckets.findIndex((bound) => age <= bound)
      exact[place < 0 ? buckets.length : place]! += 1
    }
    while ((yield* larder.stats).hits < leastHits) {
      for (const place of requests) {
        answered(yield* larder.get(keys[place]!))
        clock.now += millisPerRequest
      }
    }
    const sampled = (yield* Metric.snapshot).find(({ id }) => id === "larder_answer_age_seconds")
    const state = sampled!.state as {
      readonly count: number
      readonly buckets: ReadonlyArray<[number, number]>
    }
    return {
      exact: buckets.map((_, i) => total(exact.slice(0, i + 1)) / answers),
      sampled: state.buckets.map(([, count]) => count / state.count),
    }
  }).pipe(Effect.scoped, Effect.provideService(Metric.MetricRegistry, new Map()))

it.each(sources.map((source) => [source.name, source] as const))(
  "the sampled ages are within 1 percentage point of the exact ones: %s",
  async (name, { load }) => {
    const { trace } = await Effect.runPromise(load)
    const { exact, sampled } = await Effect.runPromise(replayed(trace, name))
    const off = exact.map((share, i) => Math.abs(share - sampled[i]!) * 100)
    console.log(`${name}: at most ${Math.max(...off).toFixed(2)} percentage points off`)
    expect(Math.max(...off)).toBeLessThan(1)
  },
  120_000,
)
