/** Events of a larder: their cost, and their subscribers. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, PubSub, Scope } from "effect"
import { Observer } from "../../../src/internal/observe/eventHub.ts"

/** An observer, with the readings of its clock and what it has asked to be done soon. */
const make = Effect.map(Clock.Clock, (clock) => {
  const seen = { readings: 0 }
  const soon: Array<() => void> = []
  const watched: Clock.Clock = {
    currentTimeMillisUnsafe: () => {
      seen.readings += 1
      return clock.currentTimeMillisUnsafe()
    },
    currentTimeMillis: clock.currentTimeMillis,
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
    currentTimeNanos: clock.currentTimeNanos,
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration),
  }
  const observer = new Observer("watched", watched, (task) => soon.push(task))
  const miss = () => observer.tell({ _tag: "Miss", key: "k", cause: "new" })
  return { miss, observer, seen, soon }
})

const taking = <A>(subscription: PubSub.Subscription<A>) =>
  Effect.forkChild(PubSub.take(subscription), { startImmediately: true })

describe("an event", () => {
  it.effect("is not made where nobody listens", () =>
    Effect.gen(function* () {
      const { miss, observer, seen } = yield* make
      assert.strictEqual(observer.listeners, 0)
      miss()
      assert.strictEqual(seen.readings, 0)
      yield* Effect.scoped(observer.subscribe)
      assert.strictEqual(observer.listeners, 0)
      miss()
      assert.strictEqual(seen.readings, 0)
    }),
  )

  it.effect("has the name of its larder and the time", () =>
    Effect.gen(function* () {
      const { miss, observer } = yield* make
      const subscription = yield* observer.subscribe
      miss()
      observer.tellHit("k", "memory")
      assert.deepStrictEqual(yield* PubSub.takeAll(subscription), [
        { _tag: "Miss", larder: "watched", at: 0, key: "k", cause: "new" },
        { _tag: "Hit", larder: "watched", at: 0, key: "k", tier: "memory" },
      ])
    }).pipe(Effect.scoped),
  )

  it.effect("is heard by those who still listen when others have left", () =>
    Effect.gen(function* () {
      const { miss, observer } = yield* make
      const leaving = yield* Scope.make()
      yield* Scope.provide(observer.subscribe, leaving)
      const staying = yield* observer.subscribe
      assert.strictEqual(observer.listeners, 2)
      yield* Scope.close(leaving, Exit.void)
      assert.strictEqual(observer.listeners, 1)
      miss()
      assert.strictEqual((yield* PubSub.takeAll(staying)).length, 1)
    }).pipe(Effect.scoped),
  )

  it.effect("wakes those who wait, once for many and only where anybody does", () =>
    Effect.gen(function* () {
      const { miss, observer, soon } = yield* make
      const [one, other] = [yield* observer.subscribe, yield* observer.subscribe]
      miss()
      assert.strictEqual(soon.length, 0)
      yield* PubSub.takeAll(one)
      yield* PubSub.takeAll(other)
      for (let round = 1; round <= 2; round += 1) {
        const waiting = [yield* taking(one), yield* taking(other)]
        miss()
        miss()
        assert.strictEqual(soon.length, round)
        soon.at(-1)!()
        for (const fiber of waiting) assert.strictEqual((yield* Fiber.join(fiber))._tag, "Miss")
        yield* PubSub.takeAll(one)
        yield* PubSub.takeAll(other)
      }
    }).pipe(Effect.scoped),
  )

  it.effect("that was lost is told of, also where it is a single one", () =>
    Effect.gen(function* () {
      const { miss, observer } = yield* make
      const slow = yield* observer.subscribe
      for (let i = 0; i < 4_097; i += 1) miss()
      assert.strictEqual((yield* PubSub.takeAll(slow)).length, 4_096)
      miss()
      const [dropped, next, ...more] = yield* PubSub.takeAll(slow)
      assert.deepInclude(dropped, { _tag: "Dropped", larder: "watched", at: 0, count: 1 })
      assert.deepInclude(next, { _tag: "Miss" })
      assert.deepStrictEqual(more, [])
      miss()
      assert.strictEqual((yield* PubSub.takeAll(slow)).length, 1)
    }).pipe(Effect.scoped),
  )

  it.effect("law 22: is not made any more once the larder is closed", () =>
    Effect.gen(function* () {
      const { miss, observer, seen } = yield* make
      yield* observer.subscribe
      yield* observer.close
      assert.strictEqual(observer.listeners, 0)
      const late = yield* observer.subscribe
      assert.strictEqual(observer.listeners, 0)
      miss()
      assert.strictEqual(seen.readings, 0)
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(PubSub.take(late))))
    }).pipe(Effect.scoped),
  )
})
