/** Reads of one key each that share a trip, and law 14 for each of them. */
import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect, Exit, type Fiber, Layer } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { TestClock } from "effect/testing"
import { tierFailuresOf } from "../../../src/internal/observe/counters.ts"
import { Observer } from "../../../src/internal/observe/eventHub.ts"
import { Timers } from "../../../src/internal/runtime/deadlines.ts"
import { steadyOf } from "../../../src/internal/runtime/steadyClock.ts"
import { Budget } from "../../../src/internal/tier/budget.ts"
import { TierSteps } from "../../../src/internal/tier/guardedCalls.ts"
import { KeyRead, KeyReads } from "../../../src/internal/tier/keyReads.ts"
import type { TierRead } from "../../../src/internal/tier/tierRead.ts"
import { TierError } from "../../../src/Tier.ts"
import { turnsByHand } from "../../support/turnsByHand.ts"

const bytesOf = (key: string) => new TextEncoder().encode(key)

class Read extends KeyRead {
  readonly key: string
  readonly budget = new Budget(200)
  readonly answers: Array<TierRead | undefined> = []
  readonly fibers: Array<Fiber.Fiber<unknown, unknown>> = []
  onAnswer = () => {}

  constructor(key: string) {
    super()
    this.key = key
  }

  protected found(found: TierRead | undefined): void {
    this.answers.push(found)
    this.onAnswer()
  }

  own(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.fibers.push(fiber)
  }
}

/** What the tier has at every key: its name, as a version that is its length. */
const at = (key: string): TierRead => ({ _tag: "Nothing", version: key.length })

const setUp = Effect.gen(function* () {
  const clock = steadyOf(yield* Clock.Clock)
  const { asked, next, turns } = yield* turnsByHand
  const context = yield* Effect.context<never>()
  const breaker = yield* CircuitBreaker.make({
    tripPolicy: CircuitBreaker.consecutive(3),
    openDuration: "5 seconds",
  }).pipe(Effect.provide(CircuitBreaker.layerStoreMemory()))
  const observer = new Observer("unit", clock, (run) => run())
  const options = { clock, context, observer, tierTimeout: 100 }
  const steps = new TierSteps("t", breaker, new Timers(context), options)
  const trips: Array<ReadonlyArray<string>> = []
  const decoded: Array<string> = []
  const tier = {
    interrupted: 0,
    answer: Effect.void as Effect.Effect<void, TierError>,
    decoding: Effect.void as Effect.Effect<void>,
  }
  const reads = new KeyReads({
    read: (keys) =>
      Effect.suspend(() => {
        trips.push(keys)
        const answered = Effect.onInterrupt(tier.answer, () =>
          Effect.sync(() => (tier.interrupted += 1)),
        )
        return Effect.as(answered, keys.map(bytesOf))
      }),
    decode: (key, envelope) => {
      decoded.push(key)
      expect(envelope).toEqual(bytesOf(key))
      return tier.decoding === Effect.void
        ? Exit.succeed(at(key))
        : Effect.as(tier.decoding, at(key))
    },
    turns,
  })
  const read = (key: string) => {
    const one = new Read(key)
    reads.add(steps, one)
    return one
  }
  return {
    asked,
    decoded,
    next,
    observer,
    read,
    steps,
    tier,
    trips,
    state: Effect.map(breaker.state("t"), ({ _tag }) => _tag),
  }
}).pipe(Effect.provide(Layer.empty))

describe("reads of one key", () => {
  it.effect("are answered at once where the tier answers at once", () =>
    Effect.gen(function* () {
      const { asked, read, steps, trips } = yield* setUp
      expect(read("a").answers).toEqual([at("a")])
      expect(read("bb").answers).toEqual([at("bb")])
      expect(trips).toEqual([["a"], ["bb"]])
      expect(asked()).toBe(0)
      // A probe of the server reads it.
      expect(steps.lastKey).toBe("bb")
    }),
  )

  it.effect("share a trip, in the next turn, while another is under way", () =>
    Effect.gen(function* () {
      const { asked, next, read, tier, trips } = yield* setUp
      tier.answer = Effect.sleep(20)
      const first = read("a")
      const [b, c] = [read("b"), read("cc")]
      expect(trips).toEqual([["a"]])
      yield* next
      expect(trips).toEqual([["a"], ["b", "cc"]])
      yield* TestClock.adjust(20)
      expect([first, b, c].flatMap(({ answers }) => answers)).toEqual(["a", "b", "cc"].map(at))
      for (const { budget } of [first, b, c]) expect(Math.round(budget.left)).toBe(180)
      expect(asked()).toBe(0)
      // No trip is under way any more.
      read("d")
      expect(trips.at(-1)).toEqual(["d"])
    }),
  )

  it.effect("share it with at most 124 others", () =>
    Effect.gen(function* () {
      const { next, read, tier, trips } = yield* setUp
      tier.answer = Effect.sleep(20)
      read("first")
      for (let i = 0; i < 251; i++) read(`k${i}`)
      yield* next
      expect(trips.map(({ length }) => length)).toEqual([1, 125, 125, 1])
      expect(trips.slice(1).flat()).toEqual(Array.from({ length: 251 }, (_, i) => `k${i}`))
    }),
  )

  it.effect("share a trip where they follow reads that shared one", () =>
    Effect.gen(function* () {
      const { next, read, tier, trips } = yield* setUp
      tier.answer = Effect.sleep(20)
      read("first")
      for (const key of ["b", "c"]) read(key).onAnswer = () => read(`after ${key}`)
      yield* next
      yield* TestClock.adjust(20)
      expect(trips).toEqual([["first"], ["b", "c"]])
      yield* next
      expect(trips.at(-1)).toEqual(["after b", "after c"])
    }),
  )

  it.effect(
    "share a trip with those that wait already, also when no other is under way any more",
    () =>
      Effect.gen(function* () {
        const { next, read, tier, trips } = yield* setUp
        tier.answer = Effect.sleep(20)
        read("first")
        read("b")
        yield* TestClock.adjust(20)
        read("c")
        expect(trips).toEqual([["first"]])
        yield* next
        expect(trips).toEqual([["first"], ["b", "c"]])
      }),
  )

  it.effect("wait for no turn where they follow a single one", () =>
    Effect.gen(function* () {
      const { asked, read, tier, trips } = yield* setUp
      tier.answer = Effect.sleep(20)
      read("first").onAnswer = () => read("second")
      yield* TestClock.adjust(20)
      expect(trips).toEqual([["first"], ["second"]])
      expect(asked()).toBe(0)
    }),
  )

  it.effect("law 14: fail together, and count once", () =>
    Effect.gen(function* () {
      const { next, observer, read, state, tier } = yield* setUp
      const failure = new TierError({ tier: "t", operation: "read", cause: "broken" })
      tier.answer = Effect.andThen(Effect.sleep(20), Effect.fail(failure))
      const all = ["a", "b", "c", "d", "e"].map(read)
      yield* next
      yield* TestClock.adjust(20)
      for (const { answers } of all) expect(answers).toEqual([undefined])
      expect(tierFailuresOf(observer.counters)).toBe(2)
      expect(yield* state).toBe("Closed")
    }),
  )
})

describe("a caller that leaves", () => {
  it.effect("costs the others nothing; the last one interrupts the trip", () =>
    Effect.gen(function* () {
      const { next, observer, read, tier, trips } = yield* setUp
      tier.answer = Effect.sleep(20)
      read("first")
      const [b, c, d] = [read("b"), read("c"), read("d")]
      d.leave()
      yield* next
      expect(trips.at(-1)).toEqual(["b", "c"])
      b.leave()
      b.leave()
      yield* Effect.yieldNow
      expect(tier.interrupted).toBe(0)
      c.leave()
      yield* Effect.yieldNow
      expect(tier.interrupted).toBe(1)
      yield* TestClock.adjust(200)
      expect([b, c, d].flatMap(({ answers }) => answers)).toEqual([])
      expect(tierFailuresOf(observer.counters)).toBe(0)
      // An interrupted trip is under way no more.
      read("e")
      expect(trips.at(-1)).toEqual(["e"])
    }),
  )

  it.effect("gets no answer that comes later", () =>
    Effect.gen(function* () {
      const { decoded, next, read, tier } = yield* setUp
      tier.answer = Effect.sleep(20)
      read("first")
      const [b, c] = [read("b"), read("c")]
      yield* next
      b.leave()
      yield* TestClock.adjust(20)
      expect(b.answers).toEqual([])
      expect(decoded).toEqual(["first", "c"])
      expect(c.answers).toEqual([at("c")])
    }),
  )
})

describe("an entry that takes its time to be decoded", () => {
  it.effect("delays no other one, and is no slowness of the tier", () =>
    Effect.gen(function* () {
      const { next, observer, read, tier } = yield* setUp
      tier.answer = Effect.sleep(20)
      read("first")
      const slow = read("slow")
      const quick = read("quick")
      yield* next
      tier.decoding = Effect.sleep(500)
      slow.onAnswer = () => {}
      yield* TestClock.adjust(20)
      expect(slow.answers).toEqual([])
      yield* TestClock.adjust(500)
      expect(slow.answers).toEqual([at("slow")])
      expect(quick.answers).toEqual([at("quick")])
      expect(Math.round(slow.budget.left)).toBe(180)
      expect(tierFailuresOf(observer.counters)).toBe(0)
    }),
  )

  it.effect("is decoded no further once its caller has left", () =>
    Effect.gen(function* () {
      const { read, tier } = yield* setUp
      let interrupted = 0
      tier.decoding = Effect.onInterrupt(Effect.sleep(500), () =>
        Effect.sync(() => (interrupted += 1)),
      )
      const one = read("a")
      one.leave()
      yield* Effect.yieldNow
      expect(interrupted).toBe(1)
      yield* TestClock.adjust(500)
      expect(one.answers).toEqual([])
    }),
  )
})

describe("law 22", () => {
  it.effect("the larder owns the fibers of a trip and of a decoding that still run", () =>
    Effect.gen(function* () {
      const { next, read, tier } = yield* setUp
      const alone = read("alone")
      expect(alone.fibers).toEqual([])
      tier.answer = Effect.sleep(20)
      const first = read("first")
      const [b, c] = [read("b"), read("c")]
      yield* next
      expect([first, b, c].map(({ fibers }) => fibers.length)).toEqual([1, 1, 0])
      tier.decoding = Effect.sleep(500)
      yield* TestClock.adjust(20)
      expect([first, b, c].map(({ fibers }) => fibers.length)).toEqual([2, 2, 1])
    }),
  )
})
