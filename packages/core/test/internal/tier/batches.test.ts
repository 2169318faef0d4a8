/** Leases and commits of many keys: the content of a batch, its answers, and its cost in the caller's budget. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { byPart, CommitBatches, Queues } from "../../../src/internal/tier/batches.ts"
import { TierParts } from "../../../src/internal/tier/parts.ts"
import { Budget } from "../../../src/internal/tier/budget.ts"
import type { TierSteps } from "../../../src/internal/tier/guardedCalls.ts"
import type { CommitRequest } from "../../../src/Tier.ts"
import { turnsByHand } from "../../support/turnsByHand.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** Steps that stand for a server and are never taken. */
const server = (): TierSteps => ({}) as TierSteps

const keyItself = (key: string) => key

/** A tier of several servers: the first letter of a key says which has it. */
const partsByLetter = () => new TierParts((key) => key?.[0] ?? "", server)

describe("requests to a tier of several servers", () => {
  it.effect("are answered in their order, though each server is asked for its own", () =>
    Effect.gen(function* () {
      const asked: Array<readonly [string, ReadonlyArray<string>]> = []
      const keys = ["b1", "a1", "b2", "a2"]
      const answers = yield* byPart(
        partsByLetter(),
        keys,
        keyItself,
        new Budget(200),
        (part, theirs) => {
          asked.push([part, theirs])
          return Effect.succeed(theirs.map((key) => `answer ${key}`))
        },
      )
      expect(answers).toEqual(keys.map((key) => `answer ${key}`))
      expect(asked).toEqual([
        ["b", ["b1", "b2"]],
        ["a", ["a1", "a2"]],
      ])
    }),
  )

  it.effect("law 14: cost the budget what the slowest server costs it", () =>
    Effect.gen(function* () {
      const budget = new Budget(200, 180)
      const costs: Record<string, number> = { a: 30, b: 70, c: 50 }
      const given: Array<readonly [number, number]> = []
      yield* byPart(partsByLetter(), ["a", "b", "c"], keyItself, budget, (part, theirs, own) => {
        given.push([own.whole, own.left])
        own.left -= costs[part]!
        return Effect.succeed(theirs)
      })
      expect(given).toEqual([
        [200, 180],
        [200, 180],
        [200, 180],
      ])
      expect(budget.left).toBe(110)
    }),
  )
})

describe("large requests", () => {
  const running = Effect.sync(() => {
    const queues = new Queues()
    const began: Array<string> = []
    const run = (steps: TierSteps, keys: number, name: string) =>
      fork(
        queues.run(
          steps,
          keys,
          Effect.andThen(
            Effect.sync(() => began.push(name)),
            Effect.sleep(10),
          ),
        ),
      )
    return { began, run }
  })

  it.effect("go to a server one after the other", () =>
    Effect.gen(function* () {
      const { began, run } = yield* running
      const steps = server()
      yield* run(steps, 101, "first")
      yield* run(steps, 101, "second")
      expect(began).toEqual(["first"])
      yield* TestClock.adjust(10)
      expect(began).toEqual(["first", "second"])
    }),
  )

  it.effect("wait for those to the same server alone", () =>
    Effect.gen(function* () {
      const { began, run } = yield* running
      yield* run(server(), 101, "first")
      yield* run(server(), 101, "second")
      expect(began).toEqual(["first", "second"])
    }),
  )

  it.effect("do not hold up those for a hundred keys", () =>
    Effect.gen(function* () {
      const { began, run } = yield* running
      const steps = server()
      yield* run(steps, 101, "large")
      yield* run(steps, 100, "small")
      yield* run(steps, 100, "small as well")
      expect(began).toEqual(["large", "small", "small as well"])
    }),
  )
})

/** Commits to an arbiter that answers when it is told to; turns are begun by hand. */
const committing = Effect.gen(function* () {
  const { asked, next, turns } = yield* turnsByHand
  const context = yield* Effect.context<never>()
  const sent: Array<{
    readonly keys: ReadonlyArray<string>
    readonly answer: Effect.Effect<void>
    readonly die: Effect.Effect<void>
    isBrokenOff: boolean
  }> = []
  const batches = new CommitBatches(
    (_, requests) =>
      Effect.suspend(() => {
        const answered = Deferred.makeUnsafe<void>()
        const batch = {
          keys: requests.map(({ key }) => key),
          answer: Effect.andThen(Deferred.succeed(answered, undefined), Effect.yieldNow),
          die: Effect.andThen(Deferred.die(answered, "broken"), Effect.yieldNow),
          isBrokenOff: false,
        }
        sent.push(batch)
        return Effect.onInterrupt(
          Effect.as(
            Deferred.await(answered),
            requests.map(() => "Stored" as const),
          ),
          () =>
            Effect.sync(() => {
              batch.isBrokenOff = true
            }),
        )
      }),
    Effect.runForkWith(context),
    turns,
  )
  const steps = server()
  const commit = (key: string, bytes = 1) => {
    const request: CommitRequest = {
      key,
      token: 1,
      envelope: new Uint8Array(bytes),
      lifeMillis: 1,
    }
    return fork(batches.commit(steps, request))
  }
  const commitMany = (count: number, bytes = 1) =>
    Effect.forEach(
      Array.from({ length: count }, (_, i) => `k${i}`),
      (key) => commit(key, bytes),
    )
  /** Begins turns and answers batches until nothing is left to do. */
  const settle = Effect.gen(function* () {
    let answered = 0
    for (let i = 0; i < 50; i += 1) {
      yield* next
      while (answered < sent.length) yield* sent[answered++]!.answer
    }
  })
  return {
    batches,
    turns,
    asked,
    next,
    sent,
    commit,
    commitMany,
    /** Turns until a batch of what has come is sent: in one it has grown, in the next it has not. */
    gathered: Effect.andThen(next, next),
    settle,
    sizes: () => sent.map(({ keys }) => keys.length),
  }
})

const isDone = (fiber: Fiber.Fiber<unknown, unknown>) => fiber.pollUnsafe() !== undefined

describe("a batch of commits", () => {
  it.effect("has those that came together, and gives each its answer", () =>
    Effect.gen(function* () {
      const { commitMany, gathered, sent, sizes } = yield* committing
      const fibers = yield* commitMany(3)
      expect(sizes()).toEqual([])
      yield* gathered
      expect(sent[0]?.keys).toEqual(["k0", "k1", "k2"])
      expect(fibers.some(isDone)).toBe(false)
      yield* sent[0]!.answer
      for (const fiber of fibers) expect(fiber.pollUnsafe()).toEqual(Exit.succeed("Stored"))
    }),
  )

  it.effect("is followed by one with those that came meanwhile, be it a single one", () =>
    Effect.gen(function* () {
      const { asked, commit, commitMany, next, sent, gathered } = yield* committing
      yield* commitMany(2)
      yield* gathered
      const late = yield* commit("late")
      expect(asked()).toBe(0)
      yield* sent[0]!.answer
      yield* next
      expect(sent[1]?.keys).toEqual(["late"])
      yield* sent[1]!.answer
      expect(late.pollUnsafe()).toEqual(Exit.succeed("Stored"))
    }),
  )

  it.effect("is followed by none where nothing is left to commit", () =>
    Effect.gen(function* () {
      const { asked, commitMany, next, sent, sizes } = yield* committing
      yield* commitMany(1)
      yield* next
      yield* sent[0]!.answer
      expect(asked()).toBe(0)
      yield* next
      expect(sizes()).toEqual([1])
    }),
  )

  it.effect("waits for more as long as turns bring more", () =>
    Effect.gen(function* () {
      const { commit, next, sizes } = yield* committing
      for (const name of ["a", "b", "c"]) {
        yield* commit(name)
        yield* commit(`${name} as well`)
        yield* next
        expect(sizes()).toEqual([])
      }
      yield* next
      expect(sizes()).toEqual([6])
    }),
  )

  it.effect("waits no more when it is full", () =>
    Effect.gen(function* () {
      const { commitMany, next, sizes } = yield* committing
      yield* commitMany(125)
      yield* next
      expect(sizes()).toEqual([125])
    }),
  )

  it.effect("has at most 125 keys", () =>
    Effect.gen(function* () {
      const { commitMany, settle, sizes } = yield* committing
      const fibers = yield* commitMany(251)
      yield* settle
      expect(sizes()).toEqual([125, 125, 1])
      expect(fibers.every(isDone)).toBe(true)
    }),
  )

  it.effect("has at most 1 MiB of values", () =>
    Effect.gen(function* () {
      const { commit, settle, sizes } = yield* committing
      for (const key of ["a", "b", "c", "d"]) yield* commit(key, 524_288)
      yield* commit("e", 524_289)
      yield* commit("f", 1)
      yield* settle
      expect(sizes()).toEqual([2, 2, 2])
    }),
  )

  it.effect("may be a single value that is larger than that", () =>
    Effect.gen(function* () {
      const { commit, settle, sizes } = yield* committing
      for (const key of ["a", "b", "c"]) yield* commit(key, 1_500_000)
      yield* settle
      expect(sizes()).toEqual([1, 1, 1])
    }),
  )

  it.effect("that breaks tells whoever waits for it that there is no answer", () =>
    Effect.gen(function* () {
      const { commitMany, gathered, sent } = yield* committing
      const fibers = yield* commitMany(2)
      yield* gathered
      yield* sent[0]!.die
      for (const fiber of fibers) expect(fiber.pollUnsafe()).toEqual(Exit.succeed(undefined))
    }),
  )

  it.effect("of a hundred keys tells of its answers at once", () =>
    Effect.gen(function* () {
      const { asked, commitMany, gathered, sent } = yield* committing
      const fibers = yield* commitMany(100)
      yield* gathered
      yield* sent[0]!.answer
      expect(fibers.every(isDone)).toBe(true)
      expect(asked()).toBe(0)
    }),
  )

  it.effect("of more keys tells of its answers in turns to come, of a hundred in each", () =>
    Effect.gen(function* () {
      const { commitMany, gathered, next, sent } = yield* committing
      const fibers = yield* commitMany(125)
      const told = () => fibers.filter(isDone).length
      yield* gathered
      yield* sent[0]!.answer
      for (const known of [0, 100, 125]) {
        expect(told()).toBe(known)
        yield* next
      }
    }),
  )
})

describe("law 8: a commit that nobody waits for any more", () => {
  it.effect("is not sent", () =>
    Effect.gen(function* () {
      const { commit, next, sent } = yield* committing
      const left = yield* commit("left")
      yield* commit("kept")
      yield* Fiber.interrupt(left)
      yield* next
      expect(sent.map(({ keys }) => keys)).toEqual([["kept"]])
    }),
  )

  it.effect("sends no batch of none", () =>
    Effect.gen(function* () {
      const { commit, next, sent } = yield* committing
      yield* Fiber.interrupt(yield* commit("left"))
      yield* next
      expect(sent).toEqual([])
      yield* commit("later")
      yield* next
      expect(sent.map(({ keys }) => keys)).toEqual([["later"]])
    }),
  )

  it.effect("does not cost the others their turn", () =>
    Effect.gen(function* () {
      const { commit, next, sizes, turns } = yield* committing
      const left = yield* commit("left")
      yield* commit("kept")
      yield* fork(turns.next)
      yield* Fiber.interrupt(left)
      yield* next
      expect(sizes()).toEqual([1])
    }),
  )

  it.effect("leaves the batch to the others, and breaks it off when it was the last", () =>
    Effect.gen(function* () {
      const { commit, commitMany, next, sent, gathered } = yield* committing
      const [first, second] = yield* commitMany(2)
      yield* gathered
      const waiting = yield* commit("next")
      yield* Fiber.interrupt(first!)
      expect(sent[0]!.isBrokenOff).toBe(false)
      yield* Fiber.interrupt(second!)
      yield* Effect.yieldNow
      expect(sent[0]!.isBrokenOff).toBe(true)
      yield* next
      expect(sent[1]?.keys).toEqual(["next"])
      yield* sent[1]!.answer
      expect(waiting.pollUnsafe()).toEqual(Exit.succeed("Stored"))
    }),
  )

  it.effect("of the next batch does not break off the one under way", () =>
    Effect.gen(function* () {
      const { commit, next, sent } = yield* committing
      const first = yield* commit("first")
      yield* next
      yield* Fiber.interrupt(yield* commit("second"))
      expect(sent[0]!.isBrokenOff).toBe(false)
      yield* sent[0]!.answer
      expect(first.pollUnsafe()).toEqual(Exit.succeed("Stored"))
    }),
  )
})

describe("room for more commits", () => {
  it.effect("is there below a thousand that wait", () =>
    Effect.gen(function* () {
      const { batches, commitMany } = yield* committing
      yield* commitMany(999)
      expect(isDone(yield* fork(batches.room))).toBe(true)
    }),
  )

  it.effect("is there again when fewer than a thousand wait", () =>
    Effect.gen(function* () {
      const { batches, commitMany } = yield* committing
      const [first, second] = yield* commitMany(1_001)
      const waits = yield* fork(batches.room)
      const waitsAsWell = yield* fork(batches.room)
      yield* Fiber.interrupt(first!)
      expect(isDone(waits)).toBe(false)
      expect(isDone(yield* fork(batches.room))).toBe(false)
      yield* Fiber.interrupt(second!)
      expect([waits, waitsAsWell].map(isDone)).toEqual([true, true])
    }),
  )

  it.effect("is told to a single one that waits for it", () =>
    Effect.gen(function* () {
      const { batches, commitMany } = yield* committing
      const [first] = yield* commitMany(1_000)
      const waits = yield* fork(batches.room)
      expect(isDone(waits)).toBe(false)
      yield* Fiber.interrupt(first!)
      expect(isDone(waits)).toBe(true)
    }),
  )
})
