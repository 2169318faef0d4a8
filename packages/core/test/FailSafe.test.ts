import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Deadline, type Entry, FailSafe } from "../src/index.ts"

const fork = Effect.forkChild({ startImmediately: true })

const entry: Entry.Entry<string> = {
  value: "old",
  storedAt: 0,
  freshUntil: 10,
  revalidateUntil: 20,
  staleUntil: 30,
  loadMillis: 1,
  version: 1,
  asOf: 0,
  tags: [],
}

describe("FailSafe.orStale", () => {
  it.effect("a success is given as it is, and nothing stale is looked for", () =>
    Effect.gen(function* () {
      let asked = 0
      const stale = Effect.sync(() => {
        asked++
        return entry
      })
      assert.strictEqual(yield* FailSafe.orStale(Effect.succeed("new"), { stale }), "new")
      assert.strictEqual(asked, 0)
    }),
  )

  it.effect("a stale value whose end is NaN is not given", () =>
    Effect.gen(function* () {
      const stale = () => ({ ...entry, staleUntil: Number.NaN })
      const exit = yield* Effect.exit(FailSafe.orStale(Effect.fail("down"), { stale }))
      assert.deepStrictEqual(exit, Exit.fail("down"))
    }),
  )

  it.effect("failure, defect and timeout give the stale value and tell the cause", () =>
    Effect.gen(function* () {
      const causes: Array<Cause.Cause<string>> = []
      const safe = FailSafe.orStale({
        stale: () => entry,
        onStale: (cause: Cause.Cause<string>, given) =>
          Effect.sync(() => {
            assert.strictEqual(given, entry)
            causes.push(cause)
          }),
      })
      assert.strictEqual(yield* safe(Effect.fail("no")), "old")
      assert.strictEqual(yield* safe(Effect.die("broken")), "old")
      const hanging = Deadline.hard(Effect.never, {
        after: 5,
        onTimeout: () => Effect.fail("slow"),
      })
      const fiber = yield* fork(safe(hanging))
      yield* TestClock.adjust(5)
      assert.strictEqual(yield* Fiber.join(fiber), "old")
      assert.deepStrictEqual(causes, [Cause.fail("no"), Cause.die("broken"), Cause.fail("slow")])
    }),
  )

  it.effect("by the clock of the failure, not of the call: at staleUntil there is nothing", () =>
    Effect.gen(function* () {
      const failAfter = (millis: number) =>
        Effect.delay(Effect.fail("no"), millis).pipe(FailSafe.orStale({ stale: () => entry }))
      const inTime = yield* fork(failAfter(29))
      const late = yield* fork(Effect.exit(failAfter(30)))
      yield* TestClock.adjust(30)
      assert.strictEqual(yield* Fiber.join(inTime), "old")
      assert.deepStrictEqual(yield* Fiber.join(late), Exit.fail("no"))
    }),
  )

  it.effect("with nothing stale the cause stays what it was", () =>
    Effect.gen(function* () {
      const safe = FailSafe.orStale({ stale: Effect.as(Effect.void, undefined) })
      assert.deepStrictEqual(yield* Effect.exit(safe(Effect.fail("no"))), Exit.fail("no"))
      assert.deepStrictEqual(yield* Effect.exit(safe(Effect.die("broken"))), Exit.die("broken"))
    }),
  )

  it.effect("values that look like nothing are values", () =>
    Effect.gen(function* () {
      for (const value of [undefined, null, 0, "", false, NaN]) {
        const given = yield* FailSafe.orStale(Effect.fail("no"), {
          stale: () => ({ ...entry, value }),
        })
        assert.deepStrictEqual(given, value)
      }
    }),
  )

  it.effect("in a pipe the cause has the error of the effect", () =>
    Effect.gen(function* () {
      const given = yield* Effect.fail("no" as const).pipe(
        FailSafe.orStale({
          stale: () => entry,
          onStale: (cause) => {
            expectTypeOf(cause).toEqualTypeOf<Cause.Cause<"no">>()
            return Effect.void
          },
        }),
      )
      assert.strictEqual(given, "old")
    }),
  )

  it.effect("interruption is not a failure", () =>
    Effect.gen(function* () {
      let given = 0
      const options = { stale: () => entry, onStale: () => Effect.sync(() => void given++) }
      const fiber = yield* fork(FailSafe.orStale(Effect.never, options))
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      const inside = yield* Effect.exit(FailSafe.orStale(Effect.interrupt, options))
      assert.isTrue(Exit.hasInterrupts(inside))
      assert.strictEqual(given, 0)
    }),
  )

  it.effect("a defect while looking for something stale does not hide the first cause", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        FailSafe.orStale(Effect.fail("no"), {
          stale: () => {
            throw new Error("disk")
          },
        }),
      )
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isSuccess(exit)) return
      assert.deepStrictEqual(
        exit.cause.reasons.map((reason) => reason._tag),
        ["Fail", "Die"],
      )
    }),
  )
})
