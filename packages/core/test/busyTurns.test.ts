/** Law 9 where the event loop has no time to spare: what callers wait for does not queue behind other calls. */
import { assert, describe, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { vi } from "vitest"
import { Turns } from "../src/internal/runtime/turns.ts"
import * as scripted from "./support/scriptedTier.ts"
import { wallClock } from "./support/wallClock.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** One turn of the event loop. */
const turn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

/** A clock on which all work takes time: a twentieth of a millisecond passes whenever it is read. */
const slowClock = Effect.clockWith((clock) => {
  let read = 0n
  const monotonic = () => clock.monotonicTimeNanosUnsafe() + (read += 50_000n)
  const slow: Clock.Clock = {
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
    currentTimeMillis: clock.currentTimeMillis,
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
    currentTimeNanos: clock.currentTimeNanos,
    monotonicTimeNanosUnsafe: monotonic,
    monotonicTimeNanos: Effect.sync(monotonic),
    sleep: (duration) => clock.sleep(duration),
  }
  return Effect.succeed(slow)
})

const make = Effect.fnUntraced(function* (clock: Clock.Clock, tags: () => ReadonlyArray<string>) {
  yield* TestClock.setTime(1_790_000_000_000)
  const shared = new scripted.Script()
  const larder = yield* Larder.make({
    name: "busy",
    value: Schema.Finite,
    tags,
    policy: Policy.make({ freshFor: "1 minute", hardTimeout: "2 seconds" }),
    upstream: Upstream.make({
      lookup: (_: string) => Effect.succeed(1),
      lookupMany: (keys) => Effect.succeed(new Map(keys.map((key) => [key, 1] as const))),
    }),
    closeTimeout: 0,
  }).pipe(
    Effect.provide(
      TierStack.layer(MemoryTier.layer(), scripted.layer(shared, "shared", "batches")),
    ),
    Effect.provideService(Clock.Clock, clock),
  )
  return { larder, shared }
})

const keysOf = (call: number, count: number) =>
  Array.from({ length: count }, (_, i) => `${call} ${i}`)

describe("calls for many keys", () => {
  it.effect("law 9: small ones end within ten turns, however many have begun before", () =>
    Effect.gen(function* () {
      const { larder } = yield* make(yield* slowClock, () => [])
      let now = 0
      const took: Array<number> = []
      for (let call = 0; call < 200; call++) {
        const began = now
        const ended = () => took.push(now - began)
        yield* fork(Effect.map(larder.getMany(keysOf(call, 8)), ended))
        if (call % 4 < 3) continue
        yield* turn
        now += 1
      }
      for (let rest = 0; rest < 10; rest++) {
        yield* turn
        now += 1
      }
      assert.strictEqual(took.length, 200)
      assert.isAtMost(Math.max(...took), 10)
    }).pipe(Effect.scoped),
  )

  it.effect("law 9: a small one does not wait for the turns of large ones", () =>
    Effect.gen(function* () {
      const { larder } = yield* make(yield* slowClock, () => [])
      const large = yield* fork(larder.getMany(keysOf(0, 5_000)))
      for (let i = 0; i < 20; i++) yield* turn
      const small = yield* fork(larder.getMany(keysOf(1, 8)))
      for (let i = 0; i < 10; i++) yield* turn
      assert.isDefined(small.pollUnsafe())
      assert.isUndefined(large.pollUnsafe())
      yield* Fiber.interrupt(large)
    }).pipe(Effect.scoped),
  )

  it.effect("law 9: all keys of an answer are given by the deadline of the lookup", () =>
    Effect.gen(function* () {
      const wall = yield* wallClock
      const seen = { arrived: 0 }
      const { larder } = yield* make(wall.clock, () => {
        seen.arrived += 1
        wall.block(1)
        return []
      })
      const call = yield* fork(larder.getMany(keysOf(0, 250)))
      while (seen.arrived === 0) yield* turn
      yield* turn
      assert.isBelow(seen.arrived, 50)
      wall.block(2_000)
      for (let i = 0; i < 5; i++) yield* turn
      const found = call.pollUnsafe()
      assert.isTrue(found !== undefined && Exit.isSuccess(found))
      assert.strictEqual(seen.arrived, 250)
    }).pipe(Effect.scoped),
  )

  it.effect("law 9: one whose steps never have their turn is given up", () =>
    Effect.gen(function* () {
      const { larder } = yield* make(yield* Effect.clockWith(Effect.succeed), () => [])
      const each = vi.spyOn(Turns.prototype, "each").mockReturnValue(Effect.never)
      yield* Effect.addFinalizer(() => Effect.sync(() => each.mockRestore()))
      const call = yield* fork(larder.getMany(["a", "b"]))
      // tierBudget, as long as a lease may be waited for, and hardTimeout.
      yield* TestClock.adjust(200 + 10_000 + 1_999)
      assert.isUndefined(call.pollUnsafe())
      yield* TestClock.adjust(1)
      for (const exit of (yield* Fiber.join(call)).values()) {
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), "LookupTimeout")
      }
      assert.strictEqual((yield* larder.stats).inFlight, 0)
    }).pipe(Effect.scoped),
  )
})
