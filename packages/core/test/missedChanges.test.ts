/** Laws 11, 13, 15, 20: a change that the arbiter missed reaches it later, takes its place in the order, and removes no other value. */
import { expect } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { LarderEvent } from "@larder/core"
import { Faults } from "./support/faultyTier.ts"
import { elsewhere, fork, fronts, law, type Node } from "./support/twoWays.ts"

const recoveries = (node: Node) =>
  Effect.gen(function* () {
    const changes: Array<number> = []
    yield* Stream.fromSubscription(yield* node.subscribe).pipe(
      Stream.runForEach((event: LarderEvent.LarderEvent) =>
        Effect.sync(() => event._tag === "Recovered" && changes.push(event.changes)),
      ),
      Effect.forkScoped({ startImmediately: true }),
    )
    return changes
  })

/** The changes of a key, but for those that a value is set by. */
const changes: ReadonlyArray<
  readonly [string, (node: Node, key: string) => ReturnType<Node["remove"]>]
> = [
  ["set", (node, key) => node.set(key, 1)],
  ["remove", (node, key) => node.remove(key)],
  ["expire", (node, key) => node.expire(key)],
]

for (const [name, change] of changes) {
  law(
    `laws 13, 15: a ${name} that the arbiter missed leaves what another node set later`,
    (world) =>
      Effect.gen(function* () {
        const way = new Faults()
        const a = yield* world.join(way)
        const b = yield* world.join()
        yield* a.set("k", 0)
        way.turn("fail", "all")
        expect((yield* change(a, "k")).settled).toBe(false)
        yield* TestClock.adjust(10)
        expect((yield* b.set("k", 2)).settled).toBe(true)
        way.turn("none", "all")
        yield* TestClock.adjust("10 seconds")
        expect(yield* elsewhere(world, "k")).toBe(2)
      }),
    fronts,
  )

  law(
    `law 15: a ${name} that the arbiter missed leaves nothing older there`,
    (world) =>
      Effect.gen(function* () {
        const way = new Faults()
        const a = yield* world.join(way)
        const b = yield* world.join()
        yield* b.set("k", 0)
        way.turn("fail", "all")
        yield* TestClock.adjust(10)
        yield* change(a, "k")
        way.turn("none", "all")
        yield* TestClock.adjust("10 seconds")
        expect(yield* elsewhere(world, "k")).toBe("Missing")
      }),
    fronts,
  )
}

law(
  "law 15: a node that has never reached the arbiter finds the place of its changes afterwards",
  (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const b = yield* world.join()
      way.turn("fail", "all")
      const a = yield* world.join(way)
      yield* b.set("older", 0)
      yield* TestClock.adjust(10)
      yield* a.remove("older")
      yield* a.remove("newer")
      yield* TestClock.adjust(10)
      yield* b.set("newer", 2)
      way.turn("none", "all")
      yield* TestClock.adjust("10 seconds")
      expect(yield* elsewhere(world, "older")).toBe("Missing")
      expect(yield* elsewhere(world, "newer")).toBe(2)
    }),
)

law("law 15: a mark that is missed while others are replayed is sent as well", (world) =>
  Effect.gen(function* () {
    const way = new Faults()
    const a = yield* world.join(way)
    const b = yield* world.join()
    const told = yield* recoveries(a)
    for (const value of [0, 500, 998, 999]) yield* b.set(`k${value}`, value)
    way.turn("fail", "all")
    for (let i = 0; i < 999; i++) yield* a.invalidateTags([`v${i}`])
    yield* TestClock.adjust("5 seconds")
    way.turn("slowAfter", "writes")
    way.trips.length = 0
    const reading = yield* fork(a.read("another"))
    yield* TestClock.adjust(10)
    way.turn("fail", "writes")
    yield* a.invalidateTags(["v999"])
    yield* TestClock.adjust(100)
    way.turn("none", "all")
    yield* TestClock.adjust("10 seconds")
    yield* Fiber.join(reading)
    expect(told).toEqual([1_000])
    expect(way.trips.filter((trip) => trip === "mark").length).toBeLessThan(20)
    for (const value of [0, 500, 998, 999]) {
      expect(yield* elsewhere(world, `k${value}`)).toBe("Stale")
    }
  }),
)

law(
  "law 15: of marks of one tag the one that drops counts, and 1,000 tags take two marks",
  (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const a = yield* world.join(way)
      const b = yield* world.join()
      yield* b.set("k", 0)
      yield* b.set("l", 1)
      way.turn("fail", "all")
      yield* a.invalidateTags(["v0"], { keepStale: false })
      yield* a.invalidateTags(["v0", "v1"])
      for (let i = 2; i < 1_000; i++) yield* a.invalidateTags([`v${i}`])
      yield* TestClock.adjust("5 seconds")
      way.turn("none", "all")
      way.trips.length = 0
      yield* TestClock.adjust("10 seconds")
      expect(way.trips.filter((trip) => trip === "mark")).toHaveLength(2)
      expect(yield* elsewhere(world, "k")).toBe("Missing")
      expect(yield* elsewhere(world, "l")).toBe("Stale")
    }),
)

law("law 15: more missed marks than are kept become one mark of everything", (world) =>
  Effect.gen(function* () {
    const way = new Faults()
    const a = yield* world.join(way)
    const b = yield* world.join()
    yield* b.set("k", 0)
    way.turn("fail", "all")
    const tags = Array.from({ length: 1_001 }, (_, i) => `t${i}`)
    yield* a.invalidateTags(tags)
    way.turn("none", "all")
    way.trips.length = 0
    yield* TestClock.adjust("10 seconds")
    expect(way.trips.filter((trip) => trip === "mark")).toHaveLength(1)
    expect(yield* elsewhere(world, "k")).toBe("Stale")
  }),
)

for (const fault of ["slow", "slowAfter"] as const) {
  for (const offset of [0, 10, 30, 49, 50, 51, 70, 90]) {
    law(
      `law 13: a set ${offset} ms into a replay of its key (${fault}) is settled and stays`,
      (world) =>
        Effect.gen(function* () {
          const way = new Faults()
          const a = yield* world.join(way)
          yield* a.set("k", 0)
          way.turn("fail", "all")
          yield* a.set("k", 1)
          way.turn(fault, "writes")
          // The replay begins.
          yield* TestClock.adjust(1_000)
          yield* TestClock.adjust(offset)
          const setting = yield* fork(a.set("k", 2))
          yield* TestClock.adjust("5 seconds")
          expect((yield* Fiber.join(setting)).settled).toBe(true)
          expect(yield* elsewhere(world, "k")).toBe(2)
          expect(yield* a.get("k")).toBe(2)
        }),
    )
  }
}

law(
  "law 15: a change of a key that fails while an older one is replayed is not forgotten",
  (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const a = yield* world.join(way)
      const b = yield* world.join()
      yield* a.set("k", 0)
      way.turn("fail", "all")
      yield* a.remove("k")
      way.turn("slowAfter", "writes")
      const reading = yield* fork(a.read("k"))
      yield* TestClock.adjust(10)
      yield* b.set("k", 1)
      yield* TestClock.adjust(10)
      way.turn("fail", "writes")
      const removing = yield* fork(a.remove("k"))
      yield* TestClock.adjust(100)
      expect((yield* Fiber.join(removing)).settled).toBe(false)
      way.turn("none", "all")
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(reading)
      expect(yield* elsewhere(world, "k")).toBe("Missing")
    }),
)

const anyChange: ReadonlyArray<
  readonly [
    string,
    (
      node: Node,
    ) => Effect.Effect<
      { readonly settled: boolean; readonly pending: ReadonlyArray<string> },
      unknown
    >,
  ]
> = [
  ...changes.map(([name, change]) => [name, (node: Node) => change(node, "other")] as const),
  ["invalidateTags", (node) => node.invalidateTags(["v7"])],
  ["clear", (node) => node.clear()],
]

for (const [name, change] of anyChange) {
  law(
    `law 15: ${name} is not settled while an earlier change of the node waits, and is applied`,
    (world) =>
      Effect.gen(function* () {
        const way = new Faults()
        const a = yield* world.join(way)
        way.lostKeys.add("k")
        expect((yield* a.set("k", 1)).settled).toBe(false)
        way.trips.length = 0
        expect(yield* change(a)).toMatchObject({ settled: false, pending: ["shared"] })
        expect(way.trips).toContain(
          name === "clear" || name === "invalidateTags" ? "mark" : "write",
        )
        yield* TestClock.adjust("2 seconds")
        expect((yield* change(a)).settled).toBe(false)
        way.lostKeys.clear()
        yield* TestClock.adjust("2 seconds")
        expect((yield* change(a)).settled).toBe(true)
      }),
    fronts,
  )

  law(`law 15: ${name} tells the arbiter first what it missed, and is settled`, (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const a = yield* world.join(way)
      way.turn("fail", "all")
      yield* a.set("k", 1)
      way.turn("none", "all")
      expect((yield* change(a)).settled).toBe(true)
      expect(yield* elsewhere(world, "k")).toBe("Missing")
    }),
  )
}

law("law 14: a change waits for a replay no longer than tierTimeout", (world) =>
  Effect.gen(function* () {
    const way = new Faults()
    const a = yield* world.join(way)
    yield* a.read("known")
    way.turn("fail", "all")
    yield* a.clear()
    yield* a.remove("k")
    way.turn("hang", "writes")
    // The replay begins at 1,000 ms: 100 ms for the mark, 100 ms for the key.
    yield* TestClock.adjust(1_050)
    way.turn("none", "all")
    const setting = yield* fork(a.set("other", 1))
    yield* TestClock.adjust(1)
    way.turn("hang", "writes")
    yield* TestClock.adjust(98)
    const isWaiting = setting.pollUnsafe() === undefined
    yield* TestClock.adjust(1)
    const settled = setting.pollUnsafe()
    way.turn("none", "all")
    yield* TestClock.adjust(100)
    expect(isWaiting).toBe(true)
    expect(settled).toMatchObject({ value: { settled: false } })
    expect(yield* elsewhere(world, "other")).toBe(1)
  }),
)

law(
  "law 15: one key that cannot be sent holds up neither the other keys nor their readers",
  (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const a = yield* world.join(way)
      const b = yield* world.join()
      for (let i = 0; i < 3; i++) yield* b.set(`k${i}`, i)
      yield* b.set("other", 5)
      yield* a.read("known")
      way.turn("fail", "all")
      // Not so many that the breaker opens.
      for (let i = 0; i < 3; i++) yield* a.remove(`k${i}`)
      way.turn("none", "all")
      way.lostKeys.add("k0")
      // Other keys are read meanwhile, so that one key alone does not open the breaker.
      for (let i = 0; i < 12; i++) {
        yield* TestClock.adjust("1 second")
        yield* a.read("unknown")
      }
      expect(yield* elsewhere(world, "k0")).toBe(0)
      for (let i = 1; i < 3; i++) expect(yield* elsewhere(world, `k${i}`)).toBe("Missing")
      expect(yield* a.get("other")).toBe(5)
      // The arbiter's answer for the key itself is not trusted.
      expect((yield* a.read("k0")).freshness._tag).toBe("Missing")
      expect(yield* Effect.flip(a.get("k0"))).toBe("asked for k0")
      const many = yield* a.getMany(["k0", "k1", "other"])
      expect([...many.values()].map(({ _tag }) => _tag)).toEqual(["Failure", "Failure", "Success"])
      way.lostKeys.clear()
    }),
)

law(
  "law 15: expiring a key whose set was missed, while the replay hangs, leaves nothing older",
  (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const a = yield* world.join(way)
      yield* a.set("k", 0)
      way.turn("fail", "all")
      yield* a.clear()
      yield* a.set("k", 1)
      way.turn("hang", "writes")
      // The replay begins at 1,000 ms: 100 ms for the mark, 100 ms for the key.
      yield* TestClock.adjust(1_050)
      way.turn("none", "all")
      const expiring = yield* fork(a.expire("k"))
      yield* TestClock.adjust(100)
      yield* Fiber.join(expiring)
      expect(yield* elsewhere(world, "k")).toBe("Missing")
      yield* TestClock.adjust("10 seconds")
      expect(yield* elsewhere(world, "k")).toBe("Missing")
    }),
)

law("law 14: while the arbiter is away, readers do not begin one replay after the other", (world) =>
  Effect.gen(function* () {
    const way = new Faults()
    const a = yield* world.join(way)
    way.turn("fail", "all")
    for (let i = 0; i < 3; i++) yield* a.remove(`k${i}`)
    way.trips.length = 0
    for (let i = 0; i < 50; i++) yield* a.read("k0")
    expect(way.trips.length).toBeLessThanOrEqual(5)
    way.turn("none", "all")
  }),
)

law(
  "law 20: a value that the arbiter missed is older in memory than what is set elsewhere later",
  (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const a = yield* world.join(way, { staleWhileRevalidate: 0 })
      const b = yield* world.join()
      for (let i = 0; i < 5; i++) yield* a.set("k", i)
      way.turn("fail", "all")
      const { version } = yield* a.set("k", 10)
      expect(version).toBeGreaterThanOrEqual(1_790_000_000_000_000)
      yield* TestClock.adjust(1)
      const later = yield* b.set("k", 11)
      expect(later.version).toBeGreaterThan(version)
      yield* TestClock.adjust(1)
      expect((yield* a.set("k", 12)).version).toBeGreaterThan(later.version)
      way.turn("none", "all")
    }),
)
