import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Exit, Fiber, Layer } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import { Circuit } from "../../src/internal/circuit.ts"
import { LiveDemand } from "../../src/internal/liveDemand.ts"

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

      const probe = yield* store.admit("upstream")
      assert.deepInclude(refused(), { _tag: "CircuitHalfOpen" })
      yield* fail(probe.generation)
      assert.deepInclude(refused(), { _tag: "CircuitOpen", retryAfter: openFor })
    }).pipe(Effect.scoped),
  )
})
