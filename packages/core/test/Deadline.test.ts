import { assert, describe, it } from "@effect/vitest"
import { Clock, Data, type Duration, Effect, Exit, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"
import { Deadline } from "../src/index.ts"

const fork = Effect.forkChild({ startImmediately: true })

class TooSlow extends Data.TaggedError("TooSlow") {}

const onTimeout = () => new TooSlow()

/** How long an effect took, and how it ended. */
const timed = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const start = yield* Clock.currentTimeMillis
    const exit = yield* Effect.exit(effect)
    return { exit, millis: (yield* Clock.currentTimeMillis) - start }
  })

const inVirtualTime = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* fork(timed(effect))
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.join(fiber)
  })

/** Counts the sleeps it is asked for. */
const countingClock = Effect.map(Clock.clockWith(Effect.succeed), (clock) => {
  const counter = { sleeps: 0 }
  const counting: Clock.Clock = Object.assign(Object.create(clock), {
    sleep: (duration: Duration.Duration) => {
      counter.sleeps++
      return clock.sleep(duration)
    },
  })
  return { counter, counting }
})

describe("Deadline.hard", () => {
  it.effect("an effect that ends in time is not touched", () =>
    Effect.gen(function* () {
      const slow = Effect.delay(Effect.succeed(1), "50 millis")
      const { exit, millis } = yield* inVirtualTime(
        Deadline.hard(slow, { after: "100 millis", onTimeout }),
      )
      assert.deepStrictEqual(exit, Exit.succeed(1))
      assert.strictEqual(millis, 50)
    }),
  )

  it.effect("at the deadline the effect is interrupted and onTimeout answers", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const never = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      const { exit, millis } = yield* inVirtualTime(
        never.pipe(Deadline.hard({ after: "100 millis", onTimeout })),
      )
      assert.deepStrictEqual(exit, Exit.fail(new TooSlow()))
      assert.strictEqual(millis, 100)
      assert.strictEqual(interrupted, 1)
    }),
  )

  it.effect("an effect that ignores its interruption is not waited for", () =>
    Effect.gen(function* () {
      let ended = false
      const stubborn = Effect.uninterruptible(
        Effect.andThen(
          Effect.sleep("10 seconds"),
          Effect.sync(() => (ended = true)),
        ),
      )
      const fiber = yield* fork(
        timed(Deadline.hard(stubborn, { after: "100 millis", onTimeout: () => Effect.succeed(0) })),
      )
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(
        fiber.pollUnsafe(),
        Exit.succeed({ exit: Exit.succeed(0), millis: 100 }),
      )
      assert.isFalse(ended)
      yield* TestClock.adjust("10 seconds")
      assert.isTrue(ended)
    }),
  )

  it.effect("holds for a caller that cannot be interrupted", () =>
    Effect.gen(function* () {
      const { exit, millis } = yield* inVirtualTime(
        Effect.uninterruptible(Deadline.hard(Effect.never, { after: 100, onTimeout })),
      )
      assert.deepStrictEqual(exit, Exit.fail(new TooSlow()))
      assert.strictEqual(millis, 100)
    }),
  )

  it.effect("a deadline of 0 gives an effect up at once that does not end at once", () =>
    Effect.gen(function* () {
      const within = Deadline.hard({ after: 0, onTimeout })
      assert.strictEqual(yield* within(Effect.succeed(1)), 1)
      const { exit, millis } = yield* inVirtualTime(within(Effect.never))
      assert.deepStrictEqual(exit, Exit.fail(new TooSlow()))
      assert.strictEqual(millis, 0)
    }),
  )

  it.effect("a synchronous effect starts no timer, an asynchronous one does", () =>
    Effect.gen(function* () {
      const { counter, counting } = yield* countingClock
      const within = Deadline.hard({ after: 100, onTimeout })
      const sync = yield* Effect.provideService(within(Effect.succeed(1)), Clock.Clock, counting)
      assert.deepStrictEqual([sync, counter.sleeps], [1, 0])
      const later = within(Effect.as(Effect.yieldNow, 2))
      assert.strictEqual(yield* Effect.provideService(later, Clock.Clock, counting), 2)
      assert.strictEqual(counter.sleeps, 1)
    }),
  )

  it.effect("failure, defect and interruption of the effect are its caller's", () =>
    Effect.gen(function* () {
      const within = Deadline.hard({ after: "1 second", onTimeout })
      for (const exit of [Exit.fail("no"), Exit.die("broken"), Exit.interrupt(7)]) {
        assert.deepStrictEqual(yield* Effect.exit(within(exit)), exit)
        const later = yield* Effect.exit(within(Effect.andThen(Effect.yieldNow, exit)))
        assert.deepStrictEqual(later, exit)
      }
    }),
  )

  it.effect(
    "an interrupted caller interrupts the effect, and waits for it at most until the deadline",
    () =>
      Effect.gen(function* () {
        const cleanup = (duration: Duration.Input) =>
          Effect.onInterrupt(Effect.never, () => Effect.sleep(duration))
        const leave = (effect: Effect.Effect<unknown, TooSlow>) =>
          Effect.gen(function* () {
            const caller = yield* fork(effect)
            const leaving = yield* fork(timed(Fiber.interrupt(caller)))
            yield* TestClock.adjust("1 minute")
            return (yield* Fiber.join(leaving)).millis
          })
        const within = Deadline.hard({ after: "100 millis", onTimeout })
        assert.strictEqual(yield* leave(within(cleanup("30 millis"))), 30)
        assert.strictEqual(yield* leave(within(cleanup("10 seconds"))), 100)
      }),
  )

  it.effect("infinite means no deadline", () =>
    Effect.gen(function* () {
      const slow = Effect.delay(Effect.succeed(1), "50 seconds")
      const { exit } = yield* inVirtualTime(Deadline.hard(slow, { after: "Infinity", onTimeout }))
      assert.deepStrictEqual(exit, Exit.succeed(1))
    }),
  )
})

describe("Deadline.soft", () => {
  const stale = () => Effect.succeedSome("stale")

  it.effect("gives the effect's result when that is earlier", () =>
    Effect.gen(function* () {
      const load = Effect.delay(Effect.succeed("fresh"), "50 millis")
      const { exit, millis } = yield* inVirtualTime(
        Deadline.soft(load, { after: "100 millis", orElse: stale }),
      )
      assert.deepStrictEqual(exit, Exit.succeed("fresh"))
      assert.strictEqual(millis, 50)
    }),
  )

  it.effect(
    "asks for nothing else once the effect has ended, and at once with a deadline of 0",
    () =>
      Effect.gen(function* () {
        let asked = 0
        const orElse = () => Effect.sync(() => ((asked += 1), Option.some("stale")))
        const load = Effect.delay(Effect.succeed("fresh"), "50 millis")
        const { exit } = yield* inVirtualTime(Deadline.soft(load, { after: "100 millis", orElse }))
        assert.deepStrictEqual([exit, asked], [Exit.succeed("fresh"), 0])
        const { millis } = yield* inVirtualTime(Deadline.soft(load, { after: 0, orElse }))
        assert.deepStrictEqual([millis, asked], [0, 1])
      }),
  )

  it.effect("answers at the deadline, and the effect goes on to its end", () =>
    Effect.gen(function* () {
      let stored: string | undefined
      const load = Effect.andThen(
        Effect.sleep("1 second"),
        Effect.sync(() => (stored = "fresh")),
      )
      const fiber = yield* fork(load.pipe(Deadline.soft({ after: "100 millis", orElse: stale })))
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(yield* Fiber.join(fiber), "stale")
      assert.isUndefined(stored)
      yield* TestClock.adjust("900 millis")
      assert.strictEqual(stored, "fresh")
    }),
  )

  it.effect("with nothing to give the caller goes on waiting", () =>
    Effect.gen(function* () {
      const load = Effect.delay(Effect.succeed("fresh"), "1 second")
      const { exit, millis } = yield* inVirtualTime(
        Deadline.soft(load, { after: 100, orElse: () => Effect.succeedNone }),
      )
      assert.deepStrictEqual(exit, Exit.succeed("fresh"))
      assert.strictEqual(millis, 1000)
    }),
  )

  it.effect("undefined is a value like any other", () =>
    Effect.gen(function* () {
      const orElse = () => Effect.succeedSome(undefined)
      const { exit } = yield* inVirtualTime(Deadline.soft(Effect.never, { after: 100, orElse }))
      assert.deepStrictEqual(exit, Exit.succeed(undefined))
    }),
  )

  it.effect("the effect still answers while orElse is looking", () =>
    Effect.gen(function* () {
      const load = Effect.delay(Effect.succeed("fresh"), "150 millis")
      const orElse = () => Effect.delay(Effect.succeedSome("stale"), "100 millis")
      const { exit, millis } = yield* inVirtualTime(Deadline.soft(load, { after: 100, orElse }))
      assert.deepStrictEqual(exit, Exit.succeed("fresh"))
      assert.strictEqual(millis, 150)
    }),
  )

  it.effect("what orElse fails with is the answer; a late failure of the effect is ignored", () =>
    Effect.gen(function* () {
      const load = Effect.delay(Effect.fail("late"), "1 second")
      const failing = yield* inVirtualTime(
        Deadline.soft(load, { after: 100, orElse: () => Effect.fail("nothing stale") }),
      )
      assert.deepStrictEqual(failing, { exit: Exit.fail("nothing stale"), millis: 100 })
      const given = yield* inVirtualTime(Deadline.soft(load, { after: 100, orElse: stale }))
      assert.deepStrictEqual(given, { exit: Exit.succeed("stale"), millis: 100 })
    }),
  )

  it.effect("served in time also inside an uninterruptible caller", () =>
    Effect.gen(function* () {
      const { millis } = yield* inVirtualTime(
        Effect.uninterruptible(Deadline.soft(Effect.never, { after: 100, orElse: stale })),
      )
      assert.strictEqual(millis, 100)
    }),
  )

  it.effect(
    "a caller interrupted before the answer interrupts the effect, and after it does not",
    () =>
      Effect.gen(function* () {
        let interrupted = 0
        const load = Effect.onInterrupt(Effect.sleep("1 second"), () =>
          Effect.sync(() => interrupted++),
        )
        const answer = Deadline.soft(load, { after: 100, orElse: stale })
        const before = yield* fork(answer)
        yield* Fiber.interrupt(before)
        assert.strictEqual(interrupted, 1)
        const after = yield* fork(Effect.andThen(answer, Effect.never))
        yield* TestClock.adjust("100 millis")
        yield* Fiber.interrupt(after)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(interrupted, 1)
      }),
  )

  it.effect("a synchronous effect starts no timer", () =>
    Effect.gen(function* () {
      const { counter, counting } = yield* countingClock
      const answer = Deadline.soft(Effect.succeed("fresh"), { after: 0, orElse: stale })
      assert.strictEqual(yield* Effect.provideService(answer, Clock.Clock, counting), "fresh")
      assert.strictEqual(counter.sleeps, 0)
    }),
  )
})
