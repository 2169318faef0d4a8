/** `through`: the source is written under the arbiter's token, and its value stored under it. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Cause, Deferred, Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Faults } from "./support/faultyTier.ts"
import { layer as scripted, Script } from "./support/scriptedTier.ts"
import { lardersOf, passing } from "./support/sourceWorld.ts"
import { elsewhere, fork, fronts, law, type Node } from "./support/twoWays.ts"

const fresh = (node: Node, key = "k") =>
  Effect.map(node.read(key), ({ entry, freshness }) =>
    freshness._tag === "Fresh" ? entry?.value : freshness._tag,
  )

/** A write that ends when the gate opens. */
const gated = <A>(gate: Deferred.Deferred<void>, value: A) => Effect.as(Deferred.await(gate), value)

law(
  "law 23: the value that the source has now is fresh on all nodes, without a lookup",
  (world) =>
    Effect.gen(function* () {
      const a = yield* world.join()
      const b = yield* world.join()
      yield* a.set("k", 1)
      expect(yield* fresh(b)).toBe(1)
      expect(yield* Effect.succeed(2).pipe(a.through("k"))).toBe(2)
      expect(yield* fresh(a)).toBe(2)
      expect(yield* fresh(b)).toBe(2)
      expect(yield* elsewhere(world, "k")).toBe(2)
    }),
  fronts,
)

it.effect("in memory alone, a version is above those of an earlier process", () =>
  Effect.gen(function* () {
    const versions: Array<number> = []
    const writing = ({ version }: { readonly version: number }) =>
      Effect.sync(() => {
        versions.push(version)
        return 1
      })
    const process = Effect.gen(function* () {
      const [larder] = yield* lardersOf(1, () => Effect.succeed(1))
      for (let n = 0; n < 3; n += 1) {
        yield* larder!.through("k")(writing)
        yield* larder!.update("k", (_, write) => Effect.asSome(writing(write)))
      }
    }).pipe(Effect.scoped)
    yield* process
    yield* TestClock.adjust(1)
    yield* process
    expect(versions).toEqual(versions.toSorted((one, other) => one - other))
    expect(new Set(versions).size).toBe(12)
  }),
)

law("the function form gets a version that rises over all nodes", ({ join }) =>
  Effect.gen(function* () {
    const nodes = [yield* join(), yield* join()]
    const versions: Array<number> = []
    for (const node of [...nodes, ...nodes]) {
      yield* node.through("k")(({ version }) => Effect.sync(() => versions.push(version)))
    }
    expect(versions).toEqual(versions.toSorted((one, other) => one - other))
    expect(new Set(versions).size).toBe(4)
  }),
)

law("a node that the arbiter has never answered gives versions above those of before", ({ join }) =>
  Effect.gen(function* () {
    const a = yield* join()
    const versions: Array<number> = []
    const write = (node: Node) =>
      node.through("k")(({ version }) => Effect.sync(() => versions.push(version)))
    yield* write(a)
    const faults = new Faults()
    faults.turn("fail", "all")
    const b = yield* join(faults)
    yield* TestClock.adjust(5)
    const writing = yield* fork(Effect.all([write(b), write(b)]))
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(writing)
    faults.turn("none", "all")
    yield* TestClock.adjust("15 seconds")
    yield* write(a)
    expect(versions).toEqual(versions.toSorted((one, other) => one - other))
    expect(new Set(versions).size).toBe(4)
  }),
)

law("law 23: a change in between removes the key, on every node", ({ join }) =>
  Effect.gen(function* () {
    const a = yield* join()
    const b = yield* join()
    const gate = yield* Deferred.make<void>()
    const writing = yield* fork(gated(gate, 1).pipe(a.through("k")))
    yield* TestClock.adjust(1)
    yield* b.set("k", 2)
    yield* Deferred.succeed(gate, undefined)
    expect(yield* Fiber.join(writing)).toBe(1)
    expect(yield* fresh(a)).toBe("Missing")
    expect(yield* fresh(b)).toBe("Missing")
    expect((yield* a.stats).superseded).toBe(1)
  }),
)

law("law 23: a tag mark in between leaves no fresh value", ({ join }) =>
  Effect.gen(function* () {
    const a = yield* join()
    const b = yield* join()
    const gate = yield* Deferred.make<void>()
    const writing = yield* fork(gated(gate, 1).pipe(a.through("k")))
    yield* TestClock.adjust(1)
    yield* b.invalidateTags("all")
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(writing)
    expect(yield* passing(fresh(a), 100)).not.toBe(1)
    expect(yield* fresh(b)).not.toBe(1)
  }),
)

it.effect("readers with nothing to serve wait for the write, on every node", () =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1_790_000_000_000)
    let lookups = 0
    const [a, b] = yield* lardersOf(2, () => Effect.sync(() => (lookups += 1)))
    const gate = yield* Deferred.make<void>()
    const writing = yield* fork(gated(gate, 7).pipe(a!.through("k")))
    yield* TestClock.adjust(1)
    const readers = yield* fork(Effect.all([a!.get("k"), b!.get("k")], { concurrency: 2 }))
    // Longer than a lease: the write renews it.
    yield* TestClock.adjust("9 seconds")
    expect(readers.pollUnsafe()).toBeUndefined()
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(writing)
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(readers)).toEqual([7, 7])
    expect(lookups).toBe(0)
  }).pipe(Effect.scoped),
)

it.effect("a write that takes longer than a lease keeps it", () =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1_790_000_000_000)
    const [a, b] = yield* lardersOf(2, () => Effect.succeed(0))
    const writing = yield* fork(Effect.delay(Effect.succeed(7), "1 minute").pipe(a!.through("k")))
    yield* TestClock.adjust("1 minute")
    expect(yield* Fiber.join(writing)).toBe(7)
    expect(yield* b!.get("k")).toBe(7)
  }).pipe(Effect.scoped),
)

it.effect("a lookup that began before stores nothing, also where the write ends first", () =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1_790_000_000_000)
    let source = 1
    const lookup = () =>
      Effect.suspend(() => {
        const read = source
        return Effect.delay(Effect.succeed(read), 100)
      })
    for (const nodes of [1, 2]) {
      source = 1
      const larders = yield* lardersOf(nodes, lookup)
      const reading = yield* fork(larders.at(-1)!.get("k"))
      yield* TestClock.adjust(10)
      const save = Effect.sync(() => {
        source = 2
        return source
      })
      yield* save.pipe(larders[0]!.through("k"))
      yield* TestClock.adjust(200)
      expect(yield* Fiber.join(reading)).toBe(1)
      for (const larder of larders) expect(yield* larder.get("k")).toBe(2)
    }
  }).pipe(Effect.scoped),
)

for (const [how, effect] of [
  ["fails", Effect.fail("no")],
  ["dies", Effect.die("no")],
  ["is interrupted", Effect.interrupt],
] as const) {
  law(`law 23: an effect that ${how} expires the key, and nobody waits for its lease`, ({ join }) =>
    Effect.gen(function* () {
      const a = yield* join()
      const b = yield* join()
      yield* a.set("k", 1)
      expect(Exit.isFailure(yield* Effect.exit(effect.pipe(a.through("k"))))).toBe(true)
      expect(yield* fresh(a)).toBe("Stale")
      expect(yield* fresh(b)).toBe("Stale")
      const next = yield* fork(b.update("k", () => Effect.succeedSome(2)))
      yield* TestClock.adjust(1)
      expect(next.pollUnsafe()).toBeDefined()
    }),
  )
}

law("an error that `untouched` names leaves the value, and gives the lease back", ({ join }) =>
  Effect.gen(function* () {
    const a = yield* join()
    const b = yield* join()
    yield* a.set("k", 1)
    yield* Effect.exit(Effect.fail("no").pipe(a.through("k", { untouched: () => true })))
    expect(yield* fresh(a)).toBe(1)
    const next = yield* fork(b.update("k", () => Effect.succeedSome(2)))
    yield* TestClock.adjust(1)
    expect(next.pollUnsafe()).toBeDefined()
  }),
)

for (const fault of ["fail", "hang", "failAfter", "hangAfter"] as const) {
  law(
    `an arbiter that answers nothing (${fault}): the source is written, the key removed`,
    ({ join }) =>
      Effect.gen(function* () {
        const faults = new Faults()
        const a = yield* join(faults)
        const b = yield* join()
        yield* a.set("k", 1)
        expect(yield* fresh(b)).toBe(1)
        faults.turn(fault, "all")
        const writing = yield* fork(Effect.succeed(2).pipe(a.through("k")))
        yield* TestClock.adjust("1 second")
        expect(yield* Fiber.join(writing)).toBe(2)
        expect(yield* passing(fresh(a), 100)).not.toBe(1)
        faults.turn("none", "all")
        yield* TestClock.adjust("15 seconds")
        for (const node of [a, b]) expect(["Missing", 2]).toContain(yield* fresh(node))
      }),
  )
}

law("a commit whose answer is lost: the key is removed", ({ join }) =>
  Effect.gen(function* () {
    const faults = new Faults()
    const a = yield* join(faults)
    const b = yield* join()
    yield* a.set("k", 1)
    const gate = yield* Deferred.make<void>()
    const writing = yield* fork(gated(gate, 2).pipe(a.through("k")))
    yield* TestClock.adjust(1)
    faults.turn("failAfter", "writes")
    yield* Deferred.succeed(gate, undefined)
    yield* TestClock.adjust(500)
    yield* Fiber.join(writing)
    faults.turn("none", "all")
    yield* TestClock.adjust("15 seconds")
    for (const node of [a, b]) expect(["Missing", 2]).toContain(yield* fresh(node))
  }),
)

const script = new Script()

it.effect("it takes two trips to the arbiter, `around` one", () =>
  Effect.gen(function* () {
    const larder = yield* Effect.provide(
      Larder.make({
        name: "trips",
        value: Schema.Finite,
        upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }),
        policy: Policy.make({ freshFor: "1 hour" }),
      }),
      TierStack.layer(MemoryTier.layer(), scripted(script)),
    )
    yield* larder.get("k")
    script.trips()
    yield* Effect.succeed(2).pipe(larder.through("k"))
    expect(script.trips()).toEqual(["acquire", "commit"])
    yield* Effect.void.pipe(larder.around("k"))
    expect(script.trips()).toEqual(["write"])
  }).pipe(Effect.scoped),
)

it.effect("a value on which an option fails is returned, and the key removed", () =>
  Effect.gen(function* () {
    for (const nodes of [1, 2]) {
      const [larder] = yield* lardersOf(nodes, () => Effect.succeed(1), {
        tags: (value) => {
          if (value === 13) throw new Error("no tags")
          return []
        },
      })
      yield* larder!.get("k")
      expect(yield* Effect.succeed(13).pipe(larder!.through("k"))).toBe(13)
      expect(yield* larder!.has("k")).toBe(false)
    }
  }).pipe(Effect.scoped),
)

it.effect("without an arbiter writes of one key take turns, also one inside the other", () =>
  Effect.gen(function* () {
    const [larder] = yield* lardersOf(1, () => Effect.succeed(0))
    const begun: Array<string> = []
    const write = (name: string, value: number) =>
      Effect.suspend(() => {
        begun.push(name)
        return Effect.delay(Effect.succeed(value), 10)
      }).pipe(larder!.through("k"))
    const both = yield* fork(
      Effect.all([write("first", 1), write("second", 2)], { concurrency: 2 }),
    )
    yield* TestClock.adjust(5)
    expect(begun).toEqual(["first"])
    yield* TestClock.adjust(30)
    yield* Fiber.join(both)
    expect(yield* larder!.get("k")).toBe(2)
    const nested = yield* fork(Effect.as(write("inner", 3), 4).pipe(larder!.through("k")))
    yield* TestClock.adjust(30)
    expect(yield* Fiber.join(nested)).toBe(4)
    // The inner write changed the key in between.
    expect(yield* larder!.has("k")).toBe(false)
  }).pipe(Effect.scoped),
)

it.effect("an argument that is no effect and no function is named", () =>
  Effect.gen(function* () {
    const [larder] = yield* lardersOf(1, () => Effect.succeed(0))
    const through = larder!.through("k") as (writing: unknown) => Effect.Effect<unknown, unknown>
    const exit = yield* Effect.exit(through(Promise.resolve(1)))
    expect(Exit.isFailure(exit) && String(Cause.squash(exit.cause))).toContain(
      "must be applied to an Effect, or to a function that returns one",
    )
  }).pipe(Effect.scoped),
)
