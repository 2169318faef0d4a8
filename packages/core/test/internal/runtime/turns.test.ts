/** Work on many keys takes turns of the event loop, one piece in each. */
import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import type { Patience } from "../../../src/internal/runtime/turns.ts"
import { turnsByHand } from "../../support/turnsByHand.ts"
import { wallClock } from "../../support/wallClock.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** Work that takes so many milliseconds in its turn. */
const waiting = Effect.gen(function* () {
  const { block, clock } = yield* wallClock
  const byHand = yield* Effect.provideService(turnsByHand, Clock.Clock, clock)
  const began: Array<string> = []
  const wait = (name: string, takes = 0) =>
    fork(
      Effect.map(byHand.turns.next, () => {
        began.push(name)
        block(takes)
      }),
    )
  return { ...byHand, began, wait }
})

/** Work that takes a millisecond for each key. */
const working = Effect.gen(function* () {
  const { block, clock } = yield* wallClock
  const byHand = yield* Effect.provideService(turnsByHand, Clock.Clock, clock)
  const worked: Array<string> = []
  const slowly = (name: string, count: number, patience?: Patience) => {
    const all = Array.from({ length: count }, (_, i) => `${name}${i}`)
    const work = (one: string) => {
      worked.push(one)
      block(1)
    }
    return fork(byHand.turns.each(all, work, patience))
  }
  return { ...byHand, block, slowly, worked }
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
      const { asked, next, slowly, worked } = yield* working
      const first = yield* slowly("a", 2)
      const second = yield* slowly("b", 101)
      const third = yield* slowly("c", 101)
      yield* Fiber.join(first)
      expect(worked.splice(0)).toEqual(["a0", "a1", "b0"])
      yield* next
      expect(worked.splice(0)).toEqual(["b1", "b2", "b3"])
      yield* next
      expect(worked.splice(0)).toEqual(["c0", "c1", "c2"])
      yield* Fiber.interruptAll([second, third])
      yield* next
      expect(asked()).toBe(0)
    }),
  )

  it.effect("counts what its turn did before the work itself", () =>
    Effect.gen(function* () {
      const { block, next, slowly, turns, worked } = yield* working
      const lookedUp = Effect.sync(() => block(4))
      const fiber = yield* fork(Effect.andThen(turns.next, lookedUp))
      yield* next
      yield* Fiber.join(fiber)
      yield* slowly("a", 17)
      expect(worked).toEqual([])
      yield* next
      expect(worked).toEqual(["a0", "a1", "a2"])
    }),
  )

  it.effect("begins at once in a turn that is used up where it is on 16 keys at most", () =>
    Effect.gen(function* () {
      const { next, slowly, worked } = yield* working
      yield* slowly("many", 101)
      worked.splice(0)
      yield* slowly("a", 17)
      yield* slowly("b", 16)
      expect(worked.splice(0)).toEqual(["b0"])
      yield* next
      expect(worked).toEqual(["a0", "a1", "a2", "b1", "b2", "b3"])
    }),
  )

  it.effect("has a piece in each turn where it is on a hundred at most, however many wait", () =>
    Effect.gen(function* () {
      const { next, slowly, worked } = yield* working
      yield* slowly("many", 101)
      const names = Array.from({ length: 20 }, (_, i) => `${i}:`)
      for (const name of names) yield* slowly(name, 100)
      worked.splice(0)
      yield* next
      expect(worked).toEqual(expect.arrayContaining(names.map((name) => `${name}2`)))
      yield* next
      expect(worked).toEqual(expect.arrayContaining(names.map((name) => `${name}5`)))
    }),
  )

  it.effect("has a piece in every other turn where others have one in each", () =>
    Effect.gen(function* () {
      const { next, slowly, worked } = yield* working
      yield* slowly("many", 101)
      yield* slowly("a", 100)
      const ofMany: Array<boolean> = []
      for (const _ of [1, 2, 3, 4]) {
        worked.splice(0)
        yield* next
        ofMany.push(worked.some((one) => one.startsWith("many")))
      }
      expect(ofMany).toEqual([false, true, false, true])
    }),
  )

  it.effect("is done with in one turn once its deadline has passed", () =>
    Effect.gen(function* () {
      const { block, next, slowly, worked } = yield* working
      yield* slowly("other", 101)
      const fiber = yield* slowly("a", 250, { by: 20 })
      yield* next
      yield* next
      expect(worked.filter((one) => one.startsWith("a")).length).toBeLessThan(7)
      block(20)
      yield* next
      yield* Fiber.join(fiber)
      expect(worked.filter((one) => one.startsWith("a")).length).toBe(250)
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
  it.effect("has the work that there is time for, in the order in which it came", () =>
    Effect.gen(function* () {
      const { asked, began, next, wait } = yield* waiting
      for (const name of ["a", "b", "c", "d"]) yield* wait(name, 2)
      expect(began).toEqual([])
      for (const so of [
        ["a", "b"],
        ["c", "d"],
      ]) {
        expect(asked()).toBe(1)
        yield* next
        expect(began.splice(0)).toEqual(so)
      }
      yield* next
      expect(asked()).toBe(0)
    }),
  )

  it.effect("has what callers wait for first, and the rest no later than in the next turn", () =>
    Effect.gen(function* () {
      const { next, slowly, turns, worked } = yield* working
      const later = yield* fork(Effect.map(turns.next, () => worked.push("later")))
      yield* slowly("a", 101)
      yield* slowly("b", 101)
      worked.splice(0)
      yield* next
      expect(worked.splice(0)).toEqual(["a3", "a4", "a5"])
      yield* next
      yield* Fiber.join(later)
      expect(worked[0]).toBe("later")
      expect(worked.slice(1)).toEqual(["b0", "b1", "b2"])
    }),
  )

  it.effect("that follows is had without queueing", () =>
    Effect.gen(function* () {
      const { began, next, turns, wait } = yield* waiting
      for (const name of ["a", "b"]) yield* wait(name, 4)
      yield* fork(Effect.map(turns.following, () => began.push("prompt")))
      yield* next
      expect(began).toEqual(["prompt", "a"])
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
