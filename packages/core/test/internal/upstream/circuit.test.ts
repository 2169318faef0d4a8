import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Exit, Fiber, Layer } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import { Circuit } from "../../../src/internal/upstream/circuit.ts"
import { LiveDemand } from "../../../src/internal/upstream/liveDemand.ts"
import { inSteadyTime } from "../../../src/internal/runtime/steadyBreaker.ts"
import { countedClock } from "../../support/countedClock.ts"

class Demand extends LiveDemand {
  readonly background: boolean
  readonly stale: boolean
  readonly endsAt = Infinity
  constructor(background: boolean, stale: boolean) {
    super()
    this.background = background
    this.stale = stale
  }
}

const refusal = new CircuitBreaker.CircuitBreakerError({
  reason: new CircuitBreaker.CircuitHalfOpen({ key: "upstream" }),
})

describe("Circuit", () => {
  it.effect("a caller whose probe has succeeded before it came to wait goes on", () =>
    Effect.gen(function* () {
      const options = { key: "upstream", probeEvery: 1_000, queue: 9, isOwn: true }
      const circuit = new Circuit(yield* Effect.context(), options)
      assert.isTrue(
        Exit.isSuccess(yield* Effect.exit(circuit.wait(new Demand(false, false), refusal))),
      )
      for (const demand of [new Demand(true, false), new Demand(false, true)]) {
        assert.strictEqual(yield* Effect.flip(circuit.wait(demand, refusal)), refusal)
      }
    }),
  )

  it.effect("keeps no timer when the last that waited has left", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let sleeping = 0
      const watched: Clock.Clock = {
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
        currentTimeMillis: clock.currentTimeMillis,
        currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
        currentTimeNanos: clock.currentTimeNanos,
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: clock.monotonicTimeNanos,
        sleep: (duration) =>
          Effect.acquireUseRelease(
            Effect.sync(() => (sleeping += 1)),
            () => clock.sleep(duration),
            () => Effect.sync(() => (sleeping -= 1)),
          ),
      }
      const options = { key: "upstream", probeEvery: 1_000, queue: 9, isOwn: true }
      const circuit = new Circuit(Context.make(Clock.Clock, watched), options)
      const store = circuit.watch(
        yield* Effect.map(
          Layer.build(CircuitBreaker.layerStoreMemory()),
          Context.get(CircuitBreaker.CircuitBreakerStore),
        ),
      )
      const { generation } = yield* store.admit("upstream")
      const tripPolicy = CircuitBreaker.consecutive(1)
      const openFor = Duration.seconds(10)
      yield* store.record({ key: "upstream", generation, outcome: "Failure", tripPolicy, openFor })
      const wait = Effect.forkChild(circuit.wait(new Demand(false, false), refusal), {
        startImmediately: true,
      })
      const first = yield* wait
      const second = yield* wait
      assert.strictEqual(sleeping, 1)
      yield* Fiber.interrupt(first)
      assert.strictEqual(sleeping, 1)
      yield* Fiber.interrupt(second)
      assert.strictEqual(sleeping, 0)
    }).pipe(Effect.scoped),
  )

  it.effect("says what a lookup would be refused with, but for the one on its way to probe", () =>
    Effect.gen(function* () {
      const options = { key: "upstream", probeEvery: 1_000, queue: 9, isOwn: true }
      const circuit = new Circuit(yield* Effect.context(), options)
      const store = circuit.watch(
        yield* Effect.map(
          Layer.build(CircuitBreaker.layerStoreMemory()),
          Context.get(CircuitBreaker.CircuitBreakerStore),
        ),
      )
      const tripPolicy = CircuitBreaker.consecutive(1)
      const openFor = Duration.seconds(10)
      const fail = (generation: number) =>
        store.record({ key: "upstream", generation, outcome: "Failure", tripPolicy, openFor })
      const refused = () => circuit.refusal()?.reason

      const { generation } = yield* store.admit("upstream")
      assert.strictEqual(refused(), undefined)
      // It was on its way when the circuit was closed: it holds no place of a probe.
      circuit.approach()
      yield* fail(generation)
      yield* TestClock.adjust("4 seconds")
      assert.deepInclude(refused(), { _tag: "CircuitOpen", retryAfter: Duration.seconds(6) })
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(refused(), undefined)

      const leave = circuit.approach()
      assert.deepInclude(refused(), { _tag: "CircuitHalfOpen" })
      circuit.approach()()
      assert.deepInclude(refused(), { _tag: "CircuitHalfOpen" })
      leave()
      assert.strictEqual(refused(), undefined)
      const leaveLater = circuit.approach()
      leave()
      assert.deepInclude(refused(), { _tag: "CircuitHalfOpen" })
      leaveLater()
      assert.strictEqual(refused(), undefined)

      const probe = yield* store.admit("upstream")
      assert.deepInclude(refused(), { _tag: "CircuitHalfOpen" })
      yield* fail(probe.generation)
      assert.deepInclude(refused(), { _tag: "CircuitOpen", retryAfter: openFor })
    }).pipe(Effect.scoped),
  )

  const tripPolicy = CircuitBreaker.consecutive(1)
  const openFor = Duration.seconds(10)

  /** A circuit that has just opened for ten seconds. */
  const opened = Effect.gen(function* () {
    yield* TestClock.setTime(1_790_000_000_000)
    const { clock: watched, sleeps } = yield* countedClock
    const options = { key: "upstream", probeEvery: 1_000, queue: 9, isOwn: true }
    const circuit = new Circuit(Context.make(Clock.Clock, watched), options)
    const memory = yield* Effect.map(
      Layer.build(inSteadyTime(CircuitBreaker.layerStoreMemory())),
      Context.get(CircuitBreaker.CircuitBreakerStore),
    )
    const store = circuit.watch(memory)
    const record = (generation: number, outcome: "Success" | "Failure") =>
      store.record({ key: "upstream", generation, outcome, tripPolicy, openFor })
    const { generation } = yield* store.admit("upstream")
    yield* record(generation, "Failure")
    const wait = (endsAt = Infinity) =>
      Effect.forkChild(
        Effect.exit(circuit.wait(Object.assign(new Demand(false, false), { endsAt }), refusal)),
        { startImmediately: true },
      )
    return { circuit, record, sleeps, store, wait, watched }
  })

  it.effect("when its early probe succeeds, is closed for all, at once", () =>
    Effect.gen(function* () {
      const { circuit, record, sleeps, store, wait } = yield* opened
      const callers = [yield* wait(), yield* wait(), yield* wait()]
      yield* TestClock.adjust(999)
      assert.strictEqual(callers[0]!.pollUnsafe(), undefined)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(
        callers.map((caller) => caller.pollUnsafe() !== undefined),
        [true, false, false],
      )
      const probe = yield* store.admit("upstream")
      assert.isTrue(probe.probe)
      yield* record(probe.generation, "Success")
      yield* TestClock.adjust(0)
      for (const caller of callers) {
        assert.deepStrictEqual(caller.pollUnsafe(), Exit.succeed(Exit.void))
      }
      assert.strictEqual(sleeps.running, 0)
      // Long before the end of the time for which it was open.
      assert.strictEqual(circuit.refusal(), undefined)
      circuit.approach()
      assert.strictEqual(circuit.refusal(), undefined)
    }).pipe(Effect.scoped),
  )

  it.effect("sends the next that waits where the one that was to be the probe has left", () =>
    Effect.gen(function* () {
      const { wait } = yield* opened
      const callers = [yield* wait(), yield* wait(), yield* wait()]
      const ended = () => callers.filter((caller) => caller.pollUnsafe() !== undefined).length
      const seen: Array<number> = []
      for (let i = 0; i < 3; i += 1) {
        yield* TestClock.adjust(999)
        seen.push(ended())
        yield* TestClock.adjust(1)
        seen.push(ended())
      }
      assert.deepStrictEqual(seen, [0, 1, 1, 2, 2, 3])
    }).pipe(Effect.scoped),
  )

  it.effect("is waited for by those alone who are still there when the probe may go", () =>
    Effect.gen(function* () {
      const { wait, watched } = yield* opened
      const now = Number(watched.monotonicTimeNanosUnsafe()) / 1_000_000
      const ends = yield* wait(now + 1_000)
      assert.deepStrictEqual(ends.pollUnsafe(), Exit.succeed(Exit.fail(refusal)))
      const waits = yield* wait(now + 1_001)
      assert.strictEqual(waits.pollUnsafe(), undefined)
    }).pipe(Effect.scoped),
  )

  it.effect("keeps no timer once it is stopped", () =>
    Effect.gen(function* () {
      const { circuit, sleeps, wait } = yield* opened
      yield* wait()
      assert.strictEqual(sleeps.running, 1)
      circuit.stop()
      yield* Effect.yieldNow
      assert.strictEqual(sleeps.running, 0)
    }).pipe(Effect.scoped),
  )

  it.effect("is open until its last millisecond", () =>
    Effect.gen(function* () {
      const { circuit } = yield* opened
      yield* TestClock.adjust(9_999)
      assert.deepInclude(circuit.refusal()?.reason, { _tag: "CircuitOpen" })
      yield* TestClock.adjust(1)
      assert.strictEqual(circuit.refusal(), undefined)
    }).pipe(Effect.scoped),
  )

  /** A circuit whose store other processes share, which refuses all with `refuse`. */
  const shared = (refuse: CircuitBreaker.CircuitBreakerError, isOwn = false) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const options = { key: "upstream", probeEvery: 1_000, queue: 9, isOwn }
      const circuit = new Circuit(yield* Effect.context(), options)
      let asked = 0
      const store = circuit.watch({
        admit: () =>
          Effect.suspend(() => {
            asked += 1
            return Effect.fail(refuse)
          }),
        record: () => Effect.succeed(undefined),
        state: () => Effect.fail(refuse),
      })
      return { asked: () => asked, circuit, store }
    })

  it.effect("is half open for a second, where another process has its probe under way", () =>
    Effect.gen(function* () {
      const { circuit, store } = yield* shared(refusal)
      assert.strictEqual(yield* Effect.flip(store.admit("upstream")), refusal)
      assert.deepInclude(circuit.refusal()?.reason, { _tag: "CircuitHalfOpen" })
      yield* TestClock.adjust(999)
      assert.deepInclude(circuit.refusal()?.reason, { _tag: "CircuitHalfOpen" })
      yield* TestClock.adjust(1)
      assert.strictEqual(circuit.refusal(), undefined)
      // The next to come may be the probe, and those after it are refused.
      circuit.approach()
      assert.deepInclude(circuit.refusal()?.reason, { _tag: "CircuitHalfOpen" })
    }),
  )

  it.effect("is not said to be open because its store cannot be reached", () =>
    Effect.gen(function* () {
      const away = new CircuitBreaker.CircuitBreakerError({
        reason: new CircuitBreaker.CircuitBreakerStoreError({ message: "away" }),
      })
      const { circuit, store } = yield* shared(away)
      assert.strictEqual(yield* Effect.flip(store.admit("upstream")), away)
      assert.strictEqual(circuit.refusal(), undefined)
      circuit.approach()
      assert.strictEqual(circuit.refusal(), undefined)
    }),
  )

  it.effect("lets no probe through early beside another", () =>
    Effect.gen(function* () {
      const { asked, circuit, store } = yield* shared(refusal, true)
      const caller = yield* Effect.forkChild(circuit.wait(new Demand(false, false), refusal), {
        startImmediately: true,
      })
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(caller.pollUnsafe(), Exit.void)
      assert.strictEqual(yield* Effect.flip(store.admit("upstream")), refusal)
      assert.strictEqual(asked(), 1)
    }),
  )
})
