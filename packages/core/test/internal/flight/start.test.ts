/** A lookup from its begin to its end over memory alone. */
import { describe, expect, it } from "@effect/vitest"
import { type Entry, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { Engine } from "../../../src/internal/state/engine.ts"
import { Flight } from "../../../src/internal/state/flight.ts"
import { beginSoon } from "../../../src/internal/flight/start.ts"
import { makeEngine } from "../../support/engine.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** An upstream that answers with `says`, for one key and for many, and records its requests and its context. */
const make = (policy: Partial<Policy.Options> = {}) =>
  Effect.suspend(() => {
    const source = {
      says: Effect.succeed(1) as Effect.Effect<number, string>,
      asked: [] as Array<string>,
      shown: [] as Array<Entry.Entry<unknown> | undefined>,
      interrupted: 0,
    }
    const noted = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.onInterrupt(effect, () => Effect.sync(() => (source.interrupted += 1)))
    const made = Larder.make({
      name: "loading",
      value: Schema.Finite,
      tags: () => ["t"],
      policy: Policy.make({
        freshFor: "10 seconds",
        staleWhileRevalidate: "1 minute",
        staleIfError: "1 hour",
        ...policy,
      }),
      upstream: Upstream.make({
        lookup: (key: string, previous) =>
          Effect.suspend(() => {
            source.asked.push(key)
            source.shown.push(previous)
            return noted(source.says)
          }),
        lookupMany: (keys) =>
          Effect.suspend(() => {
            source.asked.push(keys.join())
            return noted(
              Effect.map(source.says, (value) => new Map(keys.map((key) => [key, value]))),
            )
          }),
      }),
    })
    return Effect.map(made, (larder) => ({ larder, source }))
  })

const within = <E>(body: Effect.Effect<void, E, TierStack.TierStack | Scope.Scope>) =>
  Effect.andThen(
    TestClock.setTime(1_790_000_000_000),
    body.pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer()))),
  )

/** A larder with a stale hit behind it, whose refresh begins when this caller's turn is over. */
const staleHit = Effect.gen(function* () {
  const made = yield* make()
  yield* made.larder.get("k")
  yield* TestClock.adjust("10 seconds")
  expect(yield* made.larder.get("k")).toBe(1)
  expect(made.source.asked).toEqual(["k"])
  return made
})

describe("a refresh that begins soon", () => {
  it.effect("is shown the entry that it may renew", () =>
    within(
      Effect.gen(function* () {
        const { source } = yield* staleHit
        yield* TestClock.adjust(0)
        expect(source.shown.map((entry) => entry?.value)).toEqual([undefined, 1])
      }),
    ),
  )

  it.effect("is not shown an entry that a mark has dropped in between", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* staleHit
        yield* larder.invalidateTags(["t"], { keepStale: false })
        yield* TestClock.adjust(0)
        expect(source.shown).toEqual([undefined, undefined])
        expect(yield* larder.get("k")).toBe(1)
        expect(source.asked).toEqual(["k", "k"])
      }),
    ),
  )

  it.effect("covers the marks that came before it began: its value is fresh", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* staleHit
        source.says = Effect.succeed(2)
        yield* larder.invalidateTags(["t"])
        yield* TestClock.adjust(0)
        expect(yield* larder.read("k")).toMatchObject({
          freshness: { _tag: "Fresh" },
          entry: { value: 2 },
        })
      }),
    ),
  )

  it.effect.each(["remove", "set", "clear"] as const)(
    "does not begin where the key has changed since: %s",
    (change) =>
      within(
        Effect.gen(function* () {
          const { larder, source } = yield* staleHit
          if (change === "remove") yield* larder.remove("k")
          if (change === "set") yield* larder.set("k", 7)
          if (change === "clear") yield* larder.clear()
          yield* TestClock.adjust(0)
          expect(source.asked).toEqual(["k"])
          expect(yield* larder.stats).toMatchObject({ inFlight: 0, lookups: 1 })
        }),
      ),
  )

  it.effect("does not begin once the larder is closed", () =>
    within(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { source } = yield* Scope.provide(staleHit, scope)
        yield* Scope.close(scope, Exit.void)
        yield* TestClock.adjust(0)
        expect(source.asked).toEqual(["k"])
      }),
    ),
  )
})

describe("a refresh that has begun", () => {
  const begun = (engine: Engine, change: () => void) => {
    const flight = new Flight("k", "k", engine.versions.asOf(), {
      force: false,
      early: false,
      many: false,
      background: true,
      notBefore: -Infinity,
      stale: undefined,
    })
    engine.flights.begin(flight)
    change()
    beginSoon(engine, [flight], undefined)
    const { lookups } = engine.observer.counters
    return { lookups, joinable: engine.flights.at("k"), active: engine.flights.active().length }
  }

  const nothingLeft = { joinable: undefined, active: 0 }

  it.effect(
    "begins, with or without something stale, and is joined no more when it is complete",
    () =>
      Effect.gen(function* () {
        const engine = yield* makeEngine()
        expect(begun(engine, () => {})).toEqual({ lookups: 1, ...nothingLeft })
      }),
  )

  it.effect(
    "is abandoned without a lookup where its key has changed, or all has been cleared",
    () =>
      Effect.gen(function* () {
        const engine = yield* makeEngine()
        const isNotBegun = { lookups: 0, ...nothingLeft }
        expect(begun(engine, () => engine.flights.detach("k"))).toEqual(isNotBegun)
        const clear = () => engine.marks.add([undefined], true, engine.now())
        expect(begun(engine, clear)).toEqual(isNotBegun)
      }),
  )
})

it.effect(
  "law 22: where the lookup of one key closes the larder, those of the others do not begin",
  () =>
    within(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const asked: Array<string> = []
        const larder = yield* Larder.make({
          name: "closes itself",
          value: Schema.Finite,
          policy: Policy.make({ freshFor: "10 seconds" }),
          upstream: Upstream.make({
            lookup: (key: string) =>
              Effect.suspend(() => {
                asked.push(key)
                return Effect.as(
                  Effect.forkDetach(Scope.close(scope, Exit.void), { startImmediately: true }),
                  1,
                )
              }),
          }),
        }).pipe(Scope.provide(scope))
        const exits = yield* larder.getMany(["a", "b", "c"])
        expect(asked).toEqual(["a"])
        for (const exit of exits.values()) expect(JSON.stringify(exit)).toContain("LarderClosed")
      }),
    ),
)

describe("a bulk lookup", () => {
  it.effect("brings values that take the place of those from before", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make({ staleWhileRevalidate: 0 })
        for (const value of [1, 2, 3]) {
          source.says = Effect.succeed(value)
          const exits = yield* larder.getMany(["a", "b"])
          expect([...exits.values()]).toEqual([Exit.succeed(value), Exit.succeed(value)])
          expect((yield* larder.read("b")).entry?.value).toBe(value)
          yield* TestClock.adjust("10 seconds")
        }
        expect(source.asked).toEqual(["a,b", "a,b", "a,b"])
      }),
    ),
  )

  it.effect("law 8: is interrupted when nobody waits for any of its keys, and not before", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make()
        source.says = Effect.never
        const many = yield* fork(larder.getMany(["a", "b"]))
        const one = yield* fork(larder.get("b"))
        yield* Fiber.interrupt(many)
        yield* TestClock.adjust(0)
        expect(source.interrupted).toBe(0)
        yield* Fiber.interrupt(one)
        yield* TestClock.adjust(0)
        expect(source.interrupted).toBe(1)
        expect(yield* larder.stats).toMatchObject({ inFlight: 0 })
      }),
    ),
  )
})

describe("a bulk lookup of a key that was left while other keys were waited for", () => {
  it.effect("brings nothing that is kept, or counted as superseded", () =>
    within(
      Effect.gen(function* () {
        const { larder, source } = yield* make()
        source.says = Effect.delay(Effect.succeed(1), 50)
        const many = yield* fork(larder.getMany(["k", "l"]))
        const one = yield* fork(larder.get("l"))
        yield* Fiber.interrupt(many)
        yield* TestClock.adjust(50)
        expect(yield* Fiber.join(one)).toBe(1)
        const { entries, superseded } = yield* larder.stats
        expect({ entries, superseded }).toEqual({ entries: 1, superseded: 0 })
      }),
    ),
  )
})

describe("a lookup of a key that changed meanwhile", () => {
  const changedMeanwhile = (says: Effect.Effect<number, string>) =>
    Effect.gen(function* () {
      const { larder, source } = yield* make()
      source.says = Effect.delay(says, 100)
      const asking = yield* fork(Effect.exit(larder.get("k")))
      yield* TestClock.adjust(50)
      yield* larder.set("k", 7)
      yield* TestClock.adjust(50)
      yield* Fiber.join(asking)
      expect((yield* larder.read("k")).entry?.value).toBe(7)
      return yield* larder.stats
    })

  it.effect("is not kept, and counted as superseded", () =>
    within(
      Effect.map(changedMeanwhile(Effect.succeed(2)), (stats) =>
        expect(stats).toMatchObject({ superseded: 1 }),
      ),
    ),
  )

  it.effect("brought nothing that could be superseded where it fails", () =>
    within(
      Effect.map(changedMeanwhile(Effect.fail("down")), (stats) =>
        expect(stats).toMatchObject({ superseded: 0 }),
      ),
    ),
  )
})
