/** Fibers that wait for another node's change of a key. */
import { expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { ChangeSignals } from "../../../src/internal/state/changeSignals.ts"

const waiting = (signals: ChangeSignals) => {
  const signal = signals.open("k")
  return {
    signal,
    wait: Effect.forkChild(signal.wait(Effect.sleep(1_000)), { startImmediately: true }),
  }
}

it.effect("a message ends the wait of each fiber at its key, and of no other", () =>
  Effect.gen(function* () {
    const signals = new ChangeSignals()
    const one = yield* waiting(signals).wait
    const two = yield* waiting(signals).wait
    signals.hear("another")
    yield* Effect.yieldNow
    expect([one.pollUnsafe(), two.pollUnsafe()]).toEqual([undefined, undefined])
    signals.hear("k")
    yield* Fiber.join(one)
    yield* Fiber.join(two)
  }),
)

it.effect("a message from before the wait ends it at once, unless it was forgotten", () =>
  Effect.gen(function* () {
    const signals = new ChangeSignals()
    const { signal } = waiting(signals)
    signals.hear("k")
    yield* signal.wait(Effect.never)
    yield* signal.wait(Effect.never)
    signal.reset()
    const fiber = yield* Effect.forkChild(signal.wait(Effect.sleep(10)), { startImmediately: true })
    expect(fiber.pollUnsafe()).toBe(undefined)
    yield* TestClock.adjust(10)
    yield* Fiber.join(fiber)
  }),
)

it.effect("a wait that was interrupted is woken no more, and a closed signal is forgotten", () =>
  Effect.gen(function* () {
    const signals = new ChangeSignals()
    const first = waiting(signals)
    const second = waiting(signals)
    yield* Effect.flatMap(first.wait, Fiber.interrupt)
    signals.hear("k")
    first.signal.close()
    expect(signals.size).toBe(1)
    second.signal.close()
    expect(signals.size).toBe(0)
  }),
)
