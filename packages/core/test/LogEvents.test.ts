/** The log lines of larders: messages, levels, annotations and limits. */
import { assert, describe, expect, it } from "@effect/vitest"
import {
  InvalidOptions,
  KeyDisplay,
  Larder,
  LogEvents,
  MemoryTier,
  Policy,
  TierStack,
  Upstream,
} from "@larder/core"
import { Cause, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, layer as faultyShared } from "./support/faultyTier.ts"
import { Outside } from "./support/outside.ts"

/** An upstream that can be switched. */
const source = () => {
  const state = { isDown: false, millis: 0 }
  const lookup = (key: string) =>
    Effect.suspend(() =>
      Effect.delay(state.isDown ? Effect.fail("down") : Effect.succeed(key.length), state.millis),
    )
  return { state, upstream: Upstream.make({ lookup }) }
}

const policy = Policy.make({
  freshFor: "10 seconds",
  staleWhileRevalidate: "1 hour",
  staleIfError: "2 hours",
  retryAfterFailure: 0,
})

const memory = () => TierStack.layer(MemoryTier.layer())

/** Runs a program with `LogEvents`, and returns its lines. */
const logged = <A, E>(
  program: Effect.Effect<A, E, TierStack.TierStack | Scope.Scope>,
  layer = LogEvents.layer(),
  stack: Layer.Layer<TierStack.TierStack> = memory(),
) => {
  const outside = new Outside()
  return program.pipe(
    Effect.provide([stack, layer]),
    Effect.scoped,
    outside.around,
    Effect.provideService(KeyDisplay.KeyDisplay, "shown"),
    Effect.as(outside),
  )
}

/** The lines of a message, as level and annotations. */
const of = (
  { lines }: Outside,
  message: LogEvents.Message,
): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  lines
    .filter((line) => line.message === message)
    .map(({ annotations, level }) => ({ level, ...annotations }))

const took = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Effect.exit(effect), { startImmediately: true })
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(10)
    return yield* Fiber.join(fiber)
  })

describe("breaker changed", () => {
  const opening = Effect.gen(function* () {
    const { state, upstream } = source()
    const larder = yield* Larder.make({
      name: "lengths",
      upstream: upstream.pipe(Upstream.withCircuitBreaker({ key: "source" })),
      policy,
    })
    state.isDown = true
    for (let i = 0; i < 5; i += 1) yield* Effect.exit(larder.get("milk"))
    yield* TestClock.adjust("11 seconds")
    state.isDown = false
    yield* Effect.exit(larder.get("milk"))
    yield* TestClock.adjust("1 second")
  })

  it.effect("is a warning, debug when half open, and info when it closes", () =>
    Effect.gen(function* () {
      const about = { larder: "lengths", breaker: "source" }
      assert.deepStrictEqual(of(yield* logged(opening), "breaker changed"), [
        { level: "Warn", ...about, from: "Closed", to: "Open" },
        { level: "Debug", ...about, from: "Open", to: "HalfOpen" },
        { level: "Info", ...about, from: "HalfOpen", to: "Closed" },
      ])
    }),
  )

  it.effect("has another level where an option says so, or no lines", () =>
    Effect.gen(function* () {
      const errors = LogEvents.layer(undefined, { levels: { "breaker changed": "Error" } })
      const levels = of(yield* logged(opening, errors), "breaker changed").map(({ level }) => level)
      assert.deepStrictEqual(levels, ["Error", "Error", "Error"])
      const none = LogEvents.layer(undefined, { levels: { "breaker changed": "None" } })
      assert.deepStrictEqual(of(yield* logged(opening, none), "breaker changed"), [])
    }),
  )
})

describe("tiers missed", () => {
  const about = { level: "Debug", larder: "lengths", key: "milk" }
  const make = (upstream: Upstream.Upstream<string, number, string>) =>
    Larder.make({ name: "lengths", value: Schema.Finite, upstream, policy })

  it.effect("says which tiers had nothing, where the answer came from, and how long it took", () =>
    Effect.gen(function* () {
      const faults = new Faults()
      const { state, upstream } = source()
      state.millis = 30
      const program = Effect.gen(function* () {
        const scope = yield* Scope.make()
        const first = yield* Scope.provide(make(upstream), scope)
        yield* took(first.get("milk"))
        yield* took(first.get("milk"))
        yield* Scope.close(scope, Exit.void)
        const second = yield* make(upstream)
        yield* took(second.get("milk"))
      })
      const stack = TierStack.layer(MemoryTier.layer(), faultyShared(faults))
      assert.deepStrictEqual(of(yield* logged(program, undefined, stack), "tiers missed"), [
        { ...about, tiers: "memory>shared", millis: 30, source: "upstream" },
        { ...about, tiers: "memory", millis: 0, source: "shared" },
      ])
    }),
  )

  it.effect("is there for calls that failed after they had asked, and not for refused ones", () =>
    Effect.gen(function* () {
      const { state, upstream } = source()
      state.isDown = true
      const program = Effect.gen(function* () {
        const larder = yield* make(upstream)
        yield* Effect.exit(larder.get("milk"))
        yield* Effect.exit(larder.get("milk\n"))
      })
      assert.deepStrictEqual(of(yield* logged(program), "tiers missed"), [
        { ...about, tiers: "memory", millis: 0, source: "none" },
      ])
    }),
  )
})

describe("serving stale", () => {
  const make = (upstream: Upstream.Upstream<string, number, string>) =>
    Larder.make({ name: "lengths", upstream, policy })

  it.effect("is told for the first of a reason, then once a minute with the number", () =>
    Effect.gen(function* () {
      const { state, upstream } = source()
      const program = Effect.gen(function* () {
        const larder = yield* make(upstream)
        yield* larder.get("milk")
        yield* TestClock.adjust("11 seconds")
        state.millis = 60 * 60 * 1_000
        // The lookup times out after 30 seconds, and each stale answer begins the next.
        for (let i = 0; i < 7; i += 1) yield* larder.get("milk")
        yield* TestClock.adjust("1 minute")
        for (let i = 0; i < 4; i += 1) yield* larder.get("milk")
        yield* TestClock.adjust("1 minute")
        // A minute without any: the next one is a first one again.
        yield* TestClock.adjust("1 minute")
        yield* larder.get("milk")
        for (let i = 0; i < 3; i += 1) yield* larder.get("milk")
      })
      const about = { level: "Info", larder: "lengths", reason: "revalidating" }
      assert.deepStrictEqual(of(yield* logged(program), "serving stale"), [
        { ...about, key: "milk", tier: "memory", age: 11_000 },
        { ...about, count: 6 },
        { ...about, count: 4 },
        { ...about, key: "milk", tier: "memory", age: 191_000 },
        // The rest, when the larder closes.
        { ...about, count: 3 },
      ])
    }),
  )

  it.effect("is a warning for a reason other than revalidating", () =>
    Effect.gen(function* () {
      const { state, upstream } = source()
      const program = Effect.gen(function* () {
        const larder = yield* make(upstream)
        yield* larder.get("milk")
        yield* TestClock.adjust("90 minutes")
        state.isDown = true
        yield* larder.get("milk")
      })
      assert.deepInclude(of(yield* logged(program), "serving stale")[0], {
        level: "Warn",
        reason: "failed",
      })
    }),
  )
})

describe("of each message and larder", () => {
  it.effect(
    "at most 5 lines come at once and 1 a second, and the next says how many were left out",
    () =>
      Effect.gen(function* () {
        const program = Effect.gen(function* () {
          const { upstream } = source()
          const lengths = yield* Larder.make({ name: "lengths", upstream, policy })
          const others = yield* Larder.make({ name: "others", upstream, policy })
          for (let i = 0; i < 20; i += 1) yield* lengths.get(`key ${i}`)
          yield* others.get("milk")
          yield* TestClock.adjust("1 second")
          yield* lengths.get("milk")
          yield* lengths.get("tea")
        })
        const lines = of(yield* logged(program), "tiers missed")
        const ofLengths = lines.filter((line) => line["larder"] === "lengths")
        assert.lengthOf(lines, 7)
        assert.lengthOf(ofLengths, 6)
        assert.deepInclude(ofLengths[5], { key: "milk", suppressed: 15 })
      }),
  )

  it.effect("a line that no logger gets takes no place", () =>
    Effect.gen(function* () {
      const outside = new Outside()
      const { upstream } = source()
      const shown: Array<string> = []
      yield* Effect.gen(function* () {
        const larder = yield* Larder.make({ name: "lengths", upstream, policy })
        for (let i = 0; i < 20; i += 1) yield* larder.get(`key ${i}`)
      }).pipe(
        Effect.provide(memory()),
        Effect.provideService(KeyDisplay.KeyDisplay, (key) => {
          shown.push(key)
          return key
        }),
        Effect.provide(LogEvents.layer(undefined, { levels: { "tiers missed": "None" } })),
        Effect.scoped,
        Effect.withTracerEnabled(false),
        outside.around,
      )
      assert.deepStrictEqual(of(outside, "tiers missed"), [])
      assert.deepStrictEqual(shown, [])
    }),
  )
})

describe("the larders that are logged", () => {
  const two = (
    order: "before" | "after",
    layer: (one: Larder.Larder<string, number, string>) => Layer.Layer<never>,
  ) =>
    Effect.gen(function* () {
      const { upstream } = source()
      const outside = new Outside()
      const one = Larder.make({ name: "one", upstream, policy })
      const other = Larder.make({ name: "other", upstream, policy })
      yield* Effect.gen(function* () {
        const first = yield* one
        const early = order === "before" ? yield* other : undefined
        yield* Layer.build(layer(first))
        const second = early ?? (yield* other)
        yield* first.get("milk")
        yield* second.get("milk")
      }).pipe(Effect.provide(memory()), Effect.scoped, outside.around)
      return outside.lines
        .filter(({ message }) => message === "tiers missed")
        .map(({ annotations }) => annotations["larder"])
    })

  it.effect("are all of the process, made before the layer and after it", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* two("before", () => LogEvents.layer()), ["one", "other"])
      assert.deepStrictEqual(yield* two("after", () => LogEvents.layer()), ["one", "other"])
    }),
  )

  it.effect("are those that are named, or given", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* two("before", () => LogEvents.layer(["other"])), ["other"])
      assert.deepStrictEqual(yield* two("after", () => LogEvents.layer(["other"])), ["other"])
      assert.deepStrictEqual(yield* two("after", (one) => LogEvents.layer([one])), ["one"])
    }),
  )

  it.effect("are none any more once the layer is closed", () =>
    Effect.gen(function* () {
      const outside = new Outside()
      yield* Effect.gen(function* () {
        const larder = yield* Larder.make({ name: "one", upstream: source().upstream, policy })
        yield* Effect.scoped(Layer.build(LogEvents.layer()))
        yield* larder.get("milk")
      }).pipe(Effect.provide(memory()), Effect.scoped, outside.around)
      assert.deepStrictEqual(of(outside, "tiers missed"), [])
    }),
  )
})

it.effect("the warnings of tiers and of larders go through it, and are said once", () =>
  Effect.gen(function* () {
    const outside = new Outside()
    const own = new Outside()
    const program = Effect.gen(function* () {
      const larder = yield* Larder.make({
        name: "texts",
        value: Schema.String.check(Schema.isMaxLength(3)),
        upstream: Upstream.make({ lookup: (key: string) => Effect.succeed(key) }),
        policy,
        etag: () => {
          throw new Error("broken")
        },
      })
      yield* larder.get("milk")
      yield* Effect.exit(larder.set("milk", "milk"))
      const plain = yield* Larder.make({
        name: "plain",
        value: Schema.String.check(Schema.isMaxLength(3)),
        upstream: Upstream.make({ lookup: (key: string) => Effect.succeed(key) }),
        policy,
      })
      yield* plain.get("milk")
    }).pipe(
      Effect.provide(TierStack.layer(MemoryTier.layer(), faultyShared(new Faults()))),
      Effect.scoped,
      own.around,
    )
    yield* Effect.gen(function* () {
      yield* Layer.build(LogEvents.layer())
      yield* program
    }).pipe(Effect.scoped, outside.around)
    const warnings = outside.lines.filter(({ level }) => level === "Warn")
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringContaining("the option etag failed"),
      expect.stringContaining("cannot be encoded"),
    ])
    expect(warnings[1]?.annotations).toEqual({ larder: "plain", tier: "shared" })
    assert.deepStrictEqual(
      own.lines.filter(({ level }) => level === "Warn"),
      [],
    )
  }),
)

it.effect("so do the lines about how larders are made and closed, with names as annotations", () =>
  Effect.gen(function* () {
    const [own, outside] = [new Outside(), new Outside()]
    const faults = new Faults()
    const program = Effect.gen(function* () {
      const make = Larder.make({
        name: "twice",
        value: Schema.Finite,
        upstream: source().upstream,
        policy,
        closeTimeout: 0,
      })
      const larder = yield* make
      yield* make
      faults.turn("fail", "all")
      yield* took(larder.remove("milk"))
    }).pipe(
      Effect.provide(TierStack.layer(MemoryTier.layer(), faultyShared(faults))),
      Effect.scoped,
      own.around,
    )
    yield* outside.around(Layer.build(LogEvents.layer()))
    yield* program
    const warnings = outside.lines.filter(({ level }) => level === "Warn")
    expect(warnings.map(({ annotations, message }) => ({ annotations, message }))).toEqual([
      {
        message: expect.stringMatching(/^two larders of this name are open/),
        annotations: { larder: "twice" },
      },
      {
        message: expect.stringMatching(/^closed before the tier had all changes/),
        annotations: { larder: "twice", tier: "shared" },
      },
    ])
    assert.deepStrictEqual(own.lines, [])
  }).pipe(Effect.scoped),
)

it.effect.each([
  [undefined, { level: {} }, "LogEvents: level is an unknown option; did you mean `levels`?"],
  [
    undefined,
    { levels: { stampedes: "Warn" } },
    "LogEvents: levels.stampedes is an unknown option; did you mean `stampede`?",
  ],
  [
    undefined,
    { levels: { stampede: "warn" } },
    'LogEvents: levels.stampede must be one of All, Fatal, Error, Warn, Info, Debug, Trace, None, got "warn"',
  ],
  [[""], {}, 'LogEvents: larders must be names or larders, or be left out for all larders, got ""'],
  [
    "one",
    {},
    'LogEvents: larders must be an array of names or larders, or be left out for all, got "one"',
  ],
] as const)("refuses %j %j with the remedy", ([larders, options, message]) =>
  Effect.gen(function* () {
    // A caller without types.
    const layer = LogEvents.layer(
      larders as unknown as ReadonlyArray<string>,
      options as LogEvents.Options,
    )
    const exit = yield* Effect.exit(Effect.scoped(Layer.build(layer)))
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(defect, InvalidOptions)
    assert.strictEqual((defect as InvalidOptions).message, message)
  }),
)
