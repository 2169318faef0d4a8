/** `tierWrites: "background"`: `set` waits for memory, the tiers behind it follow. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyShared } from "./support/faultyTier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

const make = Larder.make({
  name: "behind",
  value: Schema.Finite,
  tags: () => ["all"],
  upstream: Upstream.make({ lookup: (key: string) => Effect.fail(`asked for ${key}`) }),
  policy: Policy.make({ freshFor: "10 minutes", tierWrites: "background" }),
})

const test = (
  title: string,
  body: (tier: Faults) => Effect.Effect<void, unknown, TierStack.TierStack | Scope.Scope>,
  maxEntries = 10_000,
) =>
  it.effect(title, () => {
    const tier = new Faults()
    return Effect.andThen(
      TestClock.setTime(1_790_000_000_000),
      body(tier).pipe(
        Effect.scoped,
        Effect.provide(TierStack.layer(MemoryTier.layer({ maxEntries }), faultyShared(tier))),
      ),
    )
  })

type Made = Effect.Success<typeof make>

/** What another process finds. */
const elsewhere = (key: string) =>
  Effect.scoped(Effect.flatMap(make, (larder) => Effect.exit(larder.get(key))))

test("set is acknowledged when memory has the value, and the tier follows", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("warm", 0)
    tier.turn("slow", "writes")
    const ack = yield* larder.set("k", 1)
    expect(ack).toMatchObject({ settled: false, pending: ["shared"] })
    expect(yield* larder.get("k")).toBe(1)
    expect((yield* larder.stats).queuedWrites).toBe(1)
    yield* TestClock.adjust(100)
    expect((yield* larder.stats).queuedWrites).toBe(0)
    expect(yield* elsewhere("k")).toEqual(Exit.succeed(1))
  }))

test("of several values set quickly the last one counts, and those between are not written", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("warm", 0)
    yield* TestClock.adjust(1)
    tier.turn("slow", "writes")
    const { written } = tier
    yield* Effect.forEach([1, 2, 3, 4, 5], (value) => larder.set("k", value))
    yield* TestClock.adjust(200)
    expect(tier.written - written).toBe(2)
    expect(yield* larder.get("k")).toBe(5)
    expect(yield* elsewhere("k")).toEqual(Exit.succeed(5))
  }))

test("a removal waits for what was set before it", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("warm", 0)
    tier.turn("slow", "writes")
    yield* larder.set("k", 1)
    const removed = yield* fork(larder.remove("k"))
    yield* TestClock.adjust(200)
    expect((yield* Fiber.join(removed)).settled).toBe(true)
    expect(yield* Effect.flip(larder.get("k"))).toBe("asked for k")
    expect(yield* elsewhere("k")).toEqual(Exit.fail("asked for k"))
  }))

test("an invalidation covers what was set before it and is written after it", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("warm", 0)
    tier.turn("slow", "writes")
    yield* larder.set("k", 1)
    tier.turn("none", "all")
    const invalidating = yield* fork(larder.invalidateTags(["all"], { keepStale: false }))
    yield* TestClock.adjust(200)
    expect((yield* Fiber.join(invalidating)).settled).toBe(true)
    expect((yield* larder.read("k")).freshness._tag).toBe("Missing")
    expect(yield* elsewhere("k")).toEqual(Exit.fail("asked for k"))
  }))

test(
  "law 13: a value that memory had to give up before it was written is not lost",
  (tier) =>
    Effect.gen(function* () {
      const larder = yield* make
      yield* larder.set("k", 1)
      yield* TestClock.adjust(1)
      tier.turn("slow", "writes")
      yield* larder.set("k", 2)
      yield* larder.set("other", 3)
      expect((yield* larder.read("k")).entry?.value).toBe(2)
      expect(yield* larder.get("k")).toBe(2)
      yield* TestClock.adjust(200)
      yield* larder.set("other", 4)
      expect(yield* larder.get("k")).toBe(2)
      yield* TestClock.adjust(200)
    }),
  1,
)

test("law 15: at most 1,000 keys are on their way; then set waits, for as long as the tier takes", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("warm", 0)
    yield* TestClock.adjust(1)
    tier.turn("slow", "writes")
    const sets = yield* fork(
      Effect.forEach(
        Array.from({ length: 1_200 }, (_, i) => i),
        (i) => larder.set(`k${i}`, i),
        {
          discard: true,
        },
      ),
    )
    for (let i = 0; i < 100; i++) yield* Effect.yieldNow
    const full = (yield* larder.stats).queuedWrites
    const waits = sets.pollUnsafe() === undefined
    // 16 at a time, 50 ms each.
    for (let i = 0; i <= 1_300 / 16; i++) yield* TestClock.adjust(50)
    yield* Fiber.join(sets)
    expect([full, waits]).toEqual([1_000, true])
    expect((yield* larder.stats).queuedWrites).toBe(0)
    expect(yield* elsewhere("k0")).toEqual(Exit.succeed(0))
    expect(yield* elsewhere("k1199")).toEqual(Exit.succeed(1_199))
  }))

test("law 22: what is on its way is written before the larder closes", (tier) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const larder = yield* Scope.provide(make, scope)
    yield* larder.set("warm", 0)
    tier.turn("slow", "writes")
    yield* Effect.forEach([1, 2, 3], (value) => larder.set(`k${value}`, value))
    const closing = yield* fork(Scope.close(scope, Exit.void))
    yield* TestClock.adjust(200)
    yield* Fiber.join(closing)
    tier.turn("none", "all")
    expect(yield* elsewhere("k3")).toEqual(Exit.succeed(3))
  }))

test("law 15: a value that the tier did not take is tried again, and nothing older is there meanwhile", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("k", 1)
    yield* TestClock.adjust(1)
    tier.turn("fail", "writes")
    yield* larder.set("k", 2)
    yield* TestClock.adjust(10)
    expect((yield* larder.stats).queuedWrites).toBe(1)
    tier.turn("none", "all")
    yield* TestClock.adjust("6 seconds")
    expect((yield* larder.stats).queuedWrites).toBe(0)
    expect(yield* larder.get("k")).toBe(2)
    expect(yield* elsewhere("k")).toEqual(Exit.succeed(2))
  }))

test("law 15: an outage does not empty the queue: 800 values are written when the tier is back", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("warm", 0)
    yield* TestClock.adjust(1)
    tier.turn("hang", "all")
    yield* Effect.forEach(
      Array.from({ length: 800 }, (_, i) => i),
      (i) => larder.set(`k${i}`, i),
      {
        discard: true,
      },
    )
    yield* TestClock.adjust("2 seconds")
    tier.turn("none", "all")
    yield* TestClock.adjust("6 seconds")
    expect((yield* larder.stats).queuedWrites).toBe(0)
    for (const i of [0, 1, 400, 799]) {
      expect(yield* elsewhere(`k${i}`)).toEqual(Exit.succeed(i))
    }
  }))

test("law 15: during an outage few writes are tried at a time", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("warm", 0)
    yield* TestClock.adjust(1)
    tier.turn("fail", "all")
    yield* Effect.forEach(
      Array.from({ length: 800 }, (_, i) => i),
      (i) => larder.set(`k${i}`, i),
      {
        discard: true,
      },
    )
    const { tierFailures } = yield* larder.stats
    yield* TestClock.adjust("10 seconds")
    const tried = (yield* larder.stats).tierFailures - tierFailures
    expect(tried).toBeGreaterThan(16)
    expect(tried).toBeLessThan(16 * 16)
    tier.turn("none", "all")
  }))

test("law 15: a value that could not be written for a minute becomes a removal", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("k", 1)
    yield* TestClock.adjust(1)
    tier.turn("fail", "writes")
    yield* larder.set("k", 2)
    yield* TestClock.adjust("59 seconds")
    expect((yield* larder.stats).queuedWrites).toBe(1)
    yield* TestClock.adjust("3 seconds")
    expect((yield* larder.stats).queuedWrites).toBe(0)
    tier.turn("none", "all")
    yield* TestClock.adjust("10 seconds")
    // This node hears of the removal as well.
    expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("asked for k"))
    expect(yield* elsewhere("k")).toEqual(Exit.fail("asked for k"))
  }))

test("law 4: a value whose life ends while it waits is not written, and nothing older stays", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("k", 1)
    yield* TestClock.adjust(1)
    tier.turn("fail", "writes")
    const policy = Policy.make({ freshFor: "2 seconds", tierWrites: "background" })
    yield* larder.set("k", 2, { policy })
    yield* TestClock.adjust("4 seconds")
    expect((yield* larder.stats).queuedWrites).toBe(0)
    tier.turn("none", "all")
    yield* TestClock.adjust("10 seconds")
    expect(yield* elsewhere("k")).toEqual(Exit.fail("asked for k"))
  }))

test("law 4: a value is not written at the moment at which its life ends", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("warm", 0)
    yield* TestClock.adjust(1)
    tier.turn("fail", "writes")
    const policy = Policy.make({ freshFor: 300, tierWrites: "background" })
    yield* larder.set("k", 1, { policy })
    yield* TestClock.adjust(299)
    tier.trips.length = 0
    // It is tried again after 100 ms, and then after 200.
    yield* TestClock.adjust(1)
    const [{ queuedWrites }, trips] = [yield* larder.stats, [...tier.trips]]
    tier.turn("none", "all")
    yield* TestClock.adjust("2 seconds")
    expect([queuedWrites, trips]).toEqual([0, []])
  }))

test("law 13: a value that cannot be written as bytes holds nothing up, and nothing older stays", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("k", 1)
    yield* TestClock.adjust(1)
    yield* larder.set("k", Number.NaN)
    yield* larder.set("other", 2)
    yield* TestClock.adjust("2 seconds")
    expect((yield* larder.stats).queuedWrites).toBe(0)
    expect(tier.current).toBe("none")
    expect(yield* elsewhere("k")).toEqual(Exit.fail("asked for k"))
    expect(yield* elsewhere("other")).toEqual(Exit.succeed(2))
  }))

for (const [name, change] of [
  ["remove", (larder: Made) => larder.remove("k")],
  ["expire", (larder: Made) => larder.expire("k")],
] as const) {
  test(`laws 12, 14: ${name} of a key whose value waits for the tier is not held up, and takes it away`, (tier) =>
    Effect.gen(function* () {
      const larder = yield* make
      yield* larder.set("k", 1)
      yield* TestClock.adjust(1)
      tier.turn("fail", "writes")
      yield* larder.set("k", 2)
      yield* TestClock.adjust(10)
      tier.turn("none", "all")
      const changed = yield* fork(change(larder))
      yield* TestClock.adjust(1)
      expect((yield* Fiber.join(changed)).settled).toBe(true)
      yield* TestClock.adjust("10 seconds")
      expect(yield* elsewhere("k")).toEqual(Exit.fail("asked for k"))
    }))
}

test("law 15: no change is settled while a value that was queued before it waits", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("warm", 0)
    yield* TestClock.adjust(1)
    tier.lostKeys.add("k")
    yield* larder.set("k", 1)
    yield* TestClock.adjust(1)
    const unsettled = { settled: false, pending: ["shared"] }
    expect(yield* larder.remove("other")).toMatchObject(unsettled)
    expect(yield* larder.invalidateTags(["x"])).toMatchObject(unsettled)
    tier.lostKeys.clear()
    yield* TestClock.adjust("2 seconds")
    expect((yield* larder.remove("other")).settled).toBe(true)
    // One that is on its way is waited for.
    tier.turn("slow", "writes")
    yield* larder.set("k", 2)
    tier.turn("none", "all")
    const removed = yield* fork(larder.remove("other"))
    yield* TestClock.adjust(49)
    expect(removed.pollUnsafe()).toBeUndefined()
    yield* TestClock.adjust(1)
    expect((yield* Fiber.join(removed)).settled).toBe(true)
  }))

/** As many sets as there is room for, at a tier that answers slowly. */
const fill = (larder: Made) =>
  Effect.forEach(
    Array.from({ length: 1_000 }, (_, i) => i),
    (i) => larder.set(`k${i}`, i),
    {
      discard: true,
    },
  )

test("law 15: room comes back whatever was merged while it was full", (tier) =>
  Effect.gen(function* () {
    const larder = yield* make
    yield* larder.set("warm", 0)
    yield* TestClock.adjust(1)
    for (let burst = 0; burst < 2; burst++) {
      tier.turn("slow", "writes")
      yield* fill(larder)
      const sets = yield* Effect.forEach(
        Array.from({ length: 300 }, (_, i) => i),
        (i) => fork(larder.set(`new ${i % 100}`, i)),
      )
      // Some leave while they wait.
      for (const fiber of sets.slice(0, 50)) yield* Fiber.interrupt(fiber)
      for (let i = 0; i < 100; i++) yield* TestClock.adjust(50)
      for (const fiber of sets.slice(50)) yield* Fiber.join(fiber)
      expect((yield* larder.stats).queuedWrites).toBe(0)
    }
    yield* fill(larder)
    expect((yield* larder.stats).queuedWrites).toBe(1_000)
    for (let i = 0; i < 100; i++) yield* TestClock.adjust(50)
  }))

test("laws 17, 22: who waits for room when the larder closes is told so; what is queued is written", (tier) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const larder = yield* Scope.provide(make, scope)
    yield* larder.set("warm", 0)
    tier.turn("slow", "writes")
    yield* fill(larder)
    const waiting = yield* fork(Effect.exit(larder.set("one more", 1)))
    const closed = yield* fork(Scope.close(scope, Exit.void))
    const exit = yield* Fiber.join(waiting)
    expect(Exit.isFailure(exit) && String(exit.cause)).toContain("LarderClosed")
    for (let i = 0; i < 64; i++) yield* TestClock.adjust(50)
    expect(closed.pollUnsafe()).toBeDefined()
    tier.turn("none", "all")
    expect(yield* elsewhere("k999")).toEqual(Exit.succeed(999))
    expect(yield* elsewhere("one more")).toEqual(Exit.fail("asked for one more"))
  }))

for (const [fault, back] of [
  ["hang", 3_000],
  ["fail", 4_000],
] as const) {
  test(`law 22: what waits is written within closeTimeout (${fault}, back after ${back} ms)`, (tier) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const larder = yield* Scope.provide(make, scope)
      yield* larder.set("warm", 0)
      yield* TestClock.adjust(1)
      tier.turn(fault, "all")
      for (let i = 0; i < 40; i++) yield* larder.set(`k${i}`, i)
      const closed = yield* fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(back)
      expect(closed.pollUnsafe()).toBeUndefined()
      tier.turn("none", "all")
      yield* TestClock.adjust(500)
      expect(closed.pollUnsafe()).toBeDefined()
      expect(yield* elsewhere("k39")).toEqual(Exit.succeed(39))
    }))
}

test("law 22: a queue that cannot be written ends with closeTimeout, and nothing is written after it", (tier) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const larder = yield* Scope.provide(make, scope)
    yield* larder.set("warm", 0)
    yield* TestClock.adjust(1)
    tier.turn("fail", "all")
    yield* larder.set("k", 1)
    const closed = yield* fork(Scope.close(scope, Exit.void))
    yield* TestClock.adjust(4_999)
    expect(closed.pollUnsafe()).toBeUndefined()
    yield* TestClock.adjust(2)
    expect(closed.pollUnsafe()).toBeDefined()
    tier.turn("none", "all")
    const { written } = tier
    yield* TestClock.adjust("2 minutes")
    expect(tier.written).toBe(written)
  }))

it("a word that is neither is refused", () => {
  const tierWrites = "later" as "background"
  expect(() => Policy.make({ freshFor: 1, tierWrites })).toThrow(
    /must be "awaited" or "background", got "later"/,
  )
})

it.effect(
  "law 15: a file that did not take a value is tried again, and written before the larder closes",
  () => {
    const file = new Faults()
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const larder = yield* Scope.provide(make, scope)
      yield* larder.set("k", 0)
      yield* TestClock.adjust(1)
      file.turn("fail", "writes")
      yield* larder.set("k", 1)
      yield* larder.set("other", 2)
      yield* TestClock.adjust("3 seconds")
      file.turn("none", "all")
      yield* TestClock.adjust("6 seconds")
      expect((yield* larder.stats).queuedWrites).toBe(0)
      file.turn("fail", "writes")
      yield* larder.set("other", 3)
      const closed = yield* fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("2 seconds")
      file.turn("none", "all")
      yield* TestClock.adjust(200)
      expect(closed.pollUnsafe()).toBeDefined()
      expect(yield* elsewhere("k")).toEqual(Exit.succeed(1))
      expect(yield* elsewhere("other")).toEqual(Exit.succeed(3))
    }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer(), fileLayer(file))))
  },
)

it.effect("law 15: of two files the one that did not take a value is tried again", () => {
  const [near, far] = [new Faults(), new Faults()]
  const disk = { name: "disk", scope: "machine", arbitrates: false } as const
  return Effect.gen(function* () {
    const larder = yield* make
    yield* TestClock.adjust(1)
    near.turn("fail", "writes")
    yield* larder.set("k", 1)
    yield* TestClock.adjust(10)
    expect((yield* larder.stats).queuedWrites).toBe(1)
    near.turn("none", "all")
    yield* TestClock.adjust("6 seconds")
    expect((yield* larder.stats).queuedWrites).toBe(0)
    yield* larder.set("other", 2)
    expect(yield* larder.getWithMeta("k")).toMatchObject({ value: 1, tier: "file" })
  }).pipe(
    Effect.scoped,
    Effect.provide(
      TierStack.layer(
        MemoryTier.layer({ maxEntries: 1 }),
        fileLayer(near),
        faultyShared(far, disk),
      ),
    ),
  )
})

it.effect(
  "law 15: a value that a file did not take for a minute leaves nothing older there, and nothing to wait for",
  () => {
    const file = new Faults()
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const larder = yield* Scope.provide(make, scope)
      yield* larder.set("k", 0)
      yield* TestClock.adjust(1)
      file.turn("fail", "writes")
      yield* larder.set("k", 1)
      yield* TestClock.adjust("62 seconds")
      expect((yield* larder.stats).queuedWrites).toBe(0)
      file.turn("none", "all")
      yield* TestClock.adjust("10 seconds")
      const closed = yield* fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(1)
      expect(closed.pollUnsafe()).toBeDefined()
      expect(yield* elsewhere("k")).toEqual(Exit.fail("asked for k"))
    }).pipe(Effect.scoped, Effect.provide(TierStack.layer(MemoryTier.layer(), fileLayer(file))))
  },
)

it.effect("no tier is asked for what is on its way to it", () => {
  const file = new Faults()
  return Effect.gen(function* () {
    const larder = yield* make
    file.turn("slow", "writes")
    yield* larder.set("k", 1)
    yield* larder.set("other", 2)
    file.trips.length = 0
    expect(yield* larder.get("k")).toBe(1)
    expect(file.trips).not.toContain("read")
    yield* TestClock.adjust(200)
  }).pipe(
    Effect.scoped,
    Effect.provide(TierStack.layer(MemoryTier.layer({ maxEntries: 1 }), fileLayer(file))),
  )
})
