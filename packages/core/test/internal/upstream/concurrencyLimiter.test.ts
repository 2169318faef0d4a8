import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { enter, Gate, type Gates } from "../../../src/internal/upstream/concurrencyLimiter.ts"
import { LiveDemand } from "../../../src/internal/upstream/liveDemand.ts"

const fork = Effect.forkChild({ startImmediately: true })

class Demand extends LiveDemand {
  background: boolean
  stale: boolean
  readonly endsAt = Infinity
  constructor(background: boolean, stale = false) {
    super()
    this.background = background
    this.stale = stale
  }
  /** A caller joins. */
  join(stale = false): void {
    this.background = false
    this.stale = stale
    this.joined()
  }
}

const makeGates = (queue?: number): Gates => ({
  foreground: new Gate({ limit: 1, queue, background: false }),
  background: new Gate({ limit: 1, queue, background: true }),
})

/** Lookups that end when they are told so, and the order in which they began. */
const makeLookups = (gates: Gates) => {
  const began: Array<string> = []
  const ends = new Map<string, Deferred.Deferred<void>>()
  const start = (name: string, demand: Demand) => {
    const end = Deferred.makeUnsafe<void>()
    ends.set(name, end)
    const lookup = Effect.andThen(
      Effect.sync(() => began.push(name)),
      Deferred.await(end),
    )
    return fork(Effect.as(enter(gates, demand, lookup), name))
  }
  const end = (name: string) =>
    Effect.andThen(Deferred.succeed(ends.get(name)!, undefined), Effect.yieldNow)
  return { began, end, start }
}

/** Both permits are taken by the lookups "back" and "front". */
const busy = (queue?: number) =>
  Effect.gen(function* () {
    const lookups = makeLookups(makeGates(queue))
    yield* lookups.start("back", new Demand(true))
    yield* lookups.start("front", new Demand(false))
    assert.deepStrictEqual(lookups.began.splice(0), ["back", "front"])
    return lookups
  })

describe("a lookup in the background's line that a caller joins", () => {
  it.effect("goes to the end of the foreground's line", () =>
    Effect.gen(function* () {
      const { began, end, start } = yield* busy()
      const demand = new Demand(true)
      yield* start("joined", demand)
      yield* start("one", new Demand(false))
      demand.join()
      yield* start("two", new Demand(false))
      for (const name of ["front", "one", "joined"]) yield* end(name)
      assert.deepStrictEqual(began, ["one", "joined", "two"])
    }),
  )

  it.effect("begins at once where a foreground permit is free", () =>
    Effect.gen(function* () {
      const { began, end, start } = yield* busy(5)
      const demand = new Demand(true)
      yield* start("joined", demand)
      yield* end("front")
      assert.deepStrictEqual(began, [])
      demand.join(true)
      yield* Effect.yieldNow
      assert.deepStrictEqual(began, ["joined"])
    }),
  )

  it.effect(
    "keeps its place where the foreground's line is full, and moves when there is room",
    () =>
      Effect.gen(function* () {
        const { began, end, start } = yield* busy(1)
        const demand = new Demand(true)
        yield* start("joined", demand)
        yield* start("one", new Demand(false))
        demand.join()
        assert.include(
          yield* Effect.flip(Effect.flatMap(start("two", new Demand(false)), Fiber.join)),
          {
            _tag: "Shed",
            background: false,
          },
        )
        yield* end("front")
        assert.deepStrictEqual(began, ["one"])
        // It has left the background's line, where there is room now.
        yield* start("three", new Demand(true))
        yield* end("one")
        assert.deepStrictEqual(began, ["one", "joined"])
        yield* end("back")
        assert.deepStrictEqual(began, ["one", "joined", "three"])
      }),
  )

  it.effect("moves when one that stands in the foreground's line leaves it", () =>
    Effect.gen(function* () {
      const { began, end, start } = yield* busy(1)
      const demand = new Demand(true)
      yield* start("joined", demand)
      const one = yield* start("one", new Demand(false))
      demand.join()
      yield* Fiber.interrupt(one)
      yield* end("front")
      assert.deepStrictEqual(began, ["joined"])
    }),
  )

  it.effect("gets a background permit if one is free first, and gives that back", () =>
    Effect.gen(function* () {
      const { began, end, start } = yield* busy(1)
      const demand = new Demand(true)
      const joined = yield* start("joined", demand)
      yield* start("one", new Demand(false))
      demand.join()
      yield* end("back")
      assert.deepStrictEqual(began, ["joined"])
      demand.join()
      yield* end("joined")
      assert.strictEqual(yield* Fiber.join(joined), "joined")
      yield* start("behind", new Demand(true))
      assert.deepStrictEqual(began, ["joined", "behind"])
      yield* end("front")
      assert.deepStrictEqual(began, ["joined", "behind", "one"])
      yield* start("two", new Demand(false))
      assert.deepStrictEqual(began, ["joined", "behind", "one"])
    }),
  )

  it.effect(
    "stays in a bounded line while it has something stale: that is preferred to waiting",
    () =>
      Effect.gen(function* () {
        const { began, end, start } = yield* busy(5)
        const demand = new Demand(true)
        yield* start("joined", demand)
        demand.join(true)
        yield* start("one", new Demand(false))
        for (const name of ["front", "one"]) yield* end(name)
        assert.deepStrictEqual(began, ["one", "joined"])
      }),
  )

  it.effect("is not moved back when its caller leaves", () =>
    Effect.gen(function* () {
      const { began, end, start } = yield* busy()
      const demand = new Demand(true)
      yield* start("joined", demand)
      demand.join()
      demand.background = true
      yield* start("one", new Demand(false))
      yield* end("back")
      yield* end("front")
      assert.deepStrictEqual(began, ["joined"])
    }),
  )

  it.effect("keeps the permit that it has", () =>
    Effect.gen(function* () {
      const { began, end, start } = yield* busy()
      const demand = new Demand(true)
      yield* start("joined", demand)
      yield* end("back")
      yield* end("front")
      demand.join()
      yield* start("one", new Demand(false))
      yield* start("two", new Demand(true))
      assert.deepStrictEqual(began, ["joined", "one"])
    }),
  )

  it.effect("leaves whichever line it stands in when it is interrupted", () =>
    Effect.gen(function* () {
      const { began, end, start } = yield* busy()
      const joins = new Demand(true)
      const moved = yield* start("moved", joins)
      joins.join()
      const late = new Demand(true)
      const stays = yield* start("stays", late)
      yield* Fiber.interruptAll([moved, stays])
      late.join()
      yield* start("one", new Demand(false))
      yield* start("two", new Demand(true))
      yield* end("front")
      yield* end("back")
      assert.deepStrictEqual(began, ["one", "two"])
    }),
  )
})

describe("a line", () => {
  it.effect("a permit that comes to a lookup just as it is interrupted goes to the next", () =>
    Effect.gen(function* () {
      const { began, end, start } = yield* busy()
      const one = yield* start("one", new Demand(false))
      yield* start("two", new Demand(false))
      yield* fork(end("front"))
      // Granted, and not yet woken.
      one.interruptUnsafe()
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      assert.deepStrictEqual(began, ["two"])
    }),
  )

  it.effect("of ten thousand lookups that end at once is no recursion", () =>
    Effect.gen(function* () {
      const gates = makeGates()
      const first = yield* Deferred.make<void>()
      yield* fork(enter(gates, new Demand(false), Deferred.await(first)))
      const seen = { ended: 0 }
      const count = Effect.sync(() => (seen.ended += 1))
      for (let i = 0; i < 10_000; i += 1) yield* fork(enter(gates, new Demand(false), count))
      yield* Deferred.succeed(first, undefined)
      while (seen.ended < 10_000) yield* Effect.yieldNow
    }),
  )
})

describe("a permit", () => {
  it.effect("is not given when one that has none leaves the line", () =>
    Effect.gen(function* () {
      const { began, end, start } = yield* busy()
      const one = yield* start("one", new Demand(false))
      yield* start("two", new Demand(false))
      yield* Fiber.interrupt(one)
      yield* Effect.yieldNow
      assert.deepStrictEqual(began, [])
      yield* end("front")
      assert.deepStrictEqual(began, ["two"])
    }),
  )
})

describe("one gate for all", () => {
  const all = (queue?: number): Gates => {
    const gate = new Gate({ limit: 1, queue, background: false })
    return { foreground: gate, background: gate }
  }

  it.effect("is first come, first served, also where a caller joins", () =>
    Effect.gen(function* () {
      const { began, end, start } = makeLookups(all(5))
      yield* start("front", new Demand(false))
      const demand = new Demand(true)
      yield* start("joined", demand)
      yield* start("one", new Demand(false))
      demand.join()
      for (const name of ["front", "joined", "one"]) yield* end(name)
      assert.deepStrictEqual(began, ["front", "joined", "one"])
    }),
  )
})

describe("a demand that was given by hand", () => {
  it.effect("never changes, and waits in its line like others", () =>
    Effect.gen(function* () {
      const gates = makeGates()
      const { end, start } = makeLookups(gates)
      yield* start("back", new Demand(true))
      const byHand = { background: true, stale: false }
      const waiting = yield* fork(enter(gates, byHand, Effect.succeed("done")))
      yield* Effect.yieldNow
      assert.strictEqual(waiting.pollUnsafe(), undefined)
      yield* end("back")
      assert.strictEqual(yield* Fiber.join(waiting), "done")
    }),
  )
})

describe("Shed", () => {
  it("says what runs, how many may wait, and which option decides", () => {
    const message = (background: boolean) =>
      new Gate({ limit: 3, queue: 2, background }).shed().message
    assert.strictEqual(
      message(false),
      "shed: 3 lookups are running, and at most 2 may wait (Upstream.withConcurrency)",
    )
    assert.include(message(true), "3 background lookups are running")
  })
})
