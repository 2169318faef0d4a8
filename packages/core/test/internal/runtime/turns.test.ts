/** Work on many keys takes turns of the event loop, one piece in each. */
import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { turnsByHand } from "../../support/turnsByHand.ts"
import { wallClock } from "../../support/wallClock.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const waiting = Effect.gen(function* () {
  const { asked, next, turns } = yield* turnsByHand
  const began: Array<string> = []
  const wait = (name: string) => fork(Effect.map(turns.next, () => began.push(name)))
  return { asked, next, began, wait }
})

describe("work on many", () => {
  const done = (count: number) =>
    Effect.gen(function* () {
      const { asked, next, turns } = yield* turnsByHand
      const all = Array.from({ length: count }, (_, i) => i)
      const worked: Array<readonly [number, number]> = []
      const fiber = yield* fork(turns.each(all, (one, place) => worked.push([one, place])))
      return { all, asked, fiber, next, turns, worked }
    })

  it.effect("is done in their order, a hundred in a turn, the first ones at once", () =>
    Effect.gen(function* () {
      const { all, asked, fiber, next, worked } = yield* done(250)
      expect(worked.length).toBe(100)
      yield* next
      expect(worked.length).toBe(200)
      expect(fiber.pollUnsafe()).toBe(undefined)
      yield* next
      yield* Fiber.join(fiber)
      expect(worked).toEqual(all.map((one) => [one, one]))
      expect(asked()).toBe(0)
    }),
  )

  it.effect("leaves the rest for a later turn when the clock says that it takes too long", () =>
    Effect.gen(function* () {
      const { block, clock } = yield* wallClock
      const { asked, next, turns } = yield* Effect.provideService(turnsByHand, Clock.Clock, clock)
      const worked: Array<number> = []
      const slowly = (millis: number) => (one: number) => {
        worked.push(one)
        block(millis)
      }
      const all = [0, 1, 2, 3, 4, 5, 6, 7, 8]
      const fiber = yield* fork(turns.each(all, slowly(1)))
      expect(worked).toEqual([0, 1, 2])
      yield* next
      expect(worked).toEqual([0, 1, 2, 3, 4, 5])
      yield* next
      yield* Fiber.join(fiber)
      expect(worked).toEqual(all)
      yield* next
      yield* Fiber.join(yield* fork(turns.each([9, 10, 11], slowly(1))))
      expect(worked).toEqual([...all, 9, 10, 11])
      yield* next
      expect(asked()).toBe(0)
    }),
  )

  it.effect("shares the time of a turn with the work before it in that turn", () =>
    Effect.gen(function* () {
      const { block, clock } = yield* wallClock
      const { asked, next, turns } = yield* Effect.provideService(turnsByHand, Clock.Clock, clock)
      const worked: Array<string> = []
      const all = ["a", "b", "c"]
      const work = (name: string) => (one: string) => {
        worked.push(name + one)
        block(1)
      }
      yield* Fiber.join(yield* fork(turns.each(all.slice(1), work("1"))))
      const second = yield* fork(turns.each(all, work("2")))
      const third = yield* fork(turns.each(all, work("3")))
      expect(worked).toEqual(["1b", "1c", "2a"])
      yield* next
      expect(worked).toEqual(["1b", "1c", "2a", "2b", "2c"])
      yield* next
      yield* Fiber.join(second)
      yield* Fiber.join(third)
      expect(worked.slice(5)).toEqual(["3a", "3b", "3c"])
      yield* next
      expect(asked()).toBe(0)
    }),
  )

  it.effect("counts what its turn did before the work itself", () =>
    Effect.gen(function* () {
      const { block, clock } = yield* wallClock
      const { next, turns } = yield* Effect.provideService(turnsByHand, Clock.Clock, clock)
      const worked: Array<number> = []
      const lookedUp = Effect.sync(() => block(4))
      const work = turns.each([0, 1], (one) => worked.push(one))
      const fiber = yield* fork(Effect.andThen(Effect.andThen(turns.next, lookedUp), work))
      yield* next
      expect(worked).toEqual([])
      yield* next
      yield* Fiber.join(fiber)
      expect(worked).toEqual([0, 1])
    }),
  )

  it.effect("waits for no turn where they are few", () =>
    Effect.gen(function* () {
      for (const count of [0, 1, 100]) {
        const { asked, fiber, turns, worked } = yield* done(count)
        expect(worked.length).toBe(count)
        yield* Fiber.join(fiber)
        yield* Fiber.join(yield* fork(turns.forMany(worked)))
        expect(asked()).toBe(0)
      }
    }),
  )

  it.effect("begins in a turn of its own where something was done for them before", () =>
    Effect.gen(function* () {
      const { next, turns } = yield* turnsByHand
      const fiber = yield* fork(turns.forMany(Array.from({ length: 101 })))
      expect(fiber.pollUnsafe()).toBe(undefined)
      yield* next
      yield* Fiber.join(fiber)
    }),
  )
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
