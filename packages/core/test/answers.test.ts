/** One answer, one count: every call ends in one event and in one counter, under random programs with faults. */
import { assert, describe, it } from "@effect/vitest"
import { Instrument, type Larder, type LarderEvent } from "@larder/core"
import { type Context, Effect, Exit, Fiber, Metric, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, faults, reaches } from "./support/faultyTier.ts"
import { type Node, callOf, changeOf, make, stacks } from "./support/randomCalls.ts"
import { counters } from "./support/scraped.ts"
import { drawing, seed } from "./support/seeded.ts"

type Told = LarderEvent.LarderEvent

const ends = ["Hit", "Answered", "StaleServed", "Failed", "Left"] as const
const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

const fork = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.forkChild(Effect.exit(effect), { startImmediately: true })

/** Counters and statistics of one moment: a fiber whose turn ends between two reads lets the larder go on. */
const countsOf = (larder: Node) =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.sync(() => Effect.runSyncWith(context)(Effect.zip(counters, larder.stats))),
  )

const neverFalls = (before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>) => {
  for (const [name, count] of before) {
    assert.isAtLeast(after.get(name) ?? 0, count, `${name} fell`)
  }
}

const sumOf = (counters: ReadonlyMap<string, number>, metric: string): number =>
  [...counters].reduce((sum, [name, n]) => (name.startsWith(`${metric} `) ? sum + n : sum), 0)

/** The series are those of `stats`, and add up to as much. */
const checkSeries = (counters: ReadonlyMap<string, number>, stats: Larder.Stats) => {
  for (const [source, { failed, fresh, stale }] of Object.entries(stats.answers)) {
    const outcomes = source === "none" ? { failed } : { fresh, stale }
    for (const [outcome, count] of Object.entries(outcomes)) {
      assert.strictEqual(counters.get(`larder_answers_total ${source} ${outcome}`), count)
    }
  }
  assert.strictEqual(sumOf(counters, "larder_stale_answers_total"), stats.staleServed)
  assert.strictEqual(sumOf(counters, "larder_failed_answers_total"), stats.failures)
  assert.strictEqual(sumOf(counters, "larder_misses_total"), stats.misses)
  assert.strictEqual(counters.get("larder_abandoned_total"), stats.abandoned)
  const { breakerOpen, invalidKey } = stats.failedAnswers
  assert.strictEqual(counters.get("larder_failed_answers_total breaker_open"), breakerOpen)
  assert.strictEqual(counters.get("larder_failed_answers_total invalid_key"), invalidKey)
}

const checkCounts = (stats: Larder.Stats, calls: number, told: ReadonlyArray<Told>) => {
  const counted = told.filter(({ _tag }) => ends.some((end) => end === _tag))
  const of = (tag: Told["_tag"]) => told.filter(({ _tag }) => _tag === tag).length
  const sources = Object.values(stats.answers)
  const outcome = (name: "fresh" | "stale" | "failed") =>
    sources.reduce((sum, source) => sum + source[name], 0)
  assert.strictEqual(counted.length, calls, "one event for each call")
  assert.strictEqual(outcome("fresh"), of("Hit") + of("Answered"), "fresh")
  assert.strictEqual(stats.hits, of("Hit"), "hits")
  assert.strictEqual(outcome("stale"), of("StaleServed"), "stale")
  assert.strictEqual(outcome("failed"), of("Failed"), "failed")
  assert.strictEqual(stats.abandoned, of("Left"), "abandoned")
  assert.strictEqual(total(stats.staleAnswers), outcome("stale"), "reasons of stale answers")
  assert.strictEqual(total(stats.failedAnswers), outcome("failed"), "reasons of failures")
  assert.strictEqual(total(stats.missesByCause), of("Miss") + of("Coalesced"), "misses")
}

const checkReasons = (stats: Larder.Stats, told: ReadonlyArray<Told>) => {
  const stale = { ...stats.staleAnswers }
  const failed = { ...stats.failedAnswers }
  const causes = { ...stats.missesByCause }
  for (const event of told) {
    if (event._tag === "StaleServed") stale[event.reason] -= 1
    if (event._tag === "Failed") failed[event.reason] -= 1
    if (event._tag === "Miss" || event._tag === "Coalesced") causes[event.cause] -= 1
  }
  for (const left of [stale, failed, causes]) {
    assert.deepStrictEqual(new Set(Object.values(left)), new Set([0]))
  }
}

const program = (from: number, stack: keyof typeof stacks) =>
  Effect.gen(function* () {
    const draw = drawing(from)
    const faulty = new Faults()
    const scope = yield* Scope.make()
    // Not a subscription: that ends with the larder, and calls of a closed larder are calls too.
    const told: Array<Told> = []
    const larder = yield* make(draw).pipe(
      Effect.provideService(Instrument.Instrument, { event: (event) => told.push(event) }),
      Effect.provide(stacks[stack](faulty)),
      Scope.provide(scope),
    )
    let calls = 0
    let before = yield* counters
    const running: Array<Fiber.Fiber<unknown, unknown>> = []
    const steps = 60
    const closesAt = steps - draw(10)
    for (let step = 0; step < steps; step++) {
      const kind = draw(10)
      if (step === closesAt) {
        yield* fork(Scope.close(scope, Exit.void))
      } else if (kind < 6) {
        const [owed, call] = callOf(larder, draw)
        calls += owed
        running.push(yield* fork(call))
      } else if (kind === 6) running.push(yield* fork(changeOf(larder, draw)))
      else if (kind === 7) yield* TestClock.adjust(draw(4) * 40)
      else if (kind === 8 && running.length > 0) {
        yield* Fiber.interrupt(running[draw(running.length)]!).pipe(fork)
      } else faulty.turn(faults[draw(faults.length)]!, reaches[draw(reaches.length)]!)
      const [after, stats] = yield* countsOf(larder)
      if (step < closesAt) checkSeries(after, stats)
      neverFalls(before, after)
      before = after
    }
    faulty.turn("none", "all")
    yield* TestClock.adjust("1 minute")
    for (const fiber of running) yield* Fiber.await(fiber)
    return { larder, told, calls }
  })

describe("every call ends in one event and one count", () => {
  for (const stack of Object.keys(stacks) as ReadonlyArray<keyof typeof stacks>) {
    for (let i = 0; i < 40; i++) {
      it.effect(`over ${stack}, seed ${seed + i}`, () =>
        Effect.gen(function* () {
          const { calls, larder, told } = yield* program(seed + i, stack)
          const stats = yield* larder.stats
          checkCounts(stats, calls, told)
          checkReasons(stats, told)
        }).pipe(Effect.scoped, Effect.provideService(Metric.MetricRegistry, new Map())),
      )
    }
  }
})
