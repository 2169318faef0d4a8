/** Laws 11, 13, 20 with `tierWrites: "background"`: a value has its place in the order when it is acknowledged. */
import { expect } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Fiber, Schema } from "effect"
import { it } from "@effect/vitest"
import { TestClock } from "effect/testing"
import { Faults, layer as faultyShared } from "./support/faultyTier.ts"
import { elsewhere, fork, law } from "./support/twoWays.ts"

const background = { tierWrites: "background" } as const

for (const fault of ["slow", "hang", "fail"] as const) {
  law(
    `laws 13, 20: a queued set that arrives after a later one of another node is not stored (${fault})`,
    (world) =>
      Effect.gen(function* () {
        const way = new Faults()
        const a = yield* world.join(way, background)
        const b = yield* world.join()
        yield* a.set("warm", 0)
        yield* TestClock.adjust(1)
        way.turn(fault, "writes")
        expect((yield* a.set("k", 1)).settled).toBe(false)
        yield* TestClock.adjust(1)
        expect((yield* b.set("k", 2)).settled).toBe(true)
        way.turn("none", "all")
        yield* TestClock.adjust("10 seconds")
        expect(yield* elsewhere(world, "k")).toBe(2)
        // What was overtaken is not given any more.
        expect(yield* a.get("k")).toBe(2)
      }),
  )

  law(
    `law 13: a queued set is not lost to an older value that another node expires meanwhile (${fault})`,
    (world) =>
      Effect.gen(function* () {
        const way = new Faults()
        const a = yield* world.join(way, background)
        const b = yield* world.join()
        yield* b.set("k", 0)
        yield* TestClock.adjust(1)
        expect((yield* a.read("k")).entry?.value).toBe(0)
        way.turn(fault, "writes")
        yield* a.set("k", 1)
        yield* TestClock.adjust(1)
        expect((yield* b.expire("k")).settled).toBe(true)
        const whenExpired = Effect.gen(function* () {
          const { entry, freshness } = yield* a.read("k")
          expect([entry?.value, freshness._tag]).toEqual([1, "Stale"])
          const got = yield* fork(a.getWithMeta("k"))
          yield* TestClock.adjust("1 second")
          expect((yield* Fiber.join(got)).value).toBe(1)
        })
        yield* whenExpired
        way.turn("none", "all")
        yield* TestClock.adjust("10 seconds")
        yield* whenExpired
        const { entry, freshness } = yield* (yield* world.join()).read("k")
        expect([entry?.value, freshness._tag]).toEqual([1, "Stale"])
      }),
  )

  law(
    `laws 12, 20: a queued set that arrives after a removal by another node brings nothing back (${fault})`,
    (world) =>
      Effect.gen(function* () {
        const way = new Faults()
        const a = yield* world.join(way, background)
        const b = yield* world.join()
        yield* a.set("warm", 0)
        yield* TestClock.adjust(1)
        way.turn(fault, "writes")
        yield* a.set("k", 1)
        yield* TestClock.adjust(1)
        expect((yield* b.remove("k")).settled).toBe(true)
        way.turn("none", "all")
        yield* TestClock.adjust("10 seconds")
        expect(yield* elsewhere(world, "k")).toBe("Missing")
        expect(yield* Effect.flip(a.get("k"))).toBe("asked for k")
      }),
  )
}

for (const fault of ["hang", "fail"] as const) {
  law(
    `law 18: a queued set counts as fresh for maxFreshFor while the arbiter cannot be asked (${fault})`,
    (world) =>
      Effect.gen(function* () {
        const way = new Faults()
        way.isDeaf = true
        const a = yield* world.join(way, background)
        const b = yield* world.join()
        yield* a.set("warm", 0)
        yield* TestClock.adjust(1)
        way.turn(fault, "all")
        yield* a.set("k", 1)
        yield* TestClock.adjust(1)
        yield* b.set("k", 2)
        for (let passed = 1; passed < 5_000; passed += 100) {
          const asked = yield* fork(
            Effect.all({ read: a.read("k"), get: a.getWithMeta("k") }, { concurrency: 2 }),
          )
          // A step in the tier takes 100 ms; what was fresh when it was asked for may be given by then.
          yield* TestClock.adjust(passed < 300 ? 0 : 400)
          const { get, read } = yield* Fiber.join(asked)
          const expected = passed < 300 ? "Fresh" : "Stale"
          expect([read.freshness._tag, get.freshness._tag]).toEqual([expected, expected])
          expect([read.entry?.value, get.value]).toEqual([1, 1])
          yield* TestClock.adjust(100)
        }
        way.turn("none", "all")
        yield* TestClock.adjust("20 seconds")
        expect(yield* a.get("k")).toBe(2)
      }),
    ["memory for 300 ms"],
  )
}

law("law 13: a queued set replaces what another node set before it", (world) =>
  Effect.gen(function* () {
    const way = new Faults()
    const a = yield* world.join(way, background)
    const b = yield* world.join()
    yield* a.set("warm", 0)
    yield* b.set("k", 1)
    yield* TestClock.adjust(1)
    way.turn("fail", "all")
    yield* a.set("k", 2)
    yield* TestClock.adjust("1 second")
    way.turn("none", "all")
    yield* TestClock.adjust("10 seconds")
    expect(yield* elsewhere(world, "k")).toBe(2)
    expect(yield* a.get("k")).toBe(2)
  }),
)

law(
  "law 20: a set that is queued before the arbiter was ever reached finds its place afterwards",
  (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      way.turn("fail", "all")
      const a = yield* world.join(way, background)
      const b = yield* world.join()
      yield* b.set("older", 1)
      yield* TestClock.adjust(1)
      yield* a.set("older", 2)
      yield* a.set("newer", 3)
      yield* TestClock.adjust(1)
      yield* b.set("newer", 4)
      way.turn("none", "all")
      yield* TestClock.adjust("20 seconds")
      expect(yield* elsewhere(world, "older")).toBe(2)
      expect(yield* elsewhere(world, "newer")).toBe(4)
      expect(yield* a.get("newer")).toBe(4)
    }),
)

law(
  "law 13: a queued set is not taken away by the replay of an older change of the node",
  (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const a = yield* world.join(way, background)
      yield* a.set("k", 0)
      yield* TestClock.adjust(1)
      way.turn("fail", "writes")
      yield* a.remove("k")
      yield* a.set("k", 1)
      way.turn("none", "all")
      yield* TestClock.adjust("10 seconds")
      expect(yield* elsewhere(world, "k")).toBe(1)
      expect(yield* a.get("k")).toBe(1)
    }),
)

for (const millis of [0, 20, 49, 50, 51, 80]) {
  it.effect(
    `laws 11, 13: a lookup that began before a queued set does not overtake it (set ${millis} ms into it)`,
    () => {
      const tier = new Faults()
      return Effect.gen(function* () {
        yield* TestClock.setTime(1_790_000_000_000)
        const larder = yield* Larder.make({
          name: "overtaken",
          value: Schema.Finite,
          upstream: Upstream.make({ lookup: (_: string) => Effect.delay(Effect.succeed(1), 50) }),
          policy: Policy.make({ freshFor: "10 minutes", tierWrites: "background" }),
        })
        yield* larder.set("warm", 0)
        yield* TestClock.adjust(1)
        tier.turn("slow", "writes")
        const looking = yield* fork(larder.get("k"))
        yield* TestClock.adjust(millis)
        yield* larder.set("k", 2)
        for (let i = 0; i < 20; i++) {
          expect(yield* larder.get("k")).toBe(2)
          yield* TestClock.adjust(20)
        }
        yield* Fiber.join(looking)
        const other = Larder.make({
          name: "overtaken",
          value: Schema.Finite,
          upstream: Upstream.make({ lookup: (_: string) => Effect.fail("asked") }),
          policy: Policy.make({ freshFor: "10 minutes" }),
        })
        expect(yield* (yield* other).get("k")).toBe(2)
      }).pipe(
        Effect.scoped,
        Effect.provide(TierStack.layer(MemoryTier.layer(), faultyShared(tier))),
      )
    },
  )
}
