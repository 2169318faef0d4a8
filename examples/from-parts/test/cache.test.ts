import { EarlyRefresh } from "@larder/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { make, TooSlow } from "../src/cache.ts"

const fork = Effect.forkChild({ startImmediately: true })

/** Answers 1, 2, 3 … after a delay, unless it is down. */
const makeSource = () => {
  const source = { calls: 0, millis: 100, down: false }
  const lookup = (_key: string) =>
    Effect.suspend(() => {
      const call = ++source.calls
      return Effect.andThen(
        Effect.sleep(source.millis),
        Effect.suspend(() => (source.down ? Effect.fail("down") : Effect.succeed(call))),
      )
    })
  const get = make(lookup, {
    freshFor: 10_000,
    revalidateFor: 5_000,
    staleFor: 60_000,
    softTimeout: 200,
    hardTimeout: 2_000,
    early: EarlyRefresh.after(0.8),
  })
  const warm = Effect.gen(function* () {
    const fiber = yield* fork(get("k"))
    yield* TestClock.adjust(100)
    return yield* Fiber.join(fiber)
  })
  return { source, get, warm }
}

describe("a cache from parts", () => {
  it.effect("many callers on a cold key cause one lookup, and then there are hits", () =>
    Effect.gen(function* () {
      const { get, source } = makeSource()
      const callers = yield* fork(
        Effect.forEach(Array.from({ length: 100 }), () => get("k"), { concurrency: "unbounded" }),
      )
      yield* TestClock.adjust(100)
      assert.deepStrictEqual(new Set(yield* Fiber.join(callers)), new Set([1]))
      assert.strictEqual(yield* get("k"), 1)
      assert.strictEqual(source.calls, 1)
    }),
  )

  it.effect("early refresh: the old value at once, the lookup in the background", () =>
    Effect.gen(function* () {
      const { get, source, warm } = makeSource()
      yield* warm
      yield* TestClock.adjust(7_999)
      yield* get("k")
      assert.strictEqual(source.calls, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* get("k"), 1)
      assert.strictEqual(source.calls, 2)
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* get("k"), 2)
    }),
  )

  it.effect("in revalidate grace the stale value comes at once, and one refresh runs", () =>
    Effect.gen(function* () {
      const { get, source, warm } = makeSource()
      yield* warm
      yield* TestClock.adjust(10_000)
      assert.deepStrictEqual([yield* get("k"), yield* get("k")], [1, 1])
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* get("k"), 2)
      assert.strictEqual(source.calls, 2)
    }),
  )

  it.effect("in error grace a slow lookup is left behind at the soft timeout, and stored", () =>
    Effect.gen(function* () {
      const { get, source, warm } = makeSource()
      yield* warm
      yield* TestClock.adjust(20_000)
      source.millis = 1_000
      const caller = yield* fork(get("k"))
      yield* TestClock.adjust(199)
      assert.isUndefined(caller.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(caller), 1)
      yield* TestClock.adjust(800)
      assert.strictEqual(yield* get("k"), 2)
      assert.strictEqual(source.calls, 2)
    }),
  )

  it.effect("a failure gives the stale value until its grace ends, then the error", () =>
    Effect.gen(function* () {
      const { get, source, warm } = makeSource()
      yield* warm
      source.down = true
      const ask = Effect.gen(function* () {
        const caller = yield* fork(Effect.exit(get("k")))
        yield* TestClock.adjust(100)
        return yield* Fiber.join(caller)
      })
      yield* TestClock.adjust(69_899)
      assert.deepStrictEqual(yield* ask, Exit.succeed(1))
      assert.deepStrictEqual(yield* ask, Exit.fail("down"))
    }),
  )

  it.effect("with nothing stale the hard timeout ends the wait, and the key loads again", () =>
    Effect.gen(function* () {
      const { get, source } = makeSource()
      source.millis = 60_000
      const caller = yield* fork(Effect.exit(get("k")))
      yield* TestClock.adjust(2_000)
      assert.deepStrictEqual(yield* Fiber.join(caller), Exit.fail(new TooSlow({ key: "k" })))
      source.millis = 100
      const next = yield* fork(get("k"))
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(next), 2)
    }),
  )
})
