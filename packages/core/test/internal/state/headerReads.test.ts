/** Requests for versions: batches, few at once, no more than so many keys a second, in turn. */
import { expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { HeaderReads, type Options, type Reason } from "../../../src/internal/state/headerReads.ts"
import { makeEngine } from "../../support/engine.ts"

interface Request {
  readonly part: string
  readonly keys: ReadonlyArray<string>
  readonly at: number
}

const makeReads = (own: Partial<Options> = {}) =>
  Effect.gen(function* () {
    const engine = yield* makeEngine()
    const began = engine.stopwatch()
    const requests: Array<Request> = []
    const gaps = { count: 0 }
    const tasks: Array<() => void> = []
    let answer = (keys: ReadonlyArray<string>): ReturnType<Options["ask"]> =>
      Effect.succeed(keys.map((key) => ({ version: key.length, isValue: true })))
    const reads = new HeaderReads({
      partOf: (key) => key.slice(0, 1),
      ask: (part, keys) => {
        requests.push({ part, keys, at: engine.stopwatch() - began })
        return answer(keys)
      },
      gaps,
      marksReadAt: () => 17,
      soon: (task) => void tasks.push(task),
      timers: engine.timers,
      fork: (effect) => engine.fibers.fork(effect),
      moment: () => engine.stopwatch(),
      stopwatch: () => engine.stopwatch(),
      ...own,
    })
    return {
      reads,
      requests,
      gaps,
      began,
      answerWith: (next: typeof answer) => {
        answer = next
      },
      /** The next turn of the event loop. */
      turn: () => {
        for (const task of tasks.splice(0)) task()
      },
    }
  })

const fork = <A>(effect: Effect.Effect<A>) => Effect.forkChild(effect, { startImmediately: true })

const forever = 1e9

it.effect(
  "the keys of one turn are one request to each server, and callers of a key share it",
  () =>
    Effect.gen(function* () {
      const { began, reads, requests, turn } = yield* makeReads()
      const keys = ["a1", "a22", "b333", "a1"]
      const fibers = yield* Effect.forEach(keys, (key) => fork(reads.read(key, forever, "suspect")))
      expect(requests).toEqual([])
      turn()
      const found = yield* Effect.forEach(fibers, Fiber.join)
      expect(found.map((one) => one?.stored.version)).toEqual([2, 3, 4, 2])
      expect(found[0]).toEqual({
        stored: { version: 2, isValue: true },
        gapsBefore: 0,
        sentAt: began,
        marksReadAt: 17,
      })
      expect(requests.map(({ keys, part }) => [part, keys])).toEqual([
        ["a", ["a1", "a22"]],
        ["b", ["b333"]],
      ])
    }),
)

it.effect("a caller never shares a request that was sent before it came", () =>
  Effect.gen(function* () {
    const { answerWith, gaps, reads, requests, turn } = yield* makeReads()
    answerWith((keys) =>
      Effect.delay(Effect.succeed(keys.map(() => ({ version: gaps.count, isValue: true }))), 10),
    )
    const first = yield* fork(reads.read("a", forever, "suspect"))
    turn()
    gaps.count = 1
    const second = yield* fork(reads.read("a", forever, "suspect"))
    turn()
    expect(requests.length).toBe(2)
    yield* TestClock.adjust(10)
    expect((yield* Fiber.join(first))?.gapsBefore).toBe(0)
    expect((yield* Fiber.join(second))?.gapsBefore).toBe(1)
  }),
)

it.effect("an unanswered request answers its callers with nothing, and later ones are sent", () =>
  Effect.gen(function* () {
    const { answerWith, reads, requests, turn } = yield* makeReads()
    answerWith(() => Effect.succeed(undefined))
    const one = yield* fork(reads.read("a", forever, "suspect"))
    turn()
    expect(yield* Fiber.join(one)).toBe(undefined)
    turn()
    const two = yield* fork(reads.read("a", forever, "suspect"))
    turn()
    yield* Fiber.join(two)
    expect(requests.length).toBe(2)
  }),
)

it.effect("a key whose callers have left is not asked for", () =>
  Effect.gen(function* () {
    const { reads, requests, turn } = yield* makeReads()
    const one = yield* fork(reads.read("a", forever, "suspect"))
    const two = yield* fork(reads.read("a", forever, "suspect"))
    const three = yield* fork(reads.read("ab", forever, "suspect"))
    yield* Fiber.interrupt(one)
    yield* Fiber.interrupt(three)
    turn()
    expect((yield* Fiber.join(two))?.stored.version).toBe(1)
    expect(requests.map(({ keys }) => keys)).toEqual([["a"]])
  }),
)

it.effect("at most 4 requests to a server are under way, of at most 250 keys", () =>
  Effect.gen(function* () {
    const { answerWith, reads, requests, turn } = yield* makeReads()
    answerWith((keys) =>
      Effect.delay(Effect.succeed(keys.map(() => ({ version: 1, isValue: true }))), 500),
    )
    const keys = Array.from({ length: 1_100 }, (_, i) => `a${i}`)
    const all = yield* fork(
      Effect.forEach(keys, (key) => reads.read(key, forever, "suspect"), {
        concurrency: "unbounded",
      }),
    )
    const other = yield* fork(reads.read("b", forever, "suspect"))
    turn()
    expect(requests.map(({ keys, part }) => [part, keys.length])).toEqual(
      Array.from({ length: 4 }, () => ["a", 250]),
    )
    yield* TestClock.adjust(100)
    // Another server is not held up by the first one.
    expect(requests.at(-1)?.part).toBe("b")
    yield* TestClock.adjust(500)
    turn()
    expect(requests.at(-1)?.keys.length).toBe(100)
    yield* TestClock.adjust(500)
    expect((yield* Fiber.join(all)).length).toBe(1_100)
    yield* Fiber.join(other)
  }),
)

it.effect("no more than 10,000 keys a second are asked for, and those beyond wait in turn", () =>
  Effect.gen(function* () {
    const { reads, requests, turn } = yield* makeReads()
    const keys = Array.from({ length: 25_000 }, (_, i) => `a${i}`)
    const all = yield* fork(
      Effect.forEach(keys, (key) => reads.read(key, forever, "suspect"), {
        concurrency: "unbounded",
      }),
    )
    for (let i = 0; i < 3_000; i++) {
      turn()
      yield* TestClock.adjust(1)
    }
    expect((yield* Fiber.join(all)).every((one) => one?.stored.isValue === true)).toBe(true)
    expect(requests.flatMap(({ keys }) => keys)).toEqual(keys)
    for (const { at } of requests) {
      const within = requests.filter((one) => one.at >= at && one.at < at + 1_000)
      expect(within.reduce((sum, one) => sum + one.keys.length, 0)).toBeLessThanOrEqual(10_000)
    }
    expect(requests.at(-1)!.at).toBeLessThan(2_800)
  }),
)

it.effect(
  "keys that callers demand to be checked wait for no suspect ones, and are not bounded",
  () =>
    Effect.gen(function* () {
      const { reads, requests, turn } = yield* makeReads()
      const readAll = (keys: ReadonlyArray<string>, reason: Reason) =>
        fork(
          Effect.forEach(keys, (key) => reads.read(key, forever, reason), {
            concurrency: "unbounded",
          }),
        )
      const numbered = (letter: string, count: number) =>
        Array.from({ length: count }, (_, i) => `${letter}${i}`)
      yield* readAll(numbered("a", 5_000), "suspect")
      yield* readAll(numbered("b", 250), "suspect")
      turn()
      turn()
      // The keys of this second's beginning are used up.
      expect(requests.map(({ keys, part }) => [part, keys.length])).toEqual(
        Array.from({ length: 4 }, () => ["a", 250]),
      )
      const checked = yield* readAll(numbered("a", 20_000), "checked")
      for (let i = 0; i < 100; i++) turn()
      expect((yield* Fiber.join(checked)).length).toBe(20_000)
      expect(requests.length).toBe(4 + 80)
      // The rest is sent in its turn, by one timer.
      yield* TestClock.adjust(1_000)
      turn()
      expect(requests.length).toBeGreaterThan(4 + 80)
    }),
)

it.effect("a caller waits no longer for its turn than it says", () =>
  Effect.gen(function* () {
    const { reads, requests, turn } = yield* makeReads()
    const keys = Array.from({ length: 3_000 }, (_, i) => `a${i}`)
    const all = yield* fork(
      Effect.forEach(keys, (key) => reads.read(key, 100, "suspect"), { concurrency: "unbounded" }),
    )
    for (let i = 0; i < 150; i++) {
      turn()
      yield* TestClock.adjust(1)
    }
    const found = (yield* Fiber.join(all)).filter((one) => one !== undefined).length
    expect(found).toBe(requests.reduce((sum, { keys }) => sum + keys.length, 0))
    expect(found).toBeGreaterThan(1_700)
    expect(found).toBeLessThan(2_000)
  }),
)
