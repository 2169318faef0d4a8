import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Coalesce } from "../src/index.ts"

const fork = Effect.forkChild({ startImmediately: true })

/** A run that takes 100 ms, and what became of its executions. */
const makeProbe = () => {
  const seen = { started: 0, finished: 0, interrupted: 0 }
  const run = Effect.suspend(() => {
    seen.started++
    return Effect.sleep("100 millis")
  }).pipe(
    Effect.andThen(Effect.sync(() => ++seen.finished)),
    Effect.onInterrupt(() => Effect.sync(() => seen.interrupted++)),
  )
  return { seen, run }
}

describe("Coalesce", () => {
  it.effect("10,000 concurrent callers share one run", () =>
    Effect.gen(function* () {
      const coalesce = Coalesce.make<string, number>()
      const { run, seen } = makeProbe()
      const callers = yield* fork(
        Effect.forEach(Array.from({ length: 10_000 }), () => coalesce("k")(run), {
          concurrency: "unbounded",
        }),
      )
      yield* TestClock.adjust("100 millis")
      const values = yield* Fiber.join(callers)
      assert.deepStrictEqual(new Set(values), new Set([1]))
      assert.deepStrictEqual(seen, { started: 1, finished: 1, interrupted: 0 })
    }),
  )

  it.effect("runs of two keys overlap in time", () =>
    Effect.gen(function* () {
      const coalesce = Coalesce.make<string, number>()
      const { run, seen } = makeProbe()
      yield* fork(coalesce("a", run))
      yield* fork(coalesce("b", run))
      assert.strictEqual(seen.started, 2)
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(seen.finished, 2)
    }),
  )

  it.effect("nothing is remembered after a run, synchronous or not", () =>
    Effect.gen(function* () {
      const coalesce = Coalesce.make<string, number>()
      let runs = 0
      const run = coalesce(
        "k",
        Effect.sync(() => ++runs),
      )
      assert.strictEqual(yield* run, 1)
      assert.strictEqual(yield* run, 2)
    }),
  )

  it.effect("failure and defect are the same for every waiter, and free the key", () =>
    Effect.gen(function* () {
      const coalesce = Coalesce.make<string, number, string>()
      for (const cause of [Cause.fail("no"), Cause.die("broken")]) {
        let runs = 0
        const run = Effect.suspend(() => {
          runs++
          return Effect.delay(Effect.failCause(cause), "1 milli")
        })
        const callers = yield* fork(
          Effect.forEach([1, 2, 3], () => Effect.exit(coalesce("k", run)), {
            concurrency: "unbounded",
          }),
        )
        yield* TestClock.adjust("1 milli")
        const exits = yield* Fiber.join(callers)
        assert.deepStrictEqual(
          exits,
          [1, 2, 3].map(() => Exit.failCause(cause)),
        )
        assert.strictEqual(runs, 1)
        assert.strictEqual(yield* coalesce("k", Effect.succeed(7)), 7)
      }
    }),
  )

  it.effect("interrupting the first caller disturbs nobody", () =>
    Effect.gen(function* () {
      const coalesce = Coalesce.make<string, number>()
      const { run, seen } = makeProbe()
      const first = yield* fork(coalesce("k", run))
      const second = yield* fork(coalesce("k", run))
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(yield* Fiber.join(second), 1)
      assert.deepStrictEqual(seen, { started: 1, finished: 1, interrupted: 0 })
    }),
  )

  it.effect("when the last waiter leaves, the run is interrupted and the key is free at once", () =>
    Effect.gen(function* () {
      const coalesce = Coalesce.make<string, number>()
      const { run, seen } = makeProbe()
      const stubborn = Effect.uninterruptible(run)
      const callers = [yield* fork(coalesce("k", stubborn)), yield* fork(coalesce("k", stubborn))]
      // returns although the run disobeys: leaving does not wait for it
      yield* Fiber.interruptAll(callers)
      const newcomer = yield* fork(coalesce("k", Effect.as(run, 42)))
      assert.strictEqual(seen.started, 2)
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(yield* Fiber.join(newcomer), 42)

      const obedient = yield* fork(coalesce("k", run))
      yield* Fiber.interrupt(obedient)
      assert.strictEqual(seen.interrupted, 1)
    }),
  )

  it.effect("the end of an abandoned run does not touch the run after it", () =>
    Effect.gen(function* () {
      const coalesce = Coalesce.make<string, number>()
      const stubborn = Effect.uninterruptible(Effect.delay(Effect.succeed(1), "10 millis"))
      yield* fork(coalesce("k", stubborn)).pipe(Effect.flatMap(Fiber.interrupt))
      let runs = 0
      const next = Effect.suspend(() => Effect.delay(Effect.succeed(++runs + 1), "100 millis"))
      const second = yield* fork(coalesce("k", next))
      yield* TestClock.adjust("20 millis")
      const third = yield* fork(coalesce("k", next))
      yield* TestClock.adjust("80 millis")
      assert.deepStrictEqual([yield* Fiber.join(second), yield* Fiber.join(third)], [2, 2])
      assert.strictEqual(runs, 1)
    }),
  )

  it.effect("an interruption from inside is a defect for the waiters, not an interruption", () =>
    Effect.gen(function* () {
      const coalesce = Coalesce.make<string, number>()
      const exit = yield* Effect.exit(
        coalesce("k", Effect.andThen(Effect.yieldNow, Effect.interrupt)),
      )
      assert.deepStrictEqual(exit, Exit.die(new Coalesce.RunInterrupted({ key: "k" })))
      const mixed = Cause.combine(Cause.interrupt(1), Cause.fail("no"))
      const failing = Coalesce.make<string, number, string>()
      assert.deepStrictEqual(
        yield* Effect.exit(failing("k", Effect.failCause(mixed))),
        Exit.fail("no"),
      )
    }),
  )

  it.effect("the run sees the context of its first caller", () =>
    Effect.gen(function* () {
      const Who = Context.Reference("who", { defaultValue: () => "nobody" })
      const coalesce = Coalesce.make<string, string>()
      const ask = Effect.delay(Who, "1 milli")
      const callers = [
        yield* fork(Effect.provideService(coalesce("k", ask), Who, "first")),
        yield* fork(Effect.provideService(coalesce("k", ask), Who, "second")),
      ]
      yield* TestClock.adjust("1 milli")
      assert.deepStrictEqual(yield* Fiber.joinAll(callers), ["first", "first"])
    }),
  )

  it.effect("keys are told apart as Map does", () =>
    Effect.gen(function* () {
      const coalesce = Coalesce.make<unknown, number>()
      const { run, seen } = makeProbe()
      for (const key of [1, "1", NaN, NaN, 0, -0, { id: 1 }, { id: 1 }]) {
        yield* fork(coalesce(key, run))
      }
      assert.strictEqual(seen.started, 6)
    }),
  )

  it.effect("make is a value and an effect of itself", () =>
    Effect.gen(function* () {
      const coalesce = Coalesce.make<string, number>()
      assert.strictEqual(yield* coalesce, coalesce)
      assert.strictEqual(yield* Effect.succeed(3).pipe(coalesce("k")), 3)
    }),
  )
})
