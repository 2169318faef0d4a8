/** Work on many keys takes turns of the event loop, one piece in each. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { turnsByHand } from "../support/turnsByHand.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const waiting = Effect.sync(() => {
  const { asked, next, turns } = turnsByHand()
  const began: Array<string> = []
  const wait = (name: string) => fork(Effect.map(turns.next, () => began.push(name)))
  return { asked, next, began, wait }
})

describe("a turn", () => {
  it.effect("has one piece of work, in the order in which they came", () =>
    Effect.gen(function* () {
      const { began, next, wait } = yield* waiting
      for (const name of ["a", "b", "c"]) yield* wait(name)
      expect(began).toEqual([])
      yield* next
      expect(began).toEqual(["a"])
      yield* next
      expect(began).toEqual(["a", "b"])
      yield* next
      expect(began).toEqual(["a", "b", "c"])
    }),
  )

  it.effect("is asked for once, however many wait, and no longer than some do", () =>
    Effect.gen(function* () {
      const { asked, next, wait } = yield* waiting
      for (const name of ["a", "b", "c"]) yield* wait(name)
      for (const left of [1, 1, 1, 0]) {
        expect(asked()).toBe(left)
        yield* next
      }
    }),
  )

  it.effect("is not used up by work that was given up", () =>
    Effect.gen(function* () {
      const { began, next, wait } = yield* waiting
      const first = yield* wait("a")
      yield* wait("b")
      yield* Fiber.interrupt(first)
      yield* next
      expect(began).toEqual(["b"])
    }),
  )
})
