/** Law 14 for one step in a tier: its timeout, and what its breaker counts. */
import { describe, expect, it } from "@effect/vitest"
import { Clock, Context, Effect, Exit, Fiber, Layer, PubSub } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import { tierFailuresOf } from "../../../src/internal/observe/counters.ts"
import { Observer } from "../../../src/internal/observe/eventHub.ts"
import { inSteadyTime } from "../../../src/internal/runtime/steadyBreaker.ts"
import { steadyOf } from "../../../src/internal/runtime/steadyClock.ts"
import { Budget } from "../../../src/internal/tier/budget.ts"
import { TierSteps } from "../../../src/internal/tier/guardedCalls.ts"
import { Timers } from "../../../src/internal/runtime/deadlines.ts"
import { TierError } from "../../../src/Tier.ts"
import { wallClock } from "../../support/wallClock.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const fails = Effect.fail(
  new TierError({ tier: "t", operation: "read", cause: new Error("broken") }),
)

/** Each outcome is recorded so much later. */
const storeWith = (recording: number) =>
  Layer.effect(
    CircuitBreaker.CircuitBreakerStore,
    Effect.map(CircuitBreaker.CircuitBreakerStore, (store) => ({
      ...store,
      record: (outcome: Parameters<typeof store.record>[0]) =>
        recording === 0 ? store.record(outcome) : Effect.delay(store.record(outcome), recording),
    })),
  ).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))

const make = (consecutive = 3, recording = 0) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1_790_000_000_000)
    const wall = yield* wallClock
    const context = Context.add(yield* Effect.context<never>(), Clock.Clock, wall.clock)
    const clock = steadyOf(wall.clock)
    const real = yield* CircuitBreaker.make({
      tripPolicy: CircuitBreaker.consecutive(consecutive),
      openDuration: "5 seconds",
    }).pipe(Effect.provide(inSteadyTime(storeWith(recording))))
    let asked = 0
    const breaker: CircuitBreaker.CircuitBreaker = {
      ...real,
      execute: ((...args: Parameters<typeof real.execute>) => {
        asked += 1
        return real.execute(...args)
      }) as typeof real.execute,
    }
    const observer = new Observer("steps", clock, (run) => run())
    const subscription = yield* observer.subscribe
    const timers = new Timers(context)
    const steps = new TierSteps("t", breaker, timers, {
      clock,
      context,
      observer,
      tierTimeout: 100,
    })
    return {
      steps,
      wall,
      observer,
      /** How often the breaker was asked. */
      asked: () => asked,
      state: Effect.map(real.state("t"), ({ _tag }) => _tag),
      /** The failures that were told since the last time. */
      told: Effect.map(PubSub.takeUpTo(subscription, 1_000), (events) =>
        events.flatMap((event) =>
          event._tag === "TierFailed"
            ? [[event.operation, event.reason, event.message, event.tier] as const]
            : [],
        ),
      ),
    }
  }).pipe(Effect.provide(Layer.empty))

const timedOut = [
  "read",
  "timedOut",
  "no answer within 100 ms (Policy tierTimeout, tierBudget)",
  "t",
] as const
const failed = ["read", "failed", "broken", "t"] as const

/** The result of an effect and its duration in milliseconds; undefined if it takes more than a second. */
const within = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* fork(effect)
    for (let millis = 0; millis <= 1_000; millis += 1) {
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return [exit, millis] as const
      yield* TestClock.adjust(1)
    }
    return undefined
  })

describe("a step", () => {
  it.effect("gives its answer, and has no other effect on anything but the budget", () =>
    Effect.gen(function* () {
      const { asked, steps, told } = yield* make()
      const budget = new Budget(200)
      expect(yield* within(steps.run("read", Effect.succeed(1), budget))).toEqual([
        Exit.succeed(1),
        0,
      ])
      expect(budget.left).toBe(200)
      const late = Effect.delay(Effect.succeed(2), 99)
      expect(yield* within(steps.run("read", late, budget))).toEqual([Exit.succeed(2), 99])
      expect(Math.round(budget.left)).toBe(101)
      expect(yield* within(steps.run("read", late))).toEqual([Exit.succeed(2), 99])
      yield* TestClock.adjust("1 minute")
      expect(yield* told).toEqual([])
      expect(asked()).toBe(0)
    }).pipe(Effect.scoped),
  )

  const limits = [
    { tier: 100, whole: 200, left: 200, takes: 100 },
    { tier: 100, whole: 200, left: 70, takes: 70 },
    { tier: 100, whole: 200, left: 50, takes: 50 },
    { tier: 100, whole: 200, left: 49, takes: undefined },
    { tier: 100, whole: 60, left: 60, takes: 60 },
    { tier: 100, whole: 60, left: 30, takes: 30 },
    { tier: 100, whole: 60, left: 29, takes: undefined },
    { tier: 100, whole: 1, left: 1, takes: 1 },
    { tier: 100, whole: 0, left: 0, takes: undefined },
  ] as const
  it.effect.each(limits)(
    "with $left of $whole ms left takes $takes ms at most",
    ({ left, takes, whole }) =>
      Effect.gen(function* () {
        const { steps, told } = yield* make()
        for (const call of ["run", "start"] as const) {
          const budget = new Budget(whole, left)
          let begun = 0
          const hanging = Effect.andThen(
            Effect.sync(() => (begun += 1)),
            Effect.never,
          )
          const called =
            call === "run"
              ? steps.run("read", hanging, budget)
              : Effect.callback<unknown>((resume) => {
                  steps.start("read", hanging, budget, (value) => resume(Exit.succeed(value)))
                })
          expect(yield* within(called)).toEqual([Exit.succeed(undefined), takes ?? 0])
          expect(begun).toBe(takes === undefined ? 0 : 1)
          expect(Math.round(budget.left)).toBe(left - (takes ?? 0))
          expect((yield* told).length).toBe(begun)
        }
      }).pipe(Effect.scoped),
  )

  it.effect("that was answered while the node was busy has taken no longer than it may", () =>
    Effect.gen(function* () {
      const { steps, told, wall } = yield* make()
      const budget = new Budget(200)
      const step = yield* fork(steps.run("read", Effect.delay(Effect.succeed(1), 105), budget))
      wall.block(500)
      yield* TestClock.adjust(100)
      yield* TestClock.adjust(5)
      expect(step.pollUnsafe()).toEqual(Exit.succeed(1))
      expect(budget.left).toBe(100)
      expect(yield* told).toEqual([])
    }).pipe(Effect.scoped),
  )

  it.effect("pays for the time for which it holds up the node, also where it fails", () =>
    Effect.gen(function* () {
      const { steps, wall } = yield* make(9)
      const budget = new Budget(200)
      const holding = Effect.sync(() => wall.block(30))
      yield* steps.run("read", holding, budget)
      expect(Math.round(budget.left)).toBe(170)
      yield* steps.run("read", Effect.andThen(holding, fails), budget)
      expect(Math.round(budget.left)).toBe(140)
    }).pipe(Effect.scoped),
  )

  it.effect("that takes too long is interrupted", () =>
    Effect.gen(function* () {
      const { steps } = yield* make()
      let left = 0
      const hanging = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (left += 1)))
      yield* within(steps.run("read", hanging))
      expect(left).toBe(1)
    }).pipe(Effect.scoped),
  )

  it.effect("tells why it failed, and is counted", () =>
    Effect.gen(function* () {
      const { observer, steps, told } = yield* make(99)
      const because = (cause: unknown) =>
        Effect.fail(new TierError({ tier: "t", operation: "read", cause }))
      const causes = [fails, because("a text"), Effect.die("a defect"), Effect.never]
      for (const cause of causes) {
        const answer = yield* within(steps.run("read", cause))
        expect(answer?.[0]).toEqual(Exit.succeed(undefined))
      }
      const all = yield* told
      expect(all.map(([, reason]) => reason)).toEqual(["failed", "failed", "failed", "timedOut"])
      expect(all[0]).toEqual(failed)
      expect(all[1]![2]).toBe("a text")
      expect(all[2]![2]).toContain("a defect")
      expect(all[3]).toEqual(timedOut)
      expect(tierFailuresOf(observer.counters)).toBe(4)
    }).pipe(Effect.scoped),
  )

  it.effect("that interrupts itself has failed, and its caller goes on", () =>
    Effect.gen(function* () {
      const { steps, told } = yield* make()
      const closing = Effect.delay(Effect.interrupt, 20)
      const answer = yield* within(steps.run("read", closing))
      expect(answer?.[0]).toEqual(Exit.succeed(undefined))
      expect((yield* told).map(([, reason]) => reason)).toEqual(["failed"])
    }).pipe(Effect.scoped),
  )

  it.effect("tells its caller why it failed, but not that the breaker let it not through", () =>
    Effect.gen(function* () {
      const { state, steps } = yield* make(2)
      const reasons: Array<string> = []
      const run = <A>(effect: Effect.Effect<A, TierError>) =>
        within(steps.run("read", effect, undefined, (reason) => reasons.push(reason)))
      yield* run(Effect.succeed(1))
      yield* run(fails)
      yield* run(Effect.never)
      expect(yield* state).toBe("Open")
      yield* run(Effect.succeed(1))
      expect(reasons).toEqual(["failed", "timedOut"])
    }).pipe(Effect.scoped),
  )

  it.effect("ends with its caller, who waits for that until the deadline at most", () =>
    Effect.gen(function* () {
      const { steps, told } = yield* make()
      let left = 0
      const hanging = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (left += 1)))
      const obeys = yield* fork(steps.run("read", hanging))
      yield* TestClock.adjust(20)
      yield* Fiber.interrupt(obeys)
      expect(left).toBe(1)
      const disobeys = yield* fork(steps.run("read", Effect.uninterruptible(Effect.never)))
      yield* TestClock.adjust(20)
      const leaving = yield* fork(Fiber.interrupt(disobeys))
      yield* TestClock.adjust(79)
      expect(leaving.pollUnsafe()).toBe(undefined)
      yield* TestClock.adjust(1)
      expect(leaving.pollUnsafe()).toEqual(Exit.void)
      expect(yield* told).toEqual([])
    }).pipe(Effect.scoped),
  )
})

describe("the breaker", () => {
  it.effect("is asked from a failure until the next success", () =>
    Effect.gen(function* () {
      const { asked, state, steps } = yield* make()
      const good = steps.run("read", Effect.succeed(1))
      yield* good
      expect(asked()).toBe(0)
      yield* steps.run("read", fails)
      yield* steps.run("read", fails)
      expect(asked()).toBe(2)
      expect(yield* good).toBe(1)
      expect(asked()).toBe(3)
      expect(yield* good).toBe(1)
      expect(asked()).toBe(3)
      // A success in between: they are not in a row.
      yield* steps.run("read", fails)
      yield* steps.run("read", fails)
      expect(yield* state).toBe("Closed")
      yield* steps.run("read", fails)
      expect(yield* state).toBe("Open")
    }).pipe(Effect.scoped),
  )

  it.effect("hears of a success that was under way when the tier became suspect", () =>
    Effect.gen(function* () {
      const { asked, state, steps } = yield* make(2)
      const slow = yield* fork(steps.run("read", Effect.delay(Effect.succeed(1), 50)))
      yield* steps.run("read", fails)
      yield* TestClock.adjust(50)
      expect(yield* Fiber.join(slow)).toBe(1)
      expect(asked()).toBe(2)
      yield* steps.run("read", fails)
      expect(yield* state).toBe("Closed")
    }).pipe(Effect.scoped),
  )

  const beside = [
    { moment: "before they do", succeedsAt: 0, recording: 0 },
    { moment: "while that is recorded", succeedsAt: 45, recording: 10 },
  ]
  it.effect.each(beside)(
    "opened by steps that fail, one beside them succeeding $moment, is asked, and closes again",
    ({ recording, succeedsAt }) =>
      Effect.gen(function* () {
        const { state, steps, told } = yield* make(3, recording)
        yield* fork(steps.run("read", fails))
        yield* TestClock.adjust(recording)
        for (let i = 0; i < 3; i += 1) yield* fork(steps.run("read", Effect.delay(fails, 50)))
        yield* fork(steps.run("read", Effect.delay(Effect.succeed(1), succeedsAt)))
        yield* TestClock.adjust(50 + recording)
        expect(yield* state).toBe("Open")
        yield* told
        expect(yield* steps.run("read", Effect.succeed(2))).toBe(undefined)
        expect((yield* told).map(([, reason]) => reason)).toEqual(["breakerOpen"])
        yield* TestClock.adjust("5 seconds")
        yield* fork(steps.run("read", Effect.succeed(3)))
        yield* TestClock.adjust(recording)
        expect(yield* state).toBe("Closed")
      }).pipe(Effect.scoped),
  )

  it.effect("open, lets nothing through and tells so, until a probe succeeds", () =>
    Effect.gen(function* () {
      const { asked, state, steps, told } = yield* make(1)
      yield* steps.run("read", fails)
      yield* told
      let begun = 0
      const counting = Effect.sync(() => (begun += 1))
      expect(yield* steps.run("read", counting)).toBe(undefined)
      expect(begun).toBe(0)
      expect((yield* told).map(([, reason]) => reason)).toEqual(["breakerOpen"])
      yield* TestClock.adjust("5 seconds")
      expect(yield* steps.run("read", counting)).toBe(1)
      expect(yield* state).toBe("Closed")
      const before = asked()
      yield* steps.run("read", counting)
      expect(asked()).toBe(before)
    }).pipe(Effect.scoped),
  )

  for (const isSuspect of [false, true]) {
    it.effect(
      `hears once of a burst that waits in vain${isSuspect ? ", also of a suspect tier" : ""}`,
      () =>
        Effect.gen(function* () {
          const { observer, state, steps } = yield* make(isSuspect ? 3 : 2)
          if (isSuspect) yield* steps.run("read", fails)
          const burst = yield* fork(
            Effect.forEach(Array(10).keys(), () => steps.run("read", Effect.never), {
              concurrency: "unbounded",
            }),
          )
          yield* TestClock.adjust(100)
          expect((yield* Fiber.join(burst)).every((answer) => answer === undefined)).toBe(true)
          expect(yield* state).toBe("Closed")
          // All of them are told.
          expect(tierFailuresOf(observer.counters)).toBe(isSuspect ? 11 : 10)
          // One that begins after it says something new.
          yield* within(steps.run("read", Effect.never))
          expect(yield* state).toBe("Open")
        }).pipe(Effect.scoped),
    )
  }

  it.effect("is not asked for long because of an echo: the tier has answered since", () =>
    Effect.gen(function* () {
      const { asked, steps } = yield* make()
      const waiting = yield* fork(steps.run("read", Effect.never))
      yield* steps.run("read", fails)
      expect(yield* steps.run("read", Effect.succeed(1))).toBe(1)
      const before = asked()
      yield* TestClock.adjust(100)
      expect(yield* Fiber.join(waiting)).toBe(undefined)
      expect(yield* steps.run("read", Effect.succeed(2))).toBe(2)
      expect(asked()).toBe(before)
    }).pipe(Effect.scoped),
  )

  it.effect("hears of each error, also of those that were under way together", () =>
    Effect.gen(function* () {
      const { state, steps } = yield* make(2)
      const burst = yield* fork(
        Effect.all(
          [1, 2].map(() => steps.run("read", Effect.delay(fails, 10))),
          {
            concurrency: "unbounded",
          },
        ),
      )
      yield* TestClock.adjust(10)
      yield* Fiber.join(burst)
      expect(yield* state).toBe("Open")
    }).pipe(Effect.scoped),
  )

  it.effect("is passed by, and hears nothing, where a larder that closes insists", () =>
    Effect.gen(function* () {
      const { asked, state, steps, told } = yield* make(1)
      yield* steps.run("read", fails)
      yield* told
      steps.insist()
      const before = asked()
      expect(yield* steps.run("read", Effect.succeed(1))).toBe(1)
      expect(yield* steps.run("read", fails)).toBe(undefined)
      expect(yield* told).toEqual([failed])
      expect(asked()).toBe(before)
      expect(yield* state).toBe("Open")
    }).pipe(Effect.scoped),
  )

  it.effect("does not hear of what is no fault of the tier", () =>
    Effect.gen(function* () {
      const { asked, observer, steps, told } = yield* make(1)
      steps.tellFailed("encode", "not a value")
      expect(yield* told).toEqual([["encode", "failed", "not a value", "t"]])
      expect(tierFailuresOf(observer.counters)).toBe(1)
      expect(asked()).toBe(0)
    }).pipe(Effect.scoped),
  )
})

describe("a step that is started", () => {
  it.effect("answers before it returns, where the tier does", () =>
    Effect.gen(function* () {
      const { steps } = yield* make()
      const answers: Array<unknown> = []
      const start = <A>(effect: Effect.Effect<A, TierError>) =>
        steps.start("read", effect, new Budget(200), (value) => answers.push(value))
      expect(start(Effect.succeed(1))).toBe(undefined)
      expect(start(fails)).toBe(undefined)
      expect(answers).toEqual([1, undefined])
      // It is suspect now, and asked through the breaker.
      const step = start(Effect.succeed(2))
      expect(step?.fiber.pollUnsafe()).toEqual(Exit.succeed(2))
      expect(answers).toEqual([1, undefined, 2])
      expect(start(Effect.succeed(3))).toBe(undefined)
    }).pipe(Effect.scoped),
  )

  for (const isSuspect of [false, true]) {
    it.effect(`that is cancelled says nothing about the tier (suspect: ${isSuspect})`, () =>
      Effect.gen(function* () {
        const { steps, told } = yield* make()
        if (isSuspect) yield* steps.run("read", fails)
        yield* told
        const answers: Array<unknown> = []
        let left = 0
        const hanging = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (left += 1)))
        const step = steps.start("read", hanging, new Budget(200), (value) => answers.push(value))
        yield* TestClock.adjust(20)
        step?.cancel()
        yield* Effect.yieldNow
        expect(left).toBe(1)
        expect(answers).toEqual([undefined])
        yield* TestClock.adjust("1 second")
        expect(answers).toEqual([undefined])
        expect(yield* told).toEqual([])
      }).pipe(Effect.scoped),
    )

    it.effect(`is charged to its budget (suspect: ${isSuspect})`, () =>
      Effect.gen(function* () {
        const { steps, told } = yield* make()
        if (isSuspect) yield* steps.run("read", fails)
        yield* told
        const answers: Array<unknown> = []
        const budget = new Budget(200)
        const start = (effect: Effect.Effect<number>) =>
          steps.start("read", effect, budget, (value) => answers.push(value))
        start(Effect.delay(Effect.succeed(1), 60))
        yield* TestClock.adjust(60)
        expect(answers).toEqual([1])
        expect(Math.round(budget.left)).toBe(140)
        start(Effect.never)
        yield* TestClock.adjust(100)
        expect(answers).toEqual([1, undefined])
        expect(yield* told).toEqual([timedOut])
      }).pipe(Effect.scoped),
    )
  }
})

describe("a probe", () => {
  it.effect("leaves the breaker closed though steps from before it fail after it", () =>
    Effect.gen(function* () {
      const { state, steps } = yield* make(3)
      const begun = yield* Effect.forEach([1, 2, 3, 4], () =>
        fork(steps.run("write", Effect.delay(fails, 50))),
      )
      yield* TestClock.adjust(20)
      yield* steps.probe(Effect.succeed(1))
      yield* TestClock.adjust(50)
      for (const fiber of begun) expect(yield* Fiber.join(fiber)).toBe(undefined)
      expect(yield* state).toBe("Closed")
      // Those that begin on the new connection count.
      for (let i = 0; i < 3; i++) yield* steps.run("write", fails)
      expect(yield* state).toBe("Open")
    }),
  )

  it.effect("leaves it to another that the breaker has let through", () =>
    Effect.gen(function* () {
      const { state, steps } = yield* make(1)
      yield* steps.run("read", fails)
      yield* TestClock.adjust("5 seconds")
      const other = yield* fork(steps.run("read", Effect.never))
      expect(yield* state).toBe("HalfOpen")
      expect(yield* Effect.exit(steps.probe(Effect.succeed(1)))).toEqual(Exit.void)
      expect(yield* state).toBe("HalfOpen")
      yield* TestClock.adjust(100)
      expect(other.pollUnsafe()).toEqual(Exit.succeed(undefined))
      // It says nothing of the new connection, of which the next step tells.
      expect(yield* state).not.toBe("Open")
      expect(yield* steps.run("read", Effect.succeed(2))).toBe(2)
      expect(yield* state).toBe("Closed")
    }).pipe(Effect.scoped),
  )

  it.effect("closes a half open breaker when nothing else is under way", () =>
    Effect.gen(function* () {
      const { state, steps } = yield* make(1)
      yield* steps.run("read", fails)
      yield* TestClock.adjust("5 seconds")
      yield* steps.probe(Effect.succeed(1))
      expect(yield* state).toBe("Closed")
    }).pipe(Effect.scoped),
  )

  it.effect("asks no more when a step has found the tier well", () =>
    Effect.gen(function* () {
      const { steps } = yield* make(3)
      yield* steps.run("read", fails)
      let begun = 0
      const failing = Effect.andThen(
        Effect.sync(() => (begun += 1)),
        fails,
      )
      const probing = yield* fork(steps.probe(failing))
      yield* steps.run("read", Effect.succeed(1))
      yield* TestClock.adjust(500)
      expect(begun).toBe(1)
      expect(probing.pollUnsafe()).toEqual(Exit.void)
    }).pipe(Effect.scoped),
  )

  it.effect("closes an open breaker when the tier answers, however long it would stay open", () =>
    Effect.gen(function* () {
      const { asked, state, steps } = yield* make(1)
      yield* steps.run("read", fails)
      expect(yield* state).toBe("Open")
      yield* steps.probe(Effect.succeed(1))
      expect(yield* state).toBe("Closed")
      const before = asked()
      expect(yield* steps.run("read", Effect.succeed(2))).toBe(2)
      expect(asked()).toBe(before)
    }).pipe(Effect.scoped),
  )

  it.effect("asks nothing of a tier that is well", () =>
    Effect.gen(function* () {
      const { asked, steps } = yield* make(1)
      let begun = 0
      yield* steps.probe(Effect.sync(() => (begun += 1)))
      expect([begun, asked()]).toEqual([0, 0])
    }).pipe(Effect.scoped),
  )

  it.effect("asks a few times in pauses, and changes nothing where each fails", () =>
    Effect.gen(function* () {
      const { observer, steps, told } = yield* make(3)
      yield* steps.run("read", fails)
      yield* told
      let begun = 0
      const probing = yield* fork(
        steps.probe(
          Effect.andThen(
            Effect.sync(() => (begun += 1)),
            fails,
          ),
        ),
      )
      yield* TestClock.adjust(499)
      expect(begun).toBe(1)
      yield* TestClock.adjust(1)
      expect(begun).toBe(2)
      yield* TestClock.adjust("1 minute")
      expect(probing.pollUnsafe()).toEqual(Exit.void)
      expect(begun).toBe(11)
      expect(yield* told).toEqual([])
      expect(tierFailuresOf(observer.counters)).toBe(1)
    }).pipe(Effect.scoped),
  )

  it.effect(
    "takes no longer than a step each time, and ends for a newer one or when the tier is well",
    () =>
      Effect.gen(function* () {
        const { state, steps } = yield* make(1)
        yield* steps.run("read", fails)
        let older = 0
        const first = yield* fork(
          steps.probe(
            Effect.andThen(
              Effect.sync(() => (older += 1)),
              Effect.never,
            ),
          ),
        )
        yield* TestClock.adjust(100)
        expect(older).toBe(1)
        let answers = false
        let newer = 0
        const second = yield* fork(
          steps.probe(
            Effect.suspend(() => {
              newer += 1
              return answers ? Effect.succeed(1) : fails
            }),
          ),
        )
        yield* TestClock.adjust("1 second")
        expect(older).toBe(1)
        expect(first.pollUnsafe()).toEqual(Exit.void)
        answers = true
        yield* TestClock.adjust("500 millis")
        expect(second.pollUnsafe()).toEqual(Exit.void)
        expect(yield* state).toBe("Closed")
        const before = newer
        yield* TestClock.adjust("1 minute")
        expect(newer).toBe(before)
      }).pipe(Effect.scoped),
  )

  it.effect("that succeeded outlasts the steps that still wait on the lost connection", () =>
    Effect.gen(function* () {
      const { state, steps } = yield* make(2)
      yield* steps.run("read", fails)
      const waiting = yield* fork(steps.run("read", Effect.never))
      yield* steps.probe(Effect.succeed(1))
      yield* TestClock.adjust(100)
      expect(waiting.pollUnsafe()).toEqual(Exit.succeed(undefined))
      yield* steps.run("read", fails)
      expect(yield* state).toBe("Closed")
    }).pipe(Effect.scoped),
  )

  it.effect("that succeeded outlasts the steps that began while the server still refused it", () =>
    Effect.gen(function* () {
      const { state, steps } = yield* make(2)
      yield* steps.run("read", fails)
      let answers = false
      const asked = Effect.suspend(() => (answers ? Effect.succeed(1) : fails))
      const probing = yield* fork(steps.probe(asked))
      yield* TestClock.adjust(450)
      const waiting = yield* fork(steps.run("read", Effect.never))
      answers = true
      yield* TestClock.adjust(50)
      expect(probing.pollUnsafe()).toEqual(Exit.void)
      yield* TestClock.adjust(50)
      expect(waiting.pollUnsafe()).toEqual(Exit.succeed(undefined))
      yield* steps.run("read", fails)
      expect(yield* state).toBe("Closed")
    }).pipe(Effect.scoped),
  )
})

describe("what this node does with an answer", () => {
  it.effect("is bounded as a step is, and the breaker hears nothing of it", () =>
    Effect.gen(function* () {
      const { asked, steps, told } = yield* make(1)
      const late = Effect.delay(Effect.succeed(1), 99)
      expect(yield* within(steps.within(late))).toEqual([Exit.succeed(1), 99])
      expect(yield* within(steps.within(Effect.never))).toEqual([Exit.succeed(undefined), 100])
      const defect = yield* within(steps.within(Effect.die("a bug")))
      expect(defect?.[0]).toEqual(Exit.die("a bug"))
      expect(yield* told).toEqual([])
      expect(asked()).toBe(0)
    }).pipe(Effect.scoped),
  )

  it.effect("ends with its caller", () =>
    Effect.gen(function* () {
      const { steps } = yield* make()
      let left = 0
      const hanging = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (left += 1)))
      const caller = yield* fork(steps.within(hanging))
      yield* Fiber.interrupt(caller)
      expect(left).toBe(1)
    }).pipe(Effect.scoped),
  )
})
