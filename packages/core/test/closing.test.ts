/** Law 22: what tiers missed is told them before the larder closes, for as long as that may take. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Clock, Effect, Exit, References, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer } from "./support/faultyTier.ts"
import { elsewhere, fork, fronts, law, type World } from "./support/twoWays.ts"

/** How long the end of the scope takes, in milliseconds. */
const closing = (scope: Scope.Closeable) =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    const fiber = yield* fork(Scope.close(scope, Exit.void))
    for (let i = 0; i < 600 && fiber.pollUnsafe() === undefined; i++) yield* TestClock.adjust(10)
    return (yield* Clock.currentTimeMillis) - began
  })

/** A node whose shared tier is away, and whose breaker is open; it missed a removal and a mark. */
const away = (world: World, way: Faults) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const a = yield* Scope.provide(world.join(way), scope)
    yield* a.set("k", 0)
    yield* a.set("marked", 1)
    way.turn("fail", "all")
    yield* a.remove("k")
    yield* a.invalidateTags(["v1"])
    for (let i = 0; i < 5; i++) yield* a.expire("another")
    yield* TestClock.adjust(100)
    expect((yield* a.stats).breakers["shared"]).toBe("Open")
    return scope
  })

law(
  "law 22: past an open breaker, the arbiter is told what it missed",
  (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const scope = yield* away(world, way)
      way.turn("none", "all")
      expect(yield* closing(scope)).toBeLessThanOrEqual(20)
      expect(yield* elsewhere(world, "k")).toBe("Missing")
      expect(yield* elsewhere(world, "marked")).toBe("Stale")
    }),
  fronts,
)

law(
  "law 22: the arbiter is told what it missed when it is back before closeTimeout has passed",
  (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const scope = yield* away(world, way)
      const closed = yield* fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(3_000)
      way.turn("none", "all")
      yield* TestClock.adjust(300)
      expect(closed.pollUnsafe()).toBeDefined()
      expect(yield* elsewhere(world, "k")).toBe("Missing")
      expect(yield* elsewhere(world, "marked")).toBe("Stale")
    }),
)

for (const fault of ["fail", "hang"] as const) {
  law(`law 22: closing ends within closeTimeout while the arbiter stays away (${fault})`, (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const scope = yield* away(world, way)
      way.turn(fault, "all")
      const millis = yield* closing(scope)
      expect(millis).toBeGreaterThanOrEqual(4_900)
      expect(millis).toBeLessThanOrEqual(5_100)
      way.turn("none", "all")
      const { written } = way
      yield* TestClock.adjust("1 minute")
      expect(way.written).toBe(written)
    }),
  )
}

law(
  "law 22: a change that is missed while the larder closes is told the arbiter as well",
  (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const scope = yield* Scope.make()
      const a = yield* Scope.provide(world.join(way), scope)
      yield* a.set("k", 0)
      way.turn("hang", "all")
      yield* fork(a.remove("k"))
      const closed = yield* fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(50)
      way.turn("none", "all")
      yield* TestClock.adjust(500)
      expect(closed.pollUnsafe()).toBeDefined()
      expect(yield* elsewhere(world, "k")).toBe("Missing")
    }),
)

it.effect(
  "law 22: a file drops, before the larder closes, what it could not drop when it should have",
  () => {
    const file = new Faults()
    const make = Larder.make({
      name: "closing",
      value: Schema.Finite,
      upstream: Upstream.make({ lookup: (key: string) => Effect.fail(`asked for ${key}`) }),
      policy: Policy.make({ freshFor: "10 minutes" }),
    })
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const larder = yield* Scope.provide(make, scope)
      yield* larder.set("k", 0)
      file.turn("fail", "all")
      for (let i = 0; i < 6; i++) yield* larder.remove("k")
      file.turn("none", "all")
      expect(yield* closing(scope)).toBeLessThanOrEqual(20)
      expect((yield* (yield* make).read("k")).freshness._tag).toBe("Missing")
    }).pipe(
      Effect.scoped,
      Effect.provide(TierStack.layer(MemoryTier.layer(), fileLayer(file))),
      Effect.provideService(References.MinimumLogLevel, "None"),
    )
  },
)
