/** `update`: read, change, write, all or nothing. */
import { expect, it } from "@effect/vitest"
import { InvalidOptions, Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Deferred, Effect, Exit, Fiber, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Faults } from "./support/faultyTier.ts"
import { layer as scripted, Script } from "./support/scriptedTier.ts"
import { lardersOf, passing } from "./support/sourceWorld.ts"
import { elsewhere, fork, fronts, law, type Node } from "./support/twoWays.ts"

const fresh = (node: Node, key = "k") =>
  Effect.map(node.read(key), ({ entry, freshness }) =>
    freshness._tag === "Fresh" ? entry?.value : freshness._tag,
  )

const increment = (current: Option.Option<number>) =>
  Effect.succeed(Option.map(current, (n) => n + 1))

/** A function that a test holds up. */
const gated = (gate: Deferred.Deferred<void>) => (current: Option.Option<number>) =>
  Effect.as(
    Deferred.await(gate),
    Option.map(current, (n) => n + 1),
  )

law(
  "law 25: it sees what the arbiter has, and its value is on all nodes",
  (world) =>
    Effect.gen(function* () {
      const a = yield* world.join()
      const b = yield* world.join()
      yield* a.set("k", 1)
      expect(yield* b.update("k", increment)).toEqual(Option.some(2))
      expect(yield* a.update("k", increment)).toEqual(Option.some(3))
      expect(yield* fresh(b)).toBe(3)
      expect(yield* elsewhere(world, "k")).toBe(3)
    }),
  fronts,
)

law("law 25: what was removed elsewhere is not there, also where the message is lost", ({ join }) =>
  Effect.gen(function* () {
    const faults = new Faults()
    faults.isDeaf = true
    const a = yield* join(faults)
    const b = yield* join()
    yield* a.set("k", 1)
    yield* b.remove("k")
    expect(yield* fresh(a)).toBe(1)
    expect(yield* a.update("k", increment)).toEqual(Option.none())
    yield* a.set("k", 1)
    yield* b.set("k", 5)
    expect(yield* a.update("k", increment)).toEqual(Option.some(6))
  }),
)

law("a value that is not fresh counts as none", ({ join }) =>
  Effect.gen(function* () {
    const a = yield* join()
    yield* a.set("k", 1)
    yield* a.expire("k")
    const seen: Array<unknown> = []
    const see = (current: Option.Option<number>) =>
      Effect.sync(() => {
        seen.push(current)
        return Option.none<number>()
      })
    expect(yield* a.update("k", see)).toEqual(Option.none())
    expect(seen).toEqual([Option.none()])
    expect(yield* fresh(a)).toBe("Stale")
  }),
)

law("None leaves things as they are, and gives the key back", ({ join }) =>
  Effect.gen(function* () {
    const a = yield* join()
    const b = yield* join()
    yield* a.set("k", 1)
    expect(yield* a.update("k", () => Effect.succeedNone)).toEqual(Option.some(1))
    const next = yield* fork(b.update("k", increment))
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(next)).toEqual(Option.some(2))
  }),
)

law("law 25: a caller that waits is woken by the message, not by a poll", ({ join }) =>
  Effect.gen(function* () {
    const a = yield* join()
    const b = yield* join()
    yield* a.set("k", 1)
    const gate = yield* Deferred.make<void>()
    const first = yield* fork(a.update("k", gated(gate)))
    yield* TestClock.adjust(1)
    const second = yield* fork(b.update("k", increment))
    yield* TestClock.adjust(1)
    expect(second.pollUnsafe()).toBeUndefined()
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(first)
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(second)).toEqual(Option.some(3))
  }),
)

law("law 25: a change in between: the function runs again, over the newer value", ({ join }) =>
  Effect.gen(function* () {
    const a = yield* join()
    const b = yield* join()
    yield* a.set("k", 1)
    const gate = yield* Deferred.make<void>()
    const updating = yield* fork(a.update("k", gated(gate)))
    yield* TestClock.adjust(1)
    yield* b.set("k", 10)
    yield* Deferred.succeed(gate, undefined)
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(updating)).toEqual(Option.some(11))
    expect(yield* fresh(b)).toBe(11)
  }),
)

law(
  "law 23: a function that fails has perhaps written the source: the key is expired",
  ({ join }) =>
    Effect.gen(function* () {
      const a = yield* join()
      const b = yield* join()
      yield* a.set("k", 1)
      expect(yield* Effect.flip(a.update("k", () => Effect.fail("no")))).toBe("no")
      expect(yield* fresh(b)).toBe("Stale")
      yield* a.set("k", 1)
      const untouched = (error: string) => error === "no"
      yield* Effect.flip(a.update("k", () => Effect.fail("no"), { untouched }))
      expect(yield* fresh(b)).toBe(1)
    }),
)

law("interrupted while it waits for its turn, it leaves the key alone", ({ join }) =>
  Effect.gen(function* () {
    const a = yield* join()
    const b = yield* join()
    yield* a.set("k", 1)
    const gate = yield* Deferred.make<void>()
    const first = yield* fork(a.update("k", gated(gate)))
    yield* TestClock.adjust(1)
    const second = yield* fork(b.update("k", increment))
    yield* TestClock.adjust(1)
    yield* Fiber.interrupt(second)
    yield* Deferred.succeed(gate, undefined)
    expect(yield* Fiber.join(first)).toEqual(Option.some(2))
    expect(yield* fresh(b)).toBe(2)
  }),
)

law("the lease of a holder that died is taken after `leaseWait`", ({ join }) =>
  Effect.gen(function* () {
    const faults = new Faults()
    const a = yield* join(faults)
    const b = yield* join()
    yield* b.set("k", 1)
    const gate = yield* Deferred.make<void>()
    const dead = yield* fork(a.update("k", gated(gate)))
    yield* TestClock.adjust(1)
    faults.turn("fail", "all")
    const next = yield* fork(b.update("k", increment))
    yield* TestClock.adjust("15 seconds")
    expect(yield* Fiber.join(next)).toEqual(Option.some(2))
    faults.turn("none", "all")
    yield* passing(Fiber.interrupt(dead), 100)
  }),
)

law("an arbiter that is away: nothing happens, and the caller learns it", ({ join }) =>
  Effect.gen(function* () {
    const faults = new Faults()
    const a = yield* join(faults)
    yield* a.set("k", 1)
    faults.turn("fail", "all")
    let ran = false
    const compute = () =>
      Effect.sync(() => {
        ran = true
        return Option.some(2)
      })
    const error = yield* passing(Effect.flip(a.update("k", compute)), 50)
    expect(error).toBeInstanceOf(Larder.NotSettled)
    expect(ran).toBe(false)
    faults.turn("none", "all")
    yield* TestClock.adjust("10 seconds")
    expect(yield* fresh(a)).toBe(1)
  }),
)

for (const fault of ["failAfter", "hangAfter", "late", "fail"] as const) {
  law(`law 25: a commit whose answer is lost (${fault}) counts once`, ({ join }) =>
    Effect.gen(function* () {
      const faults = new Faults()
      const a = yield* join(faults)
      const b = yield* join()
      yield* a.set("k", 1)
      let runs = 0
      const gate = yield* Deferred.make<void>()
      const compute = (current: Option.Option<number>) => {
        runs += 1
        return gated(gate)(current)
      }
      const updating = yield* fork(a.update("k", compute))
      yield* TestClock.adjust(1)
      faults.turn(fault, "writes")
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust(150)
      faults.turn("none", "all")
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(updating)).toEqual(Option.some(2))
      expect(runs).toBe(1)
      expect(yield* fresh(a)).toBe(2)
      expect(yield* fresh(b)).toBe(2)
      expect(yield* b.update("k", increment)).toEqual(Option.some(3))
    }),
  )
}

law("law 25: the answer is lost, and another update follows at once", ({ join }) =>
  Effect.gen(function* () {
    const faults = new Faults()
    const a = yield* join(faults)
    const b = yield* join()
    yield* a.set("k", 1)
    const gate = yield* Deferred.make<void>()
    const first = yield* fork(a.update("k", gated(gate)))
    yield* TestClock.adjust(1)
    faults.turn("failAfter", "writes")
    yield* Deferred.succeed(gate, undefined)
    yield* TestClock.adjust(1)
    expect(yield* passing(b.update("k", increment))).toEqual(Option.some(3))
    faults.turn("none", "all")
    yield* TestClock.adjust("2 seconds")
    expect(yield* Fiber.join(first)).toEqual(Option.some(2))
    expect(yield* fresh(a)).toBe(3)
  }),
)

law("an arbiter that never answers the commit: the key is dropped once it is back", ({ join }) =>
  Effect.gen(function* () {
    const faults = new Faults()
    const a = yield* join(faults)
    const b = yield* join()
    yield* a.set("k", 1)
    const gate = yield* Deferred.make<void>()
    const updating = yield* fork(Effect.flip(a.update("k", gated(gate))))
    yield* TestClock.adjust(1)
    faults.turn("fail", "all")
    yield* Deferred.succeed(gate, undefined)
    yield* TestClock.adjust("30 seconds")
    expect(yield* Fiber.join(updating)).toBeInstanceOf(Larder.NotSettled)
    faults.turn("none", "all")
    yield* TestClock.adjust("20 seconds")
    expect(yield* fresh(b)).toBe("Missing")
  }),
)

for (const nodes of [1, 2]) {
  it.effect(`it ends with Contended after \`attempts\`, and keeps nothing (${nodes})`, () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const larders = yield* lardersOf(nodes, () => Effect.succeed(0))
      const [larder] = larders
      let runs = 0
      const interfering = () => {
        runs += 1
        return Effect.as(larders.at(-1)!.set("k", runs), Option.some(-1))
      }
      const error = yield* Effect.flip(larder!.update("k", interfering, { attempts: 4 }))
      expect(error).toMatchObject({ _tag: "Contended", larder: "products", key: "k", attempts: 4 })
      expect(runs).toBe(4)
      // The function may have written the source, which the value of the others does not know.
      const { freshness } = yield* larder!.read("k")
      expect(freshness._tag).toBe("Stale")
    }).pipe(Effect.scoped),
  )

  it.effect(`setIfPresent never creates (${nodes})`, () =>
    Effect.gen(function* () {
      const [larder] = yield* lardersOf(nodes, () => Effect.succeed(0))
      expect(yield* larder!.setIfPresent("k", 1)).toBe(false)
      expect(yield* larder!.has("k")).toBe(false)
      yield* larder!.set("k", 1)
      expect(yield* larder!.setIfPresent("k", 2)).toBe(true)
      expect(yield* larder!.get("k")).toBe(2)
    }).pipe(Effect.scoped),
  )
}

it.effect("two trips where nobody contends and memory has the value, three where it has not", () =>
  Effect.gen(function* () {
    const script = new Script()
    const larder = yield* Effect.provide(
      Larder.make({
        name: "trips",
        value: Schema.Finite,
        upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }),
        policy: Policy.make({ freshFor: "1 hour" }),
      }),
      TierStack.layer(MemoryTier.layer({ maxEntries: 1 }), scripted(script)),
    )
    yield* larder.set("k", 1)
    script.trips()
    yield* larder.update("k", increment)
    expect(script.trips()).toEqual(["acquire", "commit"])
    yield* larder.update("absent", () => Effect.succeedSome(1))
    expect(script.trips()).toEqual(["acquire", "commit"])
    yield* larder.update("k", increment)
    expect(script.trips()).toEqual(["acquire", "acquire", "commit"])
    // A tier that does not tell the version below a lease.
    script.instead.acquire = (real) => (key, request) =>
      Effect.map(real(key, request), (acquired) =>
        acquired._tag === "Won" ? { ...acquired, storedVersion: undefined } : acquired,
      )
    expect(yield* larder.update("k", increment)).toEqual(Option.some(4))
    expect(script.trips()).toEqual(["acquire", "read", "commit"])
  }).pipe(Effect.scoped),
)

it.effect("each mistake in its arguments is named", () =>
  Effect.gen(function* () {
    const [larder] = yield* lardersOf(1, () => Effect.succeed(0))
    const update = larder!.update as (
      ...args: ReadonlyArray<unknown>
    ) => Effect.Effect<unknown, unknown>
    const mistakeOf = (effect: Effect.Effect<unknown, unknown>) =>
      Effect.map(Effect.exit(effect), (exit) => {
        const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        expect(defect).toBeInstanceOf(InvalidOptions)
        return (defect as InvalidOptions).message
      })
    expect(yield* mistakeOf(update("k", 1))).toContain("function of the current value")
    for (const attempts of [0, -1, 1.5, Number.NaN, "1"]) {
      expect(yield* mistakeOf(update("k", increment, { attempts }))).toContain(
        'attempts of "products" must be an integer of at least 1, got',
      )
    }
    expect(yield* mistakeOf(update("k", increment, { tries: 1 }))).toContain("unknown option")
  }).pipe(Effect.scoped),
)
