/** One timer serves all commands that wait, each to its own deadline. */
import { it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { describe, expect } from "vitest"
import * as deadlines from "../src/internal/client/deadlines.ts"

class Command extends deadlines.Waiting {
  readonly #run: () => void

  constructor(run: () => void) {
    super()
    this.#run = run
  }

  expire(): void {
    this.#run()
  }
}

const added = (all: deadlines.Deadlines, run: () => void): Command => {
  const command = new Command(run)
  all.add(command)
  return command
}

describe("deadlines", () => {
  it.effect("each expires at its own time, unless it was removed", () =>
    Effect.gen(function* () {
      const expired: Array<string> = []
      const all = yield* deadlines.make(100)
      const add = (name: string) => added(all, () => expired.push(name))
      const [first, second] = [add("a"), add("b")]
      yield* TestClock.adjust(60)
      add("c")
      const last = add("d")
      all.remove(first)
      yield* TestClock.adjust(39)
      expect(expired).toEqual([])
      yield* TestClock.adjust(1)
      expect(expired).toEqual(["b"])
      yield* TestClock.adjust(59)
      expect(expired).toEqual(["b"])
      all.remove(last)
      yield* TestClock.adjust(1)
      expect(expired).toEqual(["b", "c"])
      expect(second.at).toBe(100)
      yield* TestClock.adjust(1_000)
      add("e")
      yield* TestClock.adjust(99)
      expect(expired).toEqual(["b", "c"])
      yield* TestClock.adjust(1)
      expect(expired).toEqual(["b", "c", "e"])
    }),
  )

  it.effect("one that is added when another expires gets its whole time", () =>
    Effect.gen(function* () {
      const expired: Array<string> = []
      const all = yield* deadlines.make(100)
      added(all, () => {
        expired.push("a")
        added(all, () => expired.push("b"))
      })
      yield* TestClock.adjust(100)
      expect(expired).toEqual(["a"])
      yield* TestClock.adjust(99)
      expect(expired).toEqual(["a"])
      yield* TestClock.adjust(1)
      expect(expired).toEqual(["a", "b"])
    }),
  )

  /** On the clock of the test, of which the time of day is `set`, and which goes on by `blocked` while nothing runs. */
  const onClock = Effect.gen(function* () {
    const clock = yield* Effect.clockWith(Effect.succeed)
    const moved = { set: 0, blocked: 0 }
    const all = yield* deadlines.make(100).pipe(
      Effect.provideService(Clock.Clock, {
        ...clock,
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + moved.blocked + moved.set,
        monotonicTimeNanosUnsafe: () =>
          clock.monotonicTimeNanosUnsafe() + BigInt(moved.blocked) * 1_000_000n,
      }),
    )
    const expired: Array<string> = []
    return { add: (name: string) => added(all, () => expired.push(name)), all, expired, moved }
  })

  it.effect("law 21: a clock that is set back keeps nobody waiting", () =>
    Effect.gen(function* () {
      const { add, expired, moved } = yield* onClock
      add("a")
      moved.set = -3_600_000
      yield* TestClock.adjust(99)
      expect(expired).toEqual([])
      yield* TestClock.adjust(1)
      expect(expired).toEqual(["a"])
    }),
  )

  it.effect("law 14: a reply that came while the event loop was blocked has come in time", () =>
    Effect.gen(function* () {
      const { add, all, expired, moved } = yield* onClock
      const answered = add("answered")
      add("unanswered")
      moved.blocked = 2_900
      yield* TestClock.adjust(100)
      expect(expired).toEqual([])
      all.remove(answered)
      yield* TestClock.adjust(99)
      expect(expired).toEqual([])
      yield* TestClock.adjust(1)
      expect(expired).toEqual(["unanswered"])
    }),
  )

  it.effect("nothing expires after the scope is closed", () =>
    Effect.gen(function* () {
      const expired: Array<string> = []
      const scope = yield* Scope.make()
      const all = yield* Scope.provide(deadlines.make(100), scope)
      added(all, () => expired.push("a"))
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust(1_000)
      expect(expired).toEqual([])
    }),
  )
})
