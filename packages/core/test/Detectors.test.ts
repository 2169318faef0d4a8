/** The detectors, each by a program that makes the mistake, and by a healthy one. */
import { assert, describe, it } from "@effect/vitest"
import {
  Detectors,
  EarlyRefresh,
  InvalidOptions,
  KeyDisplay,
  Larder,
  type LarderEvent,
  Instrument,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import { Clock, Cause, Effect, Exit, Layer, Metric, Random, Scope } from "effect"
import { TestClock } from "effect/testing"
import { type WallClock, wallClock } from "./support/wallClock.ts"
import { Outside } from "./support/outside.ts"

type Changes = ReadonlyArray<LarderEvent.AnomalyChanged>

interface Watched {
  readonly changes: Changes
  readonly outside: Outside
  readonly metrics: ReadonlyArray<Metric.Metric.Snapshot>
}

interface Plan {
  readonly policy: Policy.Policy
  readonly maxEntries?: number
  /** ms. */
  readonly lookup?: number
  readonly revision?: (value: number) => number
  readonly isDown?: boolean
  readonly options?: Detectors.Options
  /** What callers do in each half minute; the time passes meanwhile, or after it. */
  readonly inWindow: (
    larder: Larder.Larder<string, number, never>,
    window: number,
    wall: WallClock,
  ) => Effect.Effect<unknown, unknown>
  readonly windows?: number
}

/** Runs a plan under detectors. */
const watch = ({
  inWindow,
  isDown = false,
  lookup = 0,
  maxEntries = 1_000,
  options = {},
  policy,
  revision,
  windows = 8,
}: Plan): Effect.Effect<Watched, unknown> => {
  const changes: Array<LarderEvent.AnomalyChanged> = []
  const outside = new Outside()
  return Effect.gen(function* () {
    yield* TestClock.setTime(1_790_000_000_000)
    const wall = yield* wallClock
    const larder = yield* Larder.make({
      name: "watched",
      policy,
      ...(revision === undefined ? {} : { revision }),
      upstream: Upstream.make({
        lookup: (key: string) =>
          Effect.delay(isDown ? Effect.die("down") : Effect.succeed(key.length), lookup),
      }),
    }).pipe(Effect.provideService(Clock.Clock, wall.clock))
    for (let window = 0; window < windows; window += 1) {
      const end = 1_790_000_000_000 + (window + 1) * 30_000
      yield* inWindow(larder, window, wall)
      yield* TestClock.setTime(end)
    }
    return yield* Metric.snapshot
  }).pipe(
    Effect.provide([TierStack.layer(MemoryTier.layer({ maxEntries })), Detectors.layer(options)]),
    Effect.provideService(Instrument.Instrument, {
      event: (event) => {
        if (event._tag === "AnomalyChanged") changes.push(event)
      },
      hits: "none",
    }),
    Effect.scoped,
    outside.around,
    Effect.provideService(KeyDisplay.KeyDisplay, "shown"),
    Effect.provideService(Metric.MetricRegistry, new Map()),
    Random.withSeed(1),
    Effect.map((metrics) => ({ changes, outside, metrics })),
    Effect.provide(TestClock.layer()),
  )
}

const times = (count: number) => Array.from({ length: count }, (_, i) => i)

const minute = Policy.make({ freshFor: "1 minute", staleWhileRevalidate: "1 minute" })

const kindsOf = ({ changes }: Watched) =>
  changes.map(({ kind, raised }) => `${kind} ${raised ? "raised" : "cleared"}`)

const silent = (plan: Plan) =>
  Effect.map(watch(plan), (watched) => assert.deepStrictEqual(kindsOf(watched), []))

describe("keyPollution", () => {
  let nonce = 0
  const polluted: Plan = {
    policy: minute,
    maxEntries: 50,
    inWindow: (larder) =>
      Effect.forEach(times(300), () => larder.get(`/page?nonce=${(nonce += 1)}`)),
  }

  it.effect("is raised after two windows by a nonce in the key, with keys as they are shown", () =>
    Effect.gen(function* () {
      const { changes, metrics, outside } = yield* watch(polluted)
      assert.lengthOf(changes, 1)
      const [{ advice, at, figures, kind, raised }] = changes as [LarderEvent.AnomalyChanged]
      assert.deepStrictEqual([kind, raised], ["keyPollution", true])
      assert.strictEqual(at, 1_790_000_000_000 + 60_000)
      assert.strictEqual(figures["hitRatio"], 0)
      assert.isAbove(figures["newShare"]!, 0.4)
      assert.match(advice, /Such keys: \/page\?nonce=/)
      const lines = outside.lines.filter(({ message }) => message === "anomaly raised")
      assert.lengthOf(lines, 1)
      assert.strictEqual(lines[0]!.annotations["kind"], "key_pollution")
      const of = (id: string) =>
        metrics.find((one) => one.id === id && one.attributes?.["kind"] === "key_pollution")
          ?.state as { readonly value?: number; readonly count?: number } | undefined
      assert.strictEqual(of("larder_anomaly")?.value, 1)
      assert.strictEqual(of("larder_anomalies_total")?.count, 1)
    }),
  )

  it.effect("is cleared by four windows of keys that repeat", () =>
    Effect.gen(function* () {
      const watched = yield* watch({
        ...polluted,
        windows: 9,
        inWindow: (larder, window, wall) =>
          window < 3
            ? polluted.inWindow(larder, window, wall)
            : Effect.forEach(times(300), (i) => larder.get(`/page/${i % 20}`)),
      })
      assert.deepStrictEqual(kindsOf(watched), ["keyPollution raised", "keyPollution cleared"])
    }),
  )

  it.effect("is silent about a long tail of keys", () =>
    silent({
      policy: Policy.make({ freshFor: "1 hour" }),
      maxEntries: 50,
      inWindow: (larder, window) =>
        Effect.forEach(times(400), (i) =>
          larder.get(i % 3 === 0 ? `rare ${window * 400 + i}` : `often ${i % 10}`),
        ),
    }),
  )
})

describe("ttlTooShort", () => {
  const readsEvery = (millis: number) => (larder: Larder.Larder<string, number, never>) =>
    Effect.forEach(times(Math.floor(29_000 / millis)), () =>
      Effect.andThen(
        Effect.forEach(times(30), (i) => larder.get(`price ${i}`)),
        TestClock.adjust(millis),
      ),
    )

  it.effect("is raised by 1 s of freshness at one read in 5 s", () =>
    Effect.gen(function* () {
      const watched = yield* watch({
        policy: Policy.make({ freshFor: "1 second", staleIfError: "1 hour" }),
        inWindow: readsEvery(5_000),
      })
      assert.include(kindsOf(watched), "ttlTooShort raised")
    }),
  )

  it.effect("is raised by it without any grace, whose entries memory drops meanwhile", () =>
    Effect.gen(function* () {
      const watched = yield* watch({
        policy: Policy.make({ freshFor: "1 second" }),
        inWindow: readsEvery(5_000),
      })
      assert.include(kindsOf(watched), "ttlTooShort raised")
      assert.isAbove(watched.changes[0]!.figures["expiredShare"]!, 0.9)
    }),
  )

  it.effect("is raised by it without any grace where memory is full and evicts by age of use", () =>
    Effect.gen(function* () {
      const watched = yield* watch({
        policy: Policy.make({ freshFor: "1 second" }),
        maxEntries: 30,
        inWindow: readsEvery(5_000),
      })
      assert.include(kindsOf(watched), "ttlTooShort raised")
    }),
  )

  it.effect("is raised by lookups that bring the revision that is known", () =>
    Effect.gen(function* () {
      const watched = yield* watch({
        policy: Policy.make({ freshFor: "2 seconds", staleIfError: "1 hour" }),
        revision: (value) => value,
        inWindow: readsEvery(500),
      })
      assert.include(kindsOf(watched), "ttlTooShort raised")
    }),
  )

  it.effect("is silent about values that were looked up together and expire together", () =>
    silent({
      policy: Policy.make({ freshFor: "3 minutes" }),
      windows: 24,
      // A loop of 90 seconds: two of hits follow one of misses.
      inWindow: (larder, window) =>
        Effect.forEach(times(200), (i) => larder.get(`page ${(window % 3) * 200 + i}`)),
    }),
  )

  it.effect("is raised after some minutes by freshness that does not suit the reads any more", () =>
    Effect.gen(function* () {
      const watched = yield* watch({
        policy: Policy.make({ freshFor: "10 seconds" }),
        windows: 60,
        inWindow: (larder, window) =>
          Effect.forEach(times(200), (i) => larder.get(`price ${window < 20 ? i % 10 : i}`)),
      })
      assert.deepStrictEqual(kindsOf(watched), ["ttlTooShort raised"])
      assert.isBelow((watched.changes[0]!.at - 1_790_000_000_000) / 30_000, 40)
    }),
  )

  it.effect("is silent about short freshness with reads to match", () =>
    silent({
      policy: Policy.make({ freshFor: "5 seconds" }),
      inWindow: readsEvery(500),
    }),
  )
})

describe("stampede", () => {
  const together =
    (callers: number) => (larder: Larder.Larder<string, number, never>, window: number) =>
      Effect.gen(function* () {
        const calls = Effect.forEach(times(callers), () => larder.get(`hot ${window}`), {
          concurrency: "unbounded",
        })
        const fiber = yield* Effect.forkChild(calls, { startImmediately: true })
        yield* TestClock.adjust("1 second")
        yield* Effect.forEach(times(200), () => larder.get(`hot ${window}`))
        return fiber
      })

  it.effect("is raised by 500 callers on one key", () =>
    Effect.gen(function* () {
      const watched = yield* watch({ policy: minute, lookup: 100, inWindow: together(500) })
      assert.deepStrictEqual(kindsOf(watched), ["stampede raised"])
      assert.strictEqual(watched.changes[0]!.figures["callers"], 500)
    }),
  )

  /** Steady reads, and lookups of one key one upon the other. */
  const lookedUp =
    (again: (larder: Larder.Larder<string, number, never>) => Effect.Effect<unknown, unknown>) =>
    (larder: Larder.Larder<string, number, never>) =>
      Effect.gen(function* () {
        for (let i = 0; i < 4; i += 1) {
          yield* Effect.forkChild(Effect.exit(again(larder)), { startImmediately: true })
          yield* TestClock.adjust("1 second")
        }
        yield* Effect.forEach(times(200), () => Effect.exit(larder.get("\n")))
      })

  it.effect("is raised by lookups of one key within 5 seconds", () =>
    Effect.gen(function* () {
      const inWindow = lookedUp((larder) => larder.refresh("milk"))
      const watched = yield* watch({ policy: minute, lookup: 100, inWindow })
      assert.include(kindsOf(watched), "stampede raised")
      assert.strictEqual(watched.changes[0]!.figures["lookups"], 2)
    }),
  )

  it.effect("is silent about lookups that are repeated after a failure", () =>
    silent({
      policy: minute,
      lookup: 100,
      isDown: true,
      inWindow: lookedUp((larder) => larder.get("milk")),
    }),
  )

  it.effect("is silent about a few callers together", () =>
    silent({ policy: minute, lookup: 100, inWindow: together(5) }),
  )
})

describe("coldStart", () => {
  const visits = (larder: Larder.Larder<string, number, never>) =>
    Effect.forEach(times(400), (i) => larder.get(`page ${i % 100}`))
  const hour = Policy.make({ freshFor: "1 hour" })

  it.effect("is raised when memory is cleared again and again", () =>
    Effect.gen(function* () {
      const watched = yield* watch({
        policy: hour,
        windows: 40,
        inWindow: (larder, window) =>
          window < 30
            ? visits(larder)
            : Effect.forEach(times(20), () =>
                Effect.andThen(
                  larder.clear({ keepStale: false }),
                  Effect.forEach(times(20), (i) => larder.get(`page ${i}`)),
                ),
              ),
      })
      assert.include(kindsOf(watched), "coldStart raised")
    }),
  )

  it.effect(
    "is silent about other traffic on a warm larder whose clock is set back by an hour",
    () =>
      Effect.gen(function* () {
        const watched = yield* watch({
          policy: hour,
          windows: 40,
          inWindow: (larder, window, wall) => {
            if (window === 30) wall.step(-3_600_000)
            return window < 30
              ? visits(larder)
              : Effect.forEach(times(400), (i) => larder.get(`page ${window} ${i}`))
          },
        })
        assert.notInclude(kindsOf(watched), "coldStart raised")
      }),
  )

  it.effect("is silent about a start that warms within a window", () =>
    silent({ policy: hour, windows: 30, inWindow: visits }),
  )
})

describe("earlyRefreshOverload", () => {
  const steady = (larder: Larder.Larder<string, number, never>) =>
    Effect.forEach(times(100), () =>
      Effect.andThen(
        Effect.forkChild(
          Effect.forEach(times(5), (i) => larder.get(`page ${i}`), { concurrency: 5 }),
          { startImmediately: true },
        ),
        TestClock.adjust(290),
      ),
    )

  it.effect("is raised by a beta of 20", () =>
    Effect.gen(function* () {
      const watched = yield* watch({
        policy: Policy.make({
          freshFor: "4 seconds",
          earlyRefresh: EarlyRefresh.xfetch({ beta: 20 }),
        }),
        lookup: 200,
        inWindow: steady,
      })
      assert.include(kindsOf(watched), "earlyRefreshOverload raised")
    }),
  )

  it.effect("is silent about a beta of 1", () =>
    silent({
      policy: Policy.make({
        freshFor: "1 minute",
        earlyRefresh: EarlyRefresh.xfetch({ beta: 1 }),
      }),
      lookup: 20,
      inWindow: steady,
    }),
  )
})

it.effect("an anomaly is no longer raised where its detectors have ended", () =>
  Effect.gen(function* () {
    const pages = yield* Larder.make({
      name: "pages",
      policy: minute,
      upstream: Upstream.make({ lookup: (key: string) => Effect.succeed(key.length) }),
    })
    const raised = Effect.map(Metric.snapshot, (all) =>
      all.flatMap(({ attributes, id, state }) =>
        id === "larder_anomaly" && attributes?.["kind"] === "key_pollution" ? [state] : [],
      ),
    )
    const scope = yield* Scope.make()
    yield* Layer.buildWithScope(Detectors.layer(), scope)
    yield* Layer.buildWithScope(Detectors.layer(), scope)
    for (let window = 0; window < 2; window += 1) {
      yield* Effect.forEach(times(300), (i) => pages.get(`nonce ${window} ${i}`))
      yield* TestClock.adjust("30 seconds")
    }
    assert.deepStrictEqual(yield* raised, [{ value: 1 }])
    yield* Scope.close(scope, Exit.void)
    assert.deepStrictEqual(yield* raised, [{ value: 0 }])
  }).pipe(
    Effect.provide(TierStack.layer(MemoryTier.layer({ maxEntries: 50 }))),
    Effect.scoped,
    new Outside().around,
    Effect.provideService(Metric.MetricRegistry, new Map()),
  ),
)

it.effect("larders that are not named are not watched", () =>
  silent({
    policy: minute,
    maxEntries: 50,
    options: { larders: ["another"] },
    inWindow: (larder, window) =>
      Effect.forEach(times(300), (i) => larder.get(`nonce ${window} ${i}`)),
  }),
)

it.effect.each([
  [{ larders: "watched" }, "larders must be an array of names"],
  [{ leastAnswers: 0 }, "leastAnswers must be an integer of at least 1"],
  [{ stampedecallers: 5 }, "stampedeCallers"],
  [5, "Detectors: options must be an object with larders, stampedeCallers, leastAnswers and"],
  [["watched"], "Detectors: options must be an object with larders"],
] as const)("options that cannot be used are refused with the remedy: %j", ([options, text]) =>
  Effect.gen(function* () {
    const exit = yield* Layer.build(Detectors.layer(options as unknown as Detectors.Options)).pipe(
      Effect.scoped,
      Effect.exit,
    )
    assert.isTrue(Exit.isFailure(exit))
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(defect, InvalidOptions)
    assert.include(String(defect), text)
  }),
)
