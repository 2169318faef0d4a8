/** Laws of the metrics, under random programs with faults: what adds up to what, and what goes back to 0. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import {
  Instrument,
  Larder,
  type LarderEvent,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import { Effect, Exit, Fiber, Metric, Schedule, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, faults, reaches } from "./support/faultyTier.ts"
import { type Asked, type Node, callOf, changeOf, make, stacks } from "./support/randomCalls.ts"
import { counters, gauges, histogramCounts } from "./support/scraped.ts"
import { type Draw, drawing, seed } from "./support/seeded.ts"

type Series = ReadonlyMap<string, number>

const fork = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.forkChild(Effect.exit(effect), { startImmediately: true })

/** The sum of the series of a metric, or of those whose labels end so. */
const sumOf = (series: Series, metric: string, end = ""): number =>
  [...series].reduce(
    (sum, [name, count]) =>
      name.split(" ")[0] === metric && name.endsWith(end) ? sum + count : sum,
    0,
  )

const neverFalls = (before: Series, after: Series): void => {
  for (const [name, count] of before) {
    assert.isAtLeast(after.get(name) ?? -1, count, `${name} fell`)
  }
}

/** A larder that is open for a part of a run, with what it was asked and told. */
interface Run {
  readonly draw: Draw
  readonly faulty: Faults
  readonly asked: Asked
  readonly told: Array<LarderEvent.LarderEvent>
  calls: number
}

const steps = 40

/** Random calls, changes and faults until all has ended; the counters never fall meanwhile. */
const played = (run: Run, larder: Node) =>
  Effect.gen(function* () {
    const { draw, faulty } = run
    const running: Array<Fiber.Fiber<unknown, unknown>> = []
    let before = yield* counters
    for (let step = 0; step < steps; step++) {
      const kind = draw(10)
      if (kind < 6) {
        const [owed, call] = callOf(larder, draw)
        run.calls += owed
        running.push(yield* fork(call))
      } else if (kind === 6) running.push(yield* fork(changeOf(larder, draw)))
      else if (kind === 7) yield* TestClock.adjust(draw(4) * 40)
      else if (kind === 8 && running.length > 0) {
        yield* Fiber.interrupt(running[draw(running.length)]!).pipe(fork)
      } else faulty.turn(faults[draw(faults.length)]!, reaches[draw(reaches.length)]!)
      const after = yield* counters
      neverFalls(before, after)
      before = after
    }
    faulty.turn("none", "all")
    yield* TestClock.adjust("2 minutes")
    for (const fiber of running) yield* Fiber.await(fiber)
    yield* TestClock.adjust("2 minutes")
  })

const opened = (run: Run, stack: keyof typeof stacks, scope: Scope.Scope) =>
  make(run.draw, run.asked).pipe(
    Effect.provideService(Instrument.Instrument, { event: (event) => run.told.push(event) }),
    Effect.provide(stacks[stack](run.faulty)),
    Scope.provide(scope),
  )

const inProgress = [
  "larder_callers_waiting",
  "larder_lookups_in_flight",
  "larder_queue_length",
  "larder_changes_pending",
]

const checkGauges = (all: Series): void => {
  for (const metric of inProgress) assert.strictEqual(sumOf(all, metric), 0, metric)
  assert.isTrue(all.has("larder_callers_waiting"))
}

/** The sums hold for all larders of the name so far. */
const checkSums = (run: Run, all: Series, histograms: Series): void => {
  const of = (...tags: ReadonlyArray<string>) =>
    run.told.filter(({ _tag }) => tags.includes(_tag)).length
  const sum = (metric: string, end = "") => sumOf(all, metric, end)
  const count = (metric: string, end = "") => sumOf(histograms, metric, end)
  const answers = sum("larder_answers_total")
  assert.strictEqual(answers + sum("larder_abandoned_total"), run.calls, "calls")
  assert.strictEqual(sum("larder_stale_answers_total"), sum("larder_answers_total", " stale"))
  assert.strictEqual(sum("larder_failed_answers_total"), sum("larder_answers_total", " failed"))
  assert.strictEqual(sum("larder_lookups_total"), run.asked.keys, "keys looked up")
  assert.strictEqual(count("larder_lookup_duration_seconds"), run.asked.keys)
  assert.strictEqual(sum("larder_lookups_refused_total"), of("LookupRefused"))
  assert.strictEqual(
    sum("larder_leases_total", " won") + sum("larder_leases_total", " taken_over"),
    of("LeaseWon"),
  )
  assert.strictEqual(sum("larder_leases_total", " busy"), of("LeaseBusy"))
  assert.strictEqual(sum("larder_changes_total"), of("Changed"))
  assert.strictEqual(sum("larder_evictions_total"), of("Evicted"))
  assert.strictEqual(sum("larder_undecodable_total"), of("Undecodable"))
  assert.strictEqual(sum("larder_superseded_total"), of("Superseded"))
  assert.strictEqual(sum("larder_refreshes_total", " early"), of("EarlyRefresh"))
  for (const [outcome, reason] of [
    [" failed", "failed"],
    [" timed_out", "timedOut"],
    [" breaker_open", "breakerOpen"],
  ] as const) {
    const told = run.told.filter((event) => event._tag === "TierFailed" && event.reason === reason)
    assert.strictEqual(sum("larder_tier_operations_total", outcome), told.length, reason)
  }
  // Failures at once have no duration, nor have hits.
  assert.isAtMost(count("larder_answer_duration_seconds"), answers)
  assert.isAtLeast(count("larder_answer_duration_seconds"), of("Answered"))
  // The last plain hits are not in the sample yet.
  const given = answers - sum("larder_answers_total", " failed")
  const ages = count("larder_answer_age_seconds")
  assert.isAtMost(ages, given)
  assert.isBelow(given - ages, 2 * 128, "one step for each of both larders")
}

/** The answers of the metrics are those of the statistics of all larders of the name, the closed ones too. */
const checkStats = (stats: ReadonlyArray<Larder.Stats>, all: Series): void => {
  const outcomes = ["fresh", "stale", "failed"] as const
  for (const outcome of outcomes) {
    const counted = stats.flatMap(({ answers }) => Object.values(answers).map((of) => of[outcome]))
    assert.strictEqual(
      sumOf(all, "larder_answers_total", ` ${outcome}`),
      counted.reduce((sum, count) => sum + count, 0),
      outcome,
    )
  }
  const closed = stats.reduce((sum, { failedAnswers }) => sum + failedAnswers.closed, 0)
  assert.isAtLeast(closed, 1)
  assert.strictEqual(all.get("larder_failed_answers_total closed"), closed)
}

describe("the metrics of random programs with faults add up, also over closing and reopening", () => {
  for (const stack of Object.keys(stacks) as ReadonlyArray<keyof typeof stacks>) {
    for (let i = 0; i < 25; i++) {
      it.effect(`over ${stack}, seed ${seed + i}`, () =>
        Effect.gen(function* () {
          const run: Run = {
            draw: drawing(seed + i),
            faulty: new Faults(),
            asked: { keys: 0 },
            told: [],
            calls: 0,
          }
          const all: Array<Larder.Stats> = []
          for (let round = 0; round < 2; round++) {
            const scope = yield* Scope.make()
            const larder = yield* opened(run, stack, scope)
            yield* played(run, larder)
            checkGauges(yield* gauges)
            const before = yield* counters
            checkSums(run, before, yield* histogramCounts)
            yield* Scope.close(scope, Exit.void)
            neverFalls(before, yield* counters)
            assert.strictEqual(sumOf(yield* gauges, "larder_callers_waiting"), 0)
            for (let call = 0; call < 10; call++) {
              const [owed, refused] = callOf(larder, run.draw)
              run.calls += owed
              yield* Effect.exit(refused)
            }
            checkSums(run, yield* counters, yield* histogramCounts)
            all.push(yield* larder.stats)
            checkStats(all, yield* counters)
          }
        }).pipe(Effect.scoped, (program) =>
          Effect.suspend(() => Effect.provideService(program, Metric.MetricRegistry, new Map())),
        ),
      )
    }
  }
})

describe("a larder that closes while calls, lookups and refreshes run", () => {
  for (let i = 0; i < 40; i++) {
    it.effect(`counts each lookup and each waiting call, seed ${seed + i}`, () =>
      Effect.gen(function* () {
        const run: Run = {
          draw: drawing(seed + i),
          faulty: new Faults(),
          asked: { keys: 0 },
          told: [],
          calls: 0,
        }
        const scope = yield* Scope.make()
        const larder = yield* opened(run, "memory and a faulty shared tier", scope)
        for (let call = 0; call < 12; call++) {
          const [owed, effect] = callOf(larder, run.draw)
          run.calls += owed
          yield* fork(effect)
          yield* TestClock.adjust(run.draw(3) * 10)
        }
        yield* fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("1 minute")
        const all = yield* counters
        const answered = sumOf(all, "larder_answers_total") + sumOf(all, "larder_abandoned_total")
        assert.strictEqual(answered, run.calls)
        assert.strictEqual(sumOf(all, "larder_lookups_total"), run.asked.keys)
      }).pipe((program) =>
        Effect.suspend(() => Effect.provideService(program, Metric.MetricRegistry, new Map())),
      ),
    )
  }
})

it("a closed larder is not kept for the sake of its metrics", async () => {
  setFlagsFromString("--expose-gc")
  const collect: () => void = runInNewContext("gc")
  const registry: Metric.MetricRegistry = new Map()
  const closed = await Effect.runPromise(
    Effect.gen(function* () {
      // The larder's state refers to its lookup.
      const prices = new Map([["a", 1]])
      const larder = yield* Larder.make({
        name: "closed",
        value: Schema.Finite,
        upstream: Upstream.make({ lookup: (key: string) => Effect.succeed(prices.get(key) ?? 0) }),
        policy: Policy.make({ freshFor: "1 minute" }),
      })
      yield* larder.get("a")
      return new WeakRef(prices)
    }).pipe(
      Effect.scoped,
      Effect.provide(stacks["memory and a faulty shared tier"](new Faults())),
      Effect.provideService(Metric.MetricRegistry, registry),
    ),
  )
  for (let wait = 0; wait < 50 && closed.deref() !== undefined; wait++) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
  }
  assert.isUndefined(closed.deref())
  assert.isAtLeast(registry.size, 100)
})

const plain = (upstream: Upstream.Upstream<string, number, string>) =>
  Larder.make({ name: "plain", upstream, policy: Policy.make({ freshFor: "1 minute" }) })

const alone = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() =>
    effect.pipe(
      Effect.scoped,
      Effect.provide(TierStack.layer(MemoryTier.layer())),
      Effect.provideService(Metric.MetricRegistry, new Map()),
    ),
  )

describe("larder_lookups_total", () => {
  it.effect("counts 20 for a bulk lookup of 20 keys", () =>
    Effect.gen(function* () {
      const larder = yield* plain(
        Upstream.make({
          lookup: (_: string) => Effect.succeed(1),
          lookupMany: (keys) => Effect.succeed(new Map(keys.map((key) => [key, 1] as const))),
        }),
      )
      yield* larder.getMany(Array.from({ length: 20 }, (_, i) => `k${i}`))
      assert.strictEqual((yield* counters).get("larder_lookups_total succeeded"), 20)
    }).pipe(alone),
  )

  it.effect("counts the keys of a bulk lookup whose results the closing larder cuts off", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const larder = yield* plain(
        Upstream.make({
          lookup: (_: string) => Effect.succeed(1),
          lookupMany: (keys) =>
            Effect.delay(Effect.succeed(new Map(keys.map((key) => [key, 1] as const))), "1 second"),
        }),
      ).pipe(Scope.provide(scope))
      const keys = Array.from({ length: 250 }, (_, i) => `k${i}`)
      const many = yield* fork(larder.getMany(keys))
      const one = yield* fork(Effect.andThen(larder.get("k0"), Scope.close(scope, Exit.void)))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.await(one)
      yield* Fiber.await(many)
      assert.strictEqual(sumOf(yield* counters, "larder_answers_total"), 251)
      assert.isAtLeast(sumOf(yield* counters, "larder_answers_total", " failed"), 1)
      assert.strictEqual(sumOf(yield* counters, "larder_lookups_total"), 250)
    }).pipe(alone),
  )

  it.effect("counts 1 for a lookup with three attempts", () =>
    Effect.gen(function* () {
      let attempts = 0
      const larder = yield* plain(
        Upstream.make({
          lookup: (_: string) =>
            Effect.suspend(() => (++attempts < 3 ? Effect.fail("busy") : Effect.succeed(1))),
        }).pipe(Upstream.withRetry(Schedule.recurs(5))),
      )
      yield* larder.get("k")
      assert.strictEqual(attempts, 3)
      assert.strictEqual(sumOf(yield* counters, "larder_lookups_total"), 1)
    }).pipe(alone),
  )

  it.effect("says how a lookup ended, also one that nobody waits for any more", () =>
    Effect.gen(function* () {
      const larder = yield* plain(
        Upstream.make({
          lookup: (key: string) => {
            if (key === "fails") return Effect.fail("no")
            if (key === "dies") return Effect.die("broken")
            return key === "hangs" ? Effect.never : Effect.succeed(1)
          },
        }),
      )
      for (const key of ["fails", "dies", "works"]) yield* Effect.exit(larder.get(key))
      const left = yield* fork(larder.get("hangs"))
      assert.strictEqual((yield* gauges).get("larder_lookups_in_flight"), 1)
      assert.strictEqual((yield* gauges).get("larder_callers_waiting"), 1)
      yield* Fiber.interrupt(left)
      const late = yield* fork(larder.get("hangs"))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.await(late)
      const all = yield* counters
      const count = (outcome: string) => all.get(`larder_lookups_total ${outcome}`)
      assert.deepStrictEqual(
        ["succeeded", "not_modified", "failed", "defect", "timed_out", "interrupted"].map(count),
        [1, 0, 1, 1, 1, 1],
      )
      assert.strictEqual((yield* gauges).get("larder_lookups_in_flight"), 0)
    }).pipe(alone),
  )
})

it.effect("larder_lookup_callers has the calls that waited for one lookup", () =>
  Effect.gen(function* () {
    const larder = yield* plain(
      Upstream.make({ lookup: (_: string) => Effect.delay(Effect.succeed(1), "1 second") }),
    )
    const calls = yield* Effect.forEach(Array.from({ length: 12 }), () => fork(larder.get("k")))
    yield* TestClock.adjust("1 second")
    for (const call of calls) yield* Fiber.await(call)
    const callers = (yield* Metric.snapshot).find(({ id }) => id === "larder_lookup_callers")
    assert.deepInclude(callers?.state, { count: 1, sum: 12, min: 12, max: 12 })
    assert.strictEqual(sumOf(yield* counters, "larder_coalesced_total"), 11)
  }).pipe(alone),
)
