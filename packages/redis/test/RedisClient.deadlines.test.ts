/** One timer serves all commands that wait, each to its own deadline. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { describe, expect } from "vitest"
import * as deadlines from "../src/internal/clientDeadlines.ts"

describe("deadlines", () => {
  it.effect("each expires at its own time, unless it was removed", () =>
    Effect.gen(function* () {
      const expired: Array<string> = []
      const all = yield* deadlines.make(100)
      const add = (name: string) => all.add(() => expired.push(name))
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
      all.add(() => {
        expired.push("a")
        all.add(() => expired.push("b"))
      })
      yield* TestClock.adjust(100)
      expect(expired).toEqual(["a"])
      yield* TestClock.adjust(99)
      expect(expired).toEqual(["a"])
      yield* TestClock.adjust(1)
      expect(expired).toEqual(["a", "b"])
    }),
  )

  it.effect("nothing expires after the scope is closed", () =>
    Effect.gen(function* () {
      const expired: Array<string> = []
      const scope = yield* Scope.make()
      const all = yield* Scope.provide(deadlines.make(100), scope)
      all.add(() => expired.push("a"))
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust(1_000)
      expect(expired).toEqual([])
    }),
  )
})
