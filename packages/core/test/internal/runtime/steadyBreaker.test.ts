/** The store of a circuit in steady time. The time of day that steps back is in Upstream.test.ts. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Layer } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import { Ahead, inSteadyTime } from "../../../src/internal/runtime/steadyBreaker.ts"

const { CircuitBreakerStore } = CircuitBreaker

const storeOf = (layer: Layer.Layer<CircuitBreaker.CircuitBreakerStore>) =>
  Effect.map(Layer.build(inSteadyTime(layer)), Context.get(CircuitBreakerStore))

/** Milliseconds, however the clock is asked. */
const readings = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  return [
    clock.currentTimeMillisUnsafe(),
    yield* clock.currentTimeMillis,
    Number(clock.currentTimeNanosUnsafe()) / 1_000_000,
    Number(yield* clock.currentTimeNanos) / 1_000_000,
    Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000,
    Number(yield* clock.monotonicTimeNanos) / 1_000_000,
  ]
})

describe("a circuit in steady time", () => {
  it.effect("is open for as long as it says, and less by what its caller is ahead", () =>
    Effect.gen(function* () {
      const store = yield* storeOf(CircuitBreaker.layerStoreMemory())
      const { generation } = yield* store.admit("upstream")
      yield* store.record({
        key: "upstream",
        generation,
        outcome: "Failure",
        tripPolicy: CircuitBreaker.consecutive(1),
        openFor: Duration.seconds(10),
      })
      const state = (ahead: number) =>
        Effect.map(Effect.provideService(store.state("upstream"), Ahead, ahead), ({ _tag }) => _tag)
      yield* TestClock.adjust(9_999)
      assert.strictEqual((yield* store.state("upstream"))._tag, "Open")
      assert.strictEqual(yield* state(0.5), "Open")
      assert.strictEqual((yield* Effect.flip(store.admit("upstream"))).reason._tag, "CircuitOpen")
      assert.isTrue((yield* Effect.provideService(store.admit("upstream"), Ahead, 1)).probe)
    }).pipe(Effect.scoped),
  )

  it.effect("has every reading of the clock as far ahead", () =>
    Effect.gen(function* () {
      let seen: ReadonlyArray<number> = []
      const reading = Effect.map(readings, (read) => {
        seen = read
        return undefined as never
      })
      const store = yield* storeOf(
        Layer.succeed(CircuitBreakerStore, {
          admit: () => reading,
          record: () => reading,
          state: () => reading,
        }),
      )
      yield* TestClock.setTime(5_000)
      yield* store.state("upstream")
      const now = seen
      yield* Effect.provideService(store.state("upstream"), Ahead, 1_500)
      assert.deepStrictEqual(
        seen.map((reading, place) => reading - now[place]!),
        Array.from({ length: 6 }, () => 1_500),
      )
      // A part of a millisecond ahead is at least that part in nanoseconds.
      yield* Effect.provideService(store.state("upstream"), Ahead, 0.25)
      assert.deepStrictEqual(
        seen.map((reading, place) => reading - now[place]!),
        [0.25, 0.25, 1, 1, 1, 1],
      )
    }).pipe(Effect.scoped),
  )
})
