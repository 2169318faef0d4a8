/** Changes that tiers missed while they were away: when they are replayed, at which cost, and which answers are trusted meanwhile. */
import { describe, expect, it } from "@effect/vitest"
import {
  Larder,
  type LarderEvent,
  MemoryTier,
  Policy,
  Tier,
  TierStack,
  Upstream,
} from "@larder/core"
import { Clock, Effect, Exit, Fiber, References, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as faultyShared } from "../../support/faultyTier.ts"
import * as scripted from "../../support/scriptedTier.ts"
import { elsewhere, fork, law, type Node } from "../../support/twoWays.ts"

const start = TestClock.setTime(1_790_000_000_000)

const range = (count: number) => Array.from({ length: count }, (_, i) => `k${i}`)

/** How many of these operations were asked for since the last time. */
const count = ({ trips }: Faults, ...operations: ReadonlyArray<string>) =>
  trips.splice(0).filter((trip) => operations.includes(trip)).length

const recoveries = (node: Node) =>
  Effect.gen(function* () {
    const told: Array<number> = []
    yield* Stream.fromSubscription(yield* node.subscribe).pipe(
      Stream.runForEach((event: LarderEvent.LarderEvent) =>
        Effect.sync(() => event._tag === "Recovered" && told.push(event.changes)),
      ),
      Effect.forkScoped({ startImmediately: true }),
    )
    return told
  })

/** Virtual milliseconds until it ends. */
const millisOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    const fiber = yield* fork(effect)
    for (let i = 0; i < 500 && fiber.pollUnsafe() === undefined; i++) yield* TestClock.adjust(1)
    return (yield* Clock.currentTimeMillis) - began
  })

interface Opened {
  readonly larder: Larder.Larder<string, number, string>
  readonly close: Effect.Effect<void>
}

/** A larder over memory with room for one value, a file, and behind them a shared tier if it is given. */
const open = (file: Faults, shared?: Faults, closeTimeout = 5_000): Effect.Effect<Opened> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const memory = MemoryTier.layer({ maxEntries: 1 })
    const stack =
      shared === undefined
        ? TierStack.layer(memory, fileLayer(file))
        : TierStack.layer(memory, fileLayer(file), faultyShared(shared))
    const larder = yield* Larder.make({
      name: "recovery",
      value: Schema.Finite,
      tags: (value) => [`v${value}`],
      upstream: Upstream.make({ lookup: (key: string) => Effect.fail(`asked for ${key}`) }),
      policy: Policy.make({ freshFor: "10 minutes", staleIfError: "10 minutes" }),
      closeTimeout,
    }).pipe(Effect.provide(stack), Scope.provide(scope))
    return { larder, close: Scope.close(scope, Exit.void) }
  })

/** A larder over memory and an arbiter whose operations a test replaces. */
const overScript = (script: scripted.Script) =>
  Larder.make({
    name: "recovery",
    value: Schema.Finite,
    upstream: Upstream.make({ lookup: (_: string) => Effect.succeed(1) }),
    policy: Policy.make({ freshFor: "10 minutes", staleIfError: "10 minutes" }),
  }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer(), scripted.layer(script))))

const broken = () => () =>
  Effect.fail(new Tier.TierError({ tier: "shared", operation: "any", cause: "broken" }))

const test = (title: string, body: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () =>
    Effect.andThen(start, body).pipe(
      Effect.scoped,
      Effect.provideService(References.MinimumLogLevel, "None"),
    ),
  )

describe("a file that could not drop what it should", () => {
  test(
    "law 15: is asked every second, once for each key, until it has",
    Effect.gen(function* () {
      const file = new Faults()
      const { close, larder } = yield* open(file)
      for (const key of ["k0", "k1"]) yield* larder.set(key, 1)
      file.turn("fail", "writes")
      for (const key of ["k0", "k1"]) yield* larder.remove(key)
      const drops: Array<number> = []
      for (let second = 0; second < 4; second++) {
        if (second === 2) file.turn("none", "all")
        count(file)
        yield* TestClock.adjust(999)
        expect(count(file, "drop")).toBe(0)
        yield* TestClock.adjust(1)
        drops.push(count(file, "drop"))
        // A read that succeeds: the breaker stays closed.
        yield* larder.read("another")
      }
      expect(drops).toEqual([2, 2, 2, 0])
      yield* close
    }),
  )

  test(
    "law 22: is asked every 100 ms while its larder closes, which ends when it has",
    Effect.gen(function* () {
      const file = new Faults()
      const { close, larder } = yield* open(file)
      yield* larder.set("k", 1)
      file.turn("fail", "all")
      yield* larder.remove("k")
      const closing = yield* fork(close)
      yield* TestClock.adjust(1_050)
      file.turn("none", "all")
      yield* TestClock.adjust(49)
      expect(closing.pollUnsafe()).toBe(undefined)
      count(file)
      yield* TestClock.adjust(1)
      expect(closing.pollUnsafe()).toBeDefined()
      expect(count(file, "drop")).toBe(1)
    }),
  )

  test(
    "law 22: is asked nothing any more once its larder has closed, whenever it was missed",
    Effect.gen(function* () {
      for (const missed of ["before", "meanwhile"]) {
        const file = new Faults()
        const { close, larder } = yield* open(file)
        yield* larder.set("k", 1)
        file.turn("hang", "writes")
        yield* fork(larder.remove("k"))
        if (missed === "before") yield* TestClock.adjust(200)
        const closing = yield* fork(close)
        yield* TestClock.adjust("6 seconds")
        expect(closing.pollUnsafe()).toBeDefined()
        file.turn("none", "all")
        count(file)
        yield* TestClock.adjust("1 minute")
        expect(file.trips).toEqual([])
      }
    }),
  )

  test(
    "law 13: keeps a newer value than the one that it could not put",
    Effect.gen(function* () {
      const file = new Faults()
      const { close, larder } = yield* open(file)
      file.turn("tooSlow", "writes")
      const slow = yield* fork(larder.set("k", 1))
      yield* TestClock.adjust(10)
      file.turn("none", "all")
      yield* larder.set("k", 2)
      yield* TestClock.adjust(200)
      expect(slow.pollUnsafe()).toMatchObject({ value: { settled: false, pending: ["file"] } })
      yield* larder.set("other", 3)
      expect(yield* larder.getWithMeta("k")).toMatchObject({ value: 2, tier: "file" })
      yield* close
    }),
  )
})

describe("an arbiter that is away", () => {
  law("law 14: is asked for one key at a time after a replay in which it took none", (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const a = yield* world.join(way)
      yield* a.read("known")
      way.turn("hang", "writes")
      for (const key of range(3)) yield* fork(a.remove(key))
      yield* TestClock.adjust(100)
      count(way)
      // Each replay begins a second after the one before it has ended.
      yield* TestClock.adjust(1_100)
      expect(count(way, "write")).toBe(3)
      yield* TestClock.adjust(1_100)
      expect(count(way, "write")).toBe(1)
      way.turn("none", "all")
      yield* TestClock.adjust(1_100)
      expect(count(way, "write")).toBe(3)
    }),
  )

  law("law 14: is asked for one key at a time after a replay in which it took not all", (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const a = yield* world.join(way)
      yield* a.read("known")
      way.turn("hang", "writes")
      for (const key of range(34)) yield* fork(a.remove(key))
      yield* TestClock.adjust(100)
      for (const key of ["k0", "x", "y"]) way.lostKeys.add(key)
      way.turn("slow", "writes")
      // The replay sends 32 keys, of which one is not taken, and then the others. More is missed meanwhile.
      yield* TestClock.adjust(1_025)
      for (const key of ["x", "y"]) yield* fork(a.remove(key))
      yield* TestClock.adjust(100)
      way.lostKeys.clear()
      const begun: Array<number> = []
      for (let i = 0; i < 24; i += 1) {
        count(way)
        yield* TestClock.adjust(50)
        begun.push(count(way, "write"))
      }
      way.turn("none", "all")
      yield* TestClock.adjust("10 seconds")
      expect(begun.filter((writes) => writes > 0)).toEqual([1, 2])
    }),
  )

  test(
    "law 14: is asked for one key at a time after a replay in which it took no marks",
    Effect.gen(function* () {
      const shared = new scripted.Script()
      const larder = yield* overScript(shared)
      yield* larder.get("warm")
      shared.instead.mark = () => () => Effect.delay(Effect.die("broken"), 50)
      const marking = yield* fork(larder.invalidateTags(["t"]))
      yield* TestClock.adjust(50)
      yield* Fiber.join(marking)
      yield* TestClock.adjust("1 second")
      // The replay waits for the marks. More is missed meanwhile.
      shared.instead.write = broken
      for (const key of ["k0", "k1"]) yield* fork(larder.remove(key))
      yield* TestClock.adjust(50)
      delete shared.instead.mark
      shared.instead.write = scripted.slowly(50)
      shared.trips()
      // The next one begins a second after the removals.
      yield* TestClock.adjust(999)
      const first = shared.trips()
      yield* TestClock.adjust(50)
      const second = shared.trips()
      delete shared.instead.write
      yield* TestClock.adjust("10 seconds")
      expect([first, second]).toEqual([["mark", "write"], ["write"]])
    }),
  )

  test(
    "law 14: is asked for one key at a time after its time was not known",
    Effect.gen(function* () {
      const shared = new scripted.Script()
      const larder = yield* overScript(shared)
      shared.instead.marks = broken
      shared.instead.write = broken
      for (const key of ["k0", "k1", "k2"]) {
        yield* larder.remove(key)
        // A lease that is granted: the breaker stays closed.
        yield* larder.refresh("another")
      }
      delete shared.instead.marks
      shared.instead.write = scripted.slowly(50)
      shared.trips()
      yield* TestClock.adjust("1 second")
      const first = shared.trips()
      yield* TestClock.adjust(50)
      const second = shared.trips()
      delete shared.instead.write
      yield* TestClock.adjust("10 seconds")
      expect([first, second]).toEqual([
        ["marks", "write"],
        ["write", "write"],
      ])
    }),
  )

  law(
    "law 14: is told of no further marks in a replay in which it did not take the first",
    (world) =>
      Effect.gen(function* () {
        const way = new Faults()
        const a = yield* world.join(way)
        yield* a.read("known")
        way.turn("hang", "writes")
        yield* fork(a.invalidateTags(["x"], { keepStale: false }))
        yield* fork(a.invalidateTags(["y"]))
        yield* TestClock.adjust(100)
        count(way)
        yield* TestClock.adjust(1_250)
        expect(count(way, "mark")).toBe(1)
        way.turn("none", "all")
        yield* TestClock.adjust(1_100)
        expect(count(way, "mark")).toBe(2)
      }),
  )

  law("law 14: a change waits tierTimeout in all for its own step and for a replay", (world) =>
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
      way.turn("slow", "writes")
      const setting = yield* fork(a.set("other", 1))
      yield* TestClock.adjust(1)
      way.turn("hang", "writes")
      const millis = yield* millisOf(Fiber.await(setting))
      way.turn("none", "all")
      yield* TestClock.adjust(100)
      expect([millis, setting.pollUnsafe()]).toMatchObject([99, { value: { settled: false } }])
    }),
  )

  law("law 14: a replay that a reader waits for counts towards its tierBudget", (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const a = yield* world.join(way, { tierBudget: 160 })
      yield* a.read("known")
      way.turn("fail", "all")
      yield* a.remove("k")
      way.turn("hang", "all")
      const millis = yield* millisOf(a.getMany(["k", "other"]))
      way.turn("none", "all")
      expect(millis).toBe(160)
    }),
  )

  law(
    "law 22: hears of nothing once the larder has closed, also of what it missed meanwhile",
    (world) =>
      Effect.gen(function* () {
        const way = new Faults()
        const scope = yield* Scope.make()
        const a = yield* Scope.provide(world.join(way), scope)
        yield* a.set("k", 0)
        way.turn("hang", "all")
        yield* fork(a.remove("k"))
        const closing = yield* fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("6 seconds")
        expect(closing.pollUnsafe()).toBeDefined()
        way.turn("none", "all")
        count(way)
        yield* TestClock.adjust("1 minute")
        expect(way.trips).toEqual([])
      }),
  )

  test(
    "law 22: hears of nothing from a reader that was on its way when its larder closed",
    Effect.gen(function* () {
      const [file, shared] = [new Faults(), new Faults()]
      const { close, larder } = yield* open(file, shared, 20)
      yield* larder.set("k", 1)
      shared.turn("fail", "all")
      yield* larder.remove("k")
      file.turn("slow", "reads")
      yield* fork(larder.read("k"))
      yield* TestClock.adjust(10)
      const closing = yield* fork(close)
      yield* TestClock.adjust(10)
      // It was told in vain when the closing began, and would be again after 100 ms.
      shared.turn("none", "all")
      count(shared)
      yield* TestClock.adjust(10)
      expect(closing.pollUnsafe()).toBeDefined()
      yield* TestClock.adjust("1 minute")
      expect(shared.trips).toEqual([])
    }),
  )

  test(
    "law 1: what was set after a mark that it missed is fresh in the file in front of it",
    Effect.gen(function* () {
      const [file, shared] = [new Faults(), new Faults()]
      const { close, larder } = yield* open(file, shared)
      yield* larder.set("k", 1)
      shared.turn("fail", "all")
      yield* larder.invalidateTags(["v2"])
      yield* TestClock.adjust(10)
      yield* larder.set("k", 2)
      yield* larder.set("other", 3)
      expect(yield* larder.getWithMeta("k")).toMatchObject({
        value: 2,
        tier: "file",
        freshness: { _tag: "Fresh" },
      })
      shared.turn("none", "all")
      yield* close
    }),
  )

  law("law 14: is asked for at most 32 keys at once", (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const a = yield* world.join(way)
      yield* a.read("known")
      way.turn("hang", "writes")
      for (const key of range(70)) yield* fork(a.remove(key))
      yield* TestClock.adjust(100)
      way.turn("slow", "writes")
      const begun: Array<number> = []
      for (const millis of [1_049, 50, 50]) {
        count(way)
        yield* TestClock.adjust(millis)
        begun.push(count(way, "write"))
      }
      way.turn("none", "all")
      yield* TestClock.adjust(100)
      expect(begun).toEqual([32, 32, 6])
    }),
  )
})

describe("an arbiter that is back", () => {
  law("law 15: is told within a second, without any call", (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const a = yield* world.join(way)
      yield* a.set("k", 0)
      way.turn("fail", "all")
      yield* a.remove("k")
      way.turn("none", "all")
      yield* TestClock.adjust(999)
      expect(yield* elsewhere(world, "k")).toBe(0)
      yield* TestClock.adjust(1)
      expect(yield* elsewhere(world, "k")).toBe("Missing")
    }),
  )

  law(
    "law 15: is told of marks of both kinds and of keys in one replay, and it is said how many",
    (world) =>
      Effect.gen(function* () {
        const way = new Faults()
        const a = yield* world.join(way)
        const told = yield* recoveries(a)
        yield* a.read("known")
        for (const outage of [1, 2]) {
          way.turn("hang", "writes")
          yield* fork(a.invalidateTags(["x"], { keepStale: false }))
          yield* fork(a.invalidateTags(["y", "z"]))
          for (const key of range(2)) yield* fork(a.remove(key))
          yield* TestClock.adjust(100)
          way.turn("slow", "writes")
          // Two steps for the marks, one for all keys: also after an outage before.
          yield* TestClock.adjust(1_149)
          expect(told).toHaveLength(outage - 1)
          yield* TestClock.adjust(1)
          expect(told).toEqual(Array(outage).fill(5))
        }
        way.turn("none", "all")
      }),
  )

  test(
    "law 15: drops what is older than a value that it did not take, though its time is not known",
    Effect.gen(function* () {
      const shared = new scripted.Script()
      const larder = yield* overScript(shared)
      shared.instead.marks = broken
      shared.instead.commit = broken
      expect(yield* larder.refresh("k")).toBe(1)
      const token = shared.of("commit")[0]!.args[1]
      yield* TestClock.adjust("1 second")
      const written = shared.of("write").map(({ args: [key, change] }) => ({ key, ...change }))
      expect(written).toEqual([{ key: "k", _tag: "Remove", at: token }])
      delete shared.instead.marks
    }),
  )

  law("law 14: is asked for nothing but what it missed, whose place is known", (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const a = yield* world.join(way)
      yield* a.read("known")
      way.turn("fail", "all")
      yield* a.remove("k")
      yield* TestClock.adjust("6 seconds")
      way.turn("none", "all")
      way.trips.length = 0
      yield* TestClock.adjust("10 seconds")
      expect(way.trips).toEqual(["write"])
    }),
  )

  law("law 1: its entries are as fresh as they are, once it knows of all marks", (world) =>
    Effect.gen(function* () {
      const way = new Faults()
      const a = yield* world.join(way)
      const b = yield* world.join()
      yield* a.read("known")
      way.turn("fail", "all")
      yield* a.invalidateTags(["v1"])
      way.turn("none", "all")
      yield* TestClock.adjust("2 seconds")
      yield* b.set("k", 1)
      expect((yield* a.read("k")).freshness).toEqual({ _tag: "Fresh" })
      expect(yield* a.get("k")).toBe(1)
    }),
  )
})
