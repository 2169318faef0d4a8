/** The small steps that a larder is made of, each by itself. */
import { describe, expect, it } from "@effect/vitest"
import { EarlyRefresh, type Freshness, Policy } from "@larder/core"
import { Deferred, Effect, Fiber, Random } from "effect"
import { TestClock } from "effect/testing"
import { close } from "../../../src/internal/lifecycle/close.ts"
import type { Engine } from "../../../src/internal/state/engine.ts"
import { capped } from "../../../src/internal/state/localEntries.ts"
import { Flight } from "../../../src/internal/state/flight.ts"
import type { Stack } from "../../../src/internal/tier/openStack.ts"
import { forever } from "../../../src/Entry.ts"
import { entryOf, keep, makeEngine, policy, startMillis } from "../../support/engine.ts"

const farther = { name: "file" } as never
const behind: Partial<Stack> = { farther: [farther] }
const arbitrated: Partial<Stack> = {
  farther: [farther],
  arbiter: farther,
  leaseMillis: 10_000,
  leaseWaitMillis: 10_000,
}

const flightOf = (engine: Engine, k: string) =>
  new Flight(k, k, engine.versions.asOf(), {
    force: false,
    early: false,
    many: false,
    background: false,
    notBefore: -Infinity,
    stale: undefined,
  })

const freshness = (engine: Engine, k: string): Freshness.Freshness | undefined =>
  engine.entries.candidate(k, engine.now())?.freshness

/** A look changes nothing; `tidy` then acts on its result. */
const lookAndTidy = (engine: Engine, k: string) => {
  const hand = engine.entries.look(k, engine.now())
  if (hand !== undefined) engine.entries.tidy(k, hand)
  return hand?.freshness
}

describe("numbers", () => {
  it.effect("over memory alone they are counted: nothing can be there from before", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine()
      expect(engine.versions.outlives).toBe(false)
      expect([engine.versions.next(), engine.versions.next(), engine.versions.next()]).toEqual([
        1, 2, 3,
      ])
      expect(engine.versions.asOf()).toBe(0)
      engine.marks.add(["t"], true, engine.now())
      expect(engine.versions.asOf()).toBe(1)
    }),
  )

  it.effect("over tiers without an arbiter they are of the time, above all that was known", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine(behind)
      expect(engine.versions.outlives).toBe(true)
      const now = startMillis * 1000
      expect(engine.versions.next()).toBe(now)
      expect(engine.versions.next()).toBe(now + 1)
      expect(engine.versions.next(now + 10)).toBe(now + 11)
      expect(engine.versions.asOf()).toBe(now)
      const mark = engine.marks.add(["t"], true, engine.now(), now + 5)
      expect(engine.versions.asOf()).toBe(mark)
    }),
  )

  it.effect("where an arbiter counts them, a lookup is as new as the last mark that is known", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine(arbitrated)
      expect(engine.versions.outlives).toBe(false)
      expect(engine.versions.asOf()).toBe(0)
    }),
  )
})

it.effect("law 13: a version that is known may be kept, on its way, granted or missed", () =>
  Effect.gen(function* () {
    const engine = yield* makeEngine(arbitrated)
    expect(engine.versions.known("k")).toBe(0)
    keep(engine, "k", { version: 3 })
    expect(engine.versions.known("k")).toBe(3)
    const lease = { token: 5, isFirst: false, stopRenewal: () => {} }
    engine.leases.hold(Object.assign(flightOf(engine, "k"), { lease }))
    expect(engine.versions.known("k")).toBe(5)
    engine.missed.addKey("k", { madeAt: 0, atLeast: 7 })
    expect(engine.versions.known("k")).toBe(7)
    const queued = { key: "k", isPlaced: true, gapsBefore: 0, madeAt: 0, policy, weight: 1 }
    engine.writes.put(
      "k",
      { ...queued, entry: entryOf(engine, { version: 9 }) },
      { write: () => Effect.succeed("done"), isOver: () => false },
    )
    expect(engine.versions.known("k")).toBe(7)
    engine.writes.put(
      "k",
      { ...queued, entry: entryOf(engine, { version: 9 }) },
      { write: () => Effect.never, isOver: () => false },
    )
    expect(engine.versions.known("k")).toBe(9)
    expect(engine.versions.known("other")).toBe(0)
    engine.writes.stop()
  }),
)

describe("turns of changes of one key", () => {
  it.effect("only the last change that began ends them, and once", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine()
      const first = engine.changes.take("k")
      const second = engine.changes.take("k")
      const other = engine.changes.take("other")
      expect(engine.changes.end("k", first, 1)).toBe(false)
      expect(engine.changes.end("other", other, 1)).toBe(true)
      expect(engine.changes.end("k", second, 2)).toBe(true)
      expect(engine.changes.end("k", second, 2)).toBe(false)
    }),
  )
})

describe("fibers", () => {
  it.effect("are owned until they end", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine()
      const end = Deferred.makeUnsafe<void>()
      const fiber = engine.fibers.fork(Deferred.await(end))
      const settling = engine.fibers.forkAwaited(Deferred.await(end))
      const done = engine.fibers.fork(Effect.void)
      expect([...engine.fibers.running]).toEqual([fiber])
      expect([...engine.fibers.awaited]).toEqual([settling])
      engine.fibers.own(done)
      expect(engine.fibers.running.size).toBe(1)
      yield* Deferred.succeed(end, undefined)
      yield* Fiber.join(fiber)
      yield* Fiber.join(settling)
      expect([engine.fibers.running.size, engine.fibers.awaited.size]).toEqual([0, 0])
    }),
  )

  it.effect("that are abandoned and disobey are known as such until they end", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine()
      const end = Deferred.makeUnsafe<void>()
      const obedient = engine.fibers.fork(Effect.never)
      const disobedient = engine.fibers.fork(Effect.uninterruptible(Deferred.await(end)))
      engine.fibers.abandon(obedient)
      engine.fibers.abandon(disobedient)
      yield* Effect.yieldNow
      expect(engine.fibers.running.size).toBe(0)
      expect([...engine.fibers.abandoned]).toEqual([disobedient])
      engine.fibers.abandon(obedient)
      expect(engine.fibers.abandoned.size).toBe(1)
      yield* Deferred.succeed(end, undefined)
      yield* Effect.exit(Fiber.join(disobedient))
      expect(engine.fibers.abandoned.size).toBe(0)
    }),
  )

  it.effect("know whether anybody traces them", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine()
      expect(engine.isTraced).toBe(false)
      const tracer = yield* Effect.tracer
      const traced = yield* Effect.withTracer(makeEngine(), tracer)
      expect(traced.isTraced).toBe(true)
    }),
  )
})

it.effect("law 22: what settles may begin more that settles: closing waits for all of it", () =>
  Effect.gen(function* () {
    const engine = yield* makeEngine()
    let ended = 0
    const settling = (left: number): Effect.Effect<void> =>
      Effect.uninterruptible(
        Effect.andThen(
          Effect.sleep(10),
          Effect.sync(() => {
            ended += 1
            if (left > 0) engine.fibers.forkAwaited(settling(left - 1))
          }),
        ),
      )
    engine.fibers.forkAwaited(settling(5))
    const closing = yield* Effect.forkChild(close(engine), { startImmediately: true })
    yield* TestClock.adjust(59)
    expect([ended, closing.pollUnsafe()]).toEqual([5, undefined])
    yield* TestClock.adjust(1)
    expect(ended).toBe(6)
    yield* Fiber.join(closing)
  }),
)

describe("what memory has", () => {
  it.effect("is given until its life ends, and is then taken out", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine()
      keep(engine, "k")
      expect(freshness(engine, "k")).toEqual({ _tag: "Fresh" })
      yield* TestClock.adjust("10 seconds")
      expect(freshness(engine, "k")).toEqual({ _tag: "Stale", grace: "error" })
      yield* TestClock.adjust(3_600_000 - 1)
      expect(freshness(engine, "k")).toEqual({ _tag: "Stale", grace: "error" })
      yield* TestClock.adjust(1)
      expect(freshness(engine, "k")).toBe(undefined)
      expect(engine.near.size).toBe(1)
      lookAndTidy(engine, "k")
      expect(engine.near.size).toBe(0)
    }),
  )

  it.effect("is missing at the end of its life, also where a mark had left its error grace", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine()
      keep(engine, "k", { tags: ["t"] })
      engine.marks.add(["t"], true, engine.now())
      yield* TestClock.adjust(3_610_000 - 1)
      expect(freshness(engine, "k")).toEqual({ _tag: "Stale", grace: "error" })
      yield* TestClock.adjust(1)
      expect(freshness(engine, "k")).toBe(undefined)
    }),
  )

  it.effect("is compared with the marks once, and is a plain hit after that", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine()
      keep(engine, "k", { tags: ["t"] })
      const isPlain = () =>
        engine.near.isPlain(engine.near.find("k"), engine.now(), engine.marks.generation)
      expect(isPlain()).toBe(true)
      engine.marks.add(["other"], true, engine.now())
      expect(isPlain()).toBe(false)
      expect(freshness(engine, "k")).toEqual({ _tag: "Fresh" })
      expect(isPlain()).toBe(false)
      expect(lookAndTidy(engine, "k")).toEqual({ _tag: "Fresh" })
      expect(isPlain()).toBe(true)
      engine.marks.add(["t"], true, engine.now())
      expect(lookAndTidy(engine, "k")).toEqual({ _tag: "Stale", grace: "error" })
      expect(isPlain()).toBe(false)
    }),
  )

  it.effect("is not kept where a newer version is there, nor once the larder is closed", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine()
      const value = () => engine.near.peek("k")?.entry.value
      keep(engine, "k", { version: 2, value: "two" })
      keep(engine, "k", { version: 1, value: "one" })
      expect(value()).toBe("two")
      keep(engine, "k", { version: 2, value: "two, again" })
      expect(value()).toBe("two, again")
      keep(engine, "k", { version: 3, value: "three" })
      expect(value()).toBe("three")
      engine.entries.close()
      expect(value()).toBe(undefined)
      keep(engine, "k", { version: 4, value: "four" })
      expect(engine.near.size).toBe(0)
    }),
  )

  it.effect("that a mark covers already is no plain hit", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine()
      engine.marks.add(["t"], true, engine.now())
      keep(engine, "k", { tags: ["t"], asOf: 0 })
      expect(
        engine.near.isPlain(engine.near.find("k"), engine.now(), engine.marks.generation),
      ).toBe(false)
      expect(freshness(engine, "k")).toEqual({ _tag: "Stale", grace: "error" })
    }),
  )

  it.effect("tells the sweeps until when something is fresh, unless it is so for ever", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine()
      const told: Array<EarlyRefresh.EarlyRefresh> = []
      engine.entries.onKeep = (early) => told.push(early)
      keep(engine, "ever", { freshUntil: forever, revalidateUntil: forever, staleUntil: forever })
      expect(engine.entries.lastFresh).toBeLessThan(engine.now())
      keep(engine, "long", { freshUntil: engine.now() + 50_000 })
      keep(engine, "short")
      expect(engine.entries.lastFresh).toBe(engine.now() + 50_000)
      expect(told).toEqual([policy.earlyRefresh, policy.earlyRefresh, policy.earlyRefresh])
    }),
  )

  it.effect("is fresh for no longer than its memory allows", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine({}, 2_000)
      keep(engine, "k")
      yield* TestClock.adjust(1_999)
      expect(freshness(engine, "k")).toEqual({ _tag: "Fresh" })
      yield* TestClock.adjust(1)
      expect(freshness(engine, "k")).toEqual({ _tag: "Stale", grace: "error" })
    }),
  )
})

describe("an early refresh is due", () => {
  const early = Policy.make({
    freshFor: "10 seconds",
    staleIfError: "1 hour",
    earlyRefresh: EarlyRefresh.after(0.8),
  })
  const isDue = (engine: Engine, k: string) => {
    const now = engine.now()
    const hand = engine.entries.candidate(k, now)
    return hand !== undefined && engine.entries.isDue(hand, now)
  }

  it.effect("from its moment on, of what is fresh", () =>
    Effect.gen(function* () {
      const engine = yield* makeEngine()
      keep(engine, "k", { tags: ["t"] }, early)
      keep(engine, "plain")
      yield* TestClock.adjust(7_999)
      expect(isDue(engine, "k")).toBe(false)
      yield* TestClock.adjust(1)
      expect([isDue(engine, "k"), isDue(engine, "plain")]).toEqual([true, false])
      engine.marks.add(["t"], true, engine.now())
      expect(freshness(engine, "k")).toEqual({ _tag: "Stale", grace: "error" })
      expect(isDue(engine, "k")).toBe(false)
    }),
  )

  it.effect("a draw lies in (0, 1]: its logarithm is a number", () =>
    Effect.gen(function* () {
      let next = 0
      const drawn = yield* Effect.provideService(makeEngine(), Random.Random, {
        nextDoubleUnsafe: () => next,
        nextIntUnsafe: () => 0,
      })
      expect(drawn.entries.draw()).toBe(1)
      next = 0.75
      expect(drawn.entries.draw()).toBe(0.25)
    }),
  )
})

it("an entry under a cap ends its freshness there, and keeps the length of its revalidate grace", () => {
  const entry = {
    value: 1,
    storedAt: 0,
    freshUntil: 100,
    revalidateUntil: 130,
    staleUntil: 500,
    loadMillis: 0,
    version: 1,
    asOf: 0,
    tags: [],
  }
  expect(capped(entry, 100)).toBe(entry)
  expect(capped(entry, 40)).toEqual({ ...entry, freshUntil: 40, revalidateUntil: 70 })
  expect(capped({ ...entry, revalidateUntil: 100 }, 99).revalidateUntil).toBe(99)
  expect(capped(entry, 99)).toEqual({ ...entry, freshUntil: 99, revalidateUntil: 129 })
})
