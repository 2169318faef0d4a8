/** How a node learns the marks of other nodes: when it asks, for which marks, and which entries it trusts meanwhile. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, type Fiber } from "effect"
import { TestClock } from "effect/testing"
import { MarkReading } from "../../../src/internal/tier/markSync.ts"
import { Marks } from "../../../src/internal/invalidation/marks.ts"
import { steadyClock } from "../../../src/internal/runtime/steadyClock.ts"
import type { TierSteps } from "../../../src/internal/tier/guardedCalls.ts"
import { TierTime } from "../../../src/internal/tier/tierClock.ts"
import { type Arbiter, type MarkPage, TierError } from "../../../src/Tier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const maxAgeMillis = 5_000

/** The marks up to `last`; with `next`, those up to there. */
const pageOf = (last: number, next?: number): MarkPage => ({
  last,
  floor: 0,
  dropFloor: 0,
  marks: [],
  next,
})

const error = new TierError({ tier: "shared", operation: "marks", cause: new Error("away") })

/** The answers of an arbiter to successive requests; it repeats the last one. */
type Answer = MarkPage | "fails" | "slowly"

const reading = (...answers: ReadonlyArray<Answer>) => readingFrom(1_790_000_000_000, ...answers)

const readingFrom = (start: number, ...answers: ReadonlyArray<Answer>) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const clock = yield* steadyClock
    const marks = new Marks()
    /** The requests so far: each asks for the marks above this number. */
    const asked: Array<number> = []
    const waiting: Array<Deferred.Deferred<MarkPage, TierError>> = []
    let background = 0
    const script = [...answers]
    const arbiter = {
      marks: (since: number) =>
        Effect.suspend(() => {
          asked.push(since)
          const answer = script.length > 1 ? script.shift()! : script[0]!
          const time = clock.currentTimeMillisUnsafe()
          if (answer === "fails") return Effect.fail(error)
          if (answer !== "slowly") return Effect.succeed({ ...answer, time })
          const slow = Deferred.makeUnsafe<MarkPage, TierError>()
          waiting.push(slow)
          return Effect.map(Deferred.await(slow), (page) => ({ ...page, time }))
        }),
    } as unknown as Arbiter
    const steps = {
      run: (_: string, effect: Effect.Effect<unknown, TierError>) =>
        Effect.catch(effect, () => Effect.undefined),
    } as unknown as TierSteps
    const context = yield* Effect.context<never>()
    const marking = new MarkReading({
      arbiter,
      marks,
      clock,
      time: new TierTime(clock, "shared"),
      maxAgeMillis,
      steps: () => steps,
      fork: (effect) => {
        background += 1
        Effect.runForkWith(context)(effect)
      },
    })
    const told = (exit: Exit.Exit<MarkPage, TierError>) =>
      Effect.suspend(() => Deferred.done(waiting.shift()!, exit)).pipe(
        Effect.andThen(TestClock.adjust(0)),
      )
    return {
      marking,
      marks,
      asked,
      /** How often it went on in the background. */
      background: () => background,
      /** Answers the question that has waited longest. */
      answer: (page: MarkPage) => told(Exit.succeed(page)),
      fail: told(Exit.fail(error)),
      settled: TestClock.adjust(0),
    }
  })

const isDone = (fiber: Fiber.Fiber<unknown, unknown>) => fiber.pollUnsafe() !== undefined

describe("marks are recent", () => {
  it.effect("from the first answer on, for as long as it may be old", () =>
    Effect.gen(function* () {
      const { marking } = yield* reading(pageOf(0))
      expect([marking.isKnown, marking.isRecent]).toEqual([false, false])
      yield* marking.page
      expect([marking.isKnown, marking.isRecent]).toEqual([true, true])
      yield* TestClock.adjust(maxAgeMillis - 1)
      expect(marking.isRecent).toBe(true)
      yield* TestClock.adjust(1)
      expect([marking.isKnown, marking.isRecent]).toEqual([true, false])
    }),
  )

  it.effect("but not after messages may have been missed, until an answer to a later request", () =>
    Effect.gen(function* () {
      const { answer, asked, marking, settled } = yield* reading(pageOf(0), "slowly")
      expect(marking.isReadAfter(0)).toBe(false)
      yield* marking.page
      expect([marking.isRecent, marking.isReadAfter(0), marking.misses]).toEqual([true, true, 0])
      const begun = yield* fork(marking.page)
      yield* settled
      // At the same moment of time.
      marking.mayHaveMissed()
      expect([marking.isRecent, marking.isReadAfter(1), marking.misses]).toEqual([false, false, 1])
      // A request from now on, though an older one is under way.
      const later = yield* fork(marking.page)
      yield* settled
      expect(asked.length).toBe(3)
      yield* answer(pageOf(0))
      expect([isDone(begun), isDone(later)]).toEqual([true, false])
      expect([marking.isRecent, marking.isReadAfter(1)]).toEqual([false, false])
      yield* answer(pageOf(0))
      expect([isDone(later), marking.isRecent, marking.isReadAfter(1)]).toEqual([true, true, true])
    }),
  )

  it.effect("where monotonic time has just begun, too", () =>
    Effect.gen(function* () {
      const { marking } = yield* readingFrom(0, pageOf(0))
      expect([marking.isDue, marking.isKnown, marking.isRecent]).toEqual([true, false, false])
      yield* marking.page
      expect([marking.isDue, marking.isKnown, marking.isRecent]).toEqual([false, true, true])
    }),
  )

  it.effect("counted from when they were asked for", () =>
    Effect.gen(function* () {
      const { answer, marking } = yield* reading("slowly")
      yield* fork(marking.page)
      yield* TestClock.adjust(1_000)
      yield* answer(pageOf(0))
      yield* TestClock.adjust(maxAgeMillis - 1_001)
      expect(marking.isRecent).toBe(true)
      yield* TestClock.adjust(1)
      expect(marking.isRecent).toBe(false)
    }),
  )

  it.effect("not while there is one that was heard of and is not known", () =>
    Effect.gen(function* () {
      const { marking } = yield* reading(pageOf(5), pageOf(7))
      yield* marking.page
      marking.hear(7)
      marking.hear(6)
      expect(marking.isRecent).toBe(false)
      yield* marking.page
      expect(marking.isRecent).toBe(true)
    }),
  )

  it.effect("not where one was heard of during the trip, unless the answer has it", () =>
    Effect.gen(function* () {
      const { answer, marking } = yield* reading("slowly")
      yield* fork(marking.page)
      marking.hear(7)
      yield* answer(pageOf(6))
      expect(marking.isRecent).toBe(false)
      yield* fork(marking.page)
      marking.hear(8)
      yield* answer(pageOf(8))
      expect(marking.isRecent).toBe(true)
    }),
  )

  it.effect("though one that was heard of is lost: it will never be known", () =>
    Effect.gen(function* () {
      const { marking } = yield* reading(pageOf(5))
      marking.hear(9)
      yield* marking.page
      expect(marking.isRecent).toBe(true)
    }),
  )

  it.effect("not while pages are left that nobody reads", () =>
    Effect.gen(function* () {
      const { marking, settled } = yield* reading(pageOf(9, 3), "fails")
      yield* marking.page
      yield* settled
      expect(marking.isRecent).toBe(false)
    }),
  )

  it.effect("while the pages that are left are read: readers need not ask as well", () =>
    Effect.gen(function* () {
      const { answer, marking, settled } = yield* reading(pageOf(9, 3), "slowly")
      yield* marking.page
      yield* settled
      expect(marking.isRecent).toBe(true)
      yield* answer(pageOf(9))
      expect(marking.isRecent).toBe(true)
    }),
  )
})

describe("whoever goes by the marks without asking the arbiter", () => {
  it.effect("asks for them when they are no longer recent", () =>
    Effect.gen(function* () {
      const { marking } = yield* reading(pageOf(0))
      expect(marking.isDue).toBe(true)
      yield* marking.page
      expect(marking.isDue).toBe(false)
      yield* TestClock.adjust(maxAgeMillis)
      expect(marking.isDue).toBe(true)
    }),
  )

  it.effect("law 14: asks an arbiter that does not answer again only after a while", () =>
    Effect.gen(function* () {
      const { marking } = yield* reading("fails")
      yield* Effect.exit(marking.page)
      expect([marking.isRecent, marking.isDue]).toEqual([false, false])
      yield* TestClock.adjust(maxAgeMillis)
      expect(marking.isDue).toBe(true)
    }),
  )
})

describe("those who ask for marks at the same time", () => {
  it.effect("share a trip", () =>
    Effect.gen(function* () {
      const { answer, asked, marking } = yield* reading("slowly")
      const fibers = [yield* fork(marking.page), yield* fork(marking.page)]
      yield* answer(pageOf(0))
      expect(fibers.map(isDone)).toEqual([true, true])
      expect(asked.length).toBe(1)
    }),
  )

  it.effect("share one that begins after their turn where they want the latest", () =>
    Effect.gen(function* () {
      const { asked, marking, settled } = yield* reading(pageOf(0))
      const fibers = [yield* fork(marking.latest), yield* fork(marking.latest)]
      expect(asked.length).toBe(0)
      yield* settled
      expect(fibers.map(isDone)).toEqual([true, true])
      expect(asked.length).toBe(1)
    }),
  )
})

describe("law 18: whoever wants the latest marks", () => {
  for (const kind of ["page", "latest"] as const) {
    for (const ending of ["is answered", "fails"] as const) {
      it.effect(`is not answered by a ${kind} asked for before, which ${ending}`, () =>
        Effect.gen(function* () {
          const { answer, asked, fail, marking, marks, settled } = yield* reading("slowly")
          yield* fork(Effect.exit(marking[kind]))
          yield* settled
          const latest = yield* fork(marking.latest)
          yield* settled
          expect(asked).toEqual([0])
          yield* ending === "fails" ? fail : answer(pageOf(3))
          expect(isDone(latest)).toBe(false)
          expect(asked.length).toBe(2)
          yield* answer(pageOf(4))
          expect(isDone(latest)).toBe(true)
          expect(marks.readUpTo).toBe(4)
        }),
      )
    }
  }

  it.effect("asks once where nothing is under way", () =>
    Effect.gen(function* () {
      const { asked, marking } = yield* reading(pageOf(3))
      yield* marking.latest
      yield* marking.latest
      expect(asked).toEqual([0, 3])
    }),
  )
})

describe("marks that come in pages", () => {
  it.effect("are read to the end in the background, by one reader", () =>
    Effect.gen(function* () {
      const { asked, background, marking, marks, settled } = yield* reading(
        pageOf(9, 3),
        pageOf(9, 6),
        pageOf(9),
      )
      yield* marking.page
      yield* settled
      expect(asked).toEqual([0, 3, 6])
      expect(marks.isBehind).toBe(false)
      expect(background()).toBe(1)
    }),
  )

  it.effect("are not asked for again and again where the arbiter gives no further ones", () =>
    Effect.gen(function* () {
      const { asked, marking, settled } = yield* reading(
        pageOf(9, 3),
        pageOf(9, 3),
        pageOf(9, 3),
        pageOf(9),
      )
      yield* marking.page
      yield* settled
      expect(asked).toEqual([0, 3])
    }),
  )

  it.effect("are left to the next reader where the arbiter does not answer", () =>
    Effect.gen(function* () {
      const { asked, background, marking, marks, settled } = yield* reading(
        pageOf(9, 3),
        "fails",
        pageOf(9, 6),
        pageOf(9),
      )
      yield* marking.page
      yield* settled
      expect(asked).toEqual([0, 3])
      yield* marking.page
      yield* settled
      expect(asked).toEqual([0, 3, 3, 6])
      expect([background(), marks.isBehind, marking.isRecent]).toEqual([2, false, true])
    }),
  )

  it.effect("are left so as well where a message brought some of them meanwhile", () =>
    Effect.gen(function* () {
      const { asked, fail, marking, marks, settled } = yield* reading(pageOf(9, 3), "slowly")
      yield* marking.page
      yield* settled
      marks.merge(pageOf(9, 5), 3, 0)
      yield* fail
      expect(asked).toEqual([0, 3])
    }),
  )
})
