/** Values set in the background: their place in the order, and the entries in tiers in front of the arbiter. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { Context, Effect, Fiber, Layer, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, wayToShared } from "../../support/faultyTier.ts"

const startMillis = 1_790_000_000_000

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** Nodes with memory for `room` values and a file of their own, over one shared tier. */
const nodes = Effect.gen(function* () {
  yield* TestClock.setTime(startMillis)
  const built = yield* Layer.build(Layer.fresh(MemoryTier.layerShared))
  const shared = Layer.succeed(Tier.Tier, Context.get(built, Tier.Tier))
  return (
    room = 10,
    way = new Faults(),
    disk: Layer.Layer<Tier.Tier> | undefined = undefined,
    says: (key: string) => Effect.Effect<number, string> = (key) => Effect.fail(`asked for ${key}`),
  ) =>
    Effect.gen(function* () {
      const file = new Faults()
      const memory = MemoryTier.layer({ maxEntries: room })
      const stack = TierStack.layer(memory, disk ?? fileLayer(file), wayToShared(way, shared))
      const larder = yield* Larder.make({
        name: "background",
        value: Schema.Finite,
        upstream: Upstream.make({ lookup: says }),
        policy: Policy.make({
          freshFor: "10 minutes",
          staleIfError: "1 hour",
          tierWrites: "background",
        }),
      }).pipe(Effect.provide(yield* Layer.build(stack)))
      return { larder, way, file }
    })
})

type Join = Effect.Success<typeof nodes>

const test = (title: string, body: (join: Join) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () => Effect.scoped(Effect.flatMap(nodes, body)))

const writes = ({ trips }: Faults) => trips.filter((trip) => trip === "write").length

describe("laws 12, 18: a value that reaches the arbiter after a change that its node has heard of", () => {
  for (const [op, left] of [
    ["remove", "Missing"],
    ["expire", "Stale"],
    ["set", "Stale"],
  ] as const) {
    test(`is not fresh, though the arbiter has evicted the record: ${op}`, () =>
      Effect.gen(function* () {
        const server = yield* MemoryTier.sharedServer()
        const way = new Faults()
        const node = (shared: Layer.Layer<Tier.Tier>) =>
          Larder.make({
            name: "evicted",
            value: Schema.Finite,
            upstream: Upstream.make({ lookup: (_: string) => Effect.fail("away") }),
            policy: Policy.make({
              freshFor: "10 minutes",
              staleIfError: "1 hour",
              tierWrites: "background",
            }),
          }).pipe(Effect.provide(Layer.fresh(TierStack.layer(MemoryTier.layer(), shared))))
        const a = yield* node(wayToShared(way, server.layer))
        const b = yield* node(server.layer)
        yield* a.read("k")
        yield* b.set("k", 1)
        yield* TestClock.adjust(1_000)
        way.turn("fail", "writes")
        yield* a.set("k", 2)
        yield* TestClock.adjust(1_000)
        yield* op === "set" ? b.set("k", 3) : b[op]("k")
        yield* TestClock.adjust(1_000)
        yield* server.evict(1)
        way.turn("none", "all")
        yield* TestClock.adjust("10 seconds")
        const c = yield* node(server.layer)
        expect((yield* c.read("k")).freshness._tag).toBe(left)
      }))
  }
})

describe("law 20: the place of a value in the order", () => {
  test("is the arbiter's time, also of the first change of a node", (join) =>
    Effect.gen(function* () {
      const { larder } = yield* join()
      const { version } = yield* larder.set("k", 1)
      expect(version).toBeGreaterThanOrEqual(startMillis * 1_000)
    }))

  test("is above whatever the node was told before", (join) =>
    Effect.gen(function* () {
      const { larder } = yield* join()
      const removed = yield* larder.remove("x")
      const set = yield* larder.set("k", 1)
      expect(set.version).toBeGreaterThan(removed.version)
    }))

  test("is found when the arbiter's time is known: until then nothing is written", (join) =>
    Effect.gen(function* () {
      const b = yield* join()
      const way = new Faults()
      way.turn("fail", "reads")
      const a = yield* join(10, way)
      yield* b.larder.set("k", 2)
      yield* TestClock.adjust(10)
      const { version } = yield* a.larder.set("k", 3)
      expect(version).toBeLessThan(startMillis * 1_000)
      yield* TestClock.adjust(1_000)
      expect(writes(way)).toBe(0)
      way.turn("none", "all")
      yield* TestClock.adjust("6 seconds")
      expect(writes(way)).toBe(1)
      // Memory has the value under its place as well: what it has is not older than all marks.
      const { entry, tier } = yield* a.larder.getWithMeta("k")
      expect([entry.value, tier]).toEqual([3, "memory"])
      expect(entry.version).toBeGreaterThan(startMillis * 1_000)
      const other = yield* join()
      expect(yield* other.larder.get("k")).toBe(3)
    }))

  test("is the one that was acknowledged, where the node knew of a higher one than its time", (join) =>
    Effect.gen(function* () {
      const disk = Layer.succeedContext(yield* Layer.build(fileLayer(new Faults())))
      const policy = Policy.make({ freshFor: "10 minutes", staleIfError: "1 hour" })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { larder } = yield* join(10, new Faults(), disk)
          // Several in one millisecond have numbers of those to come.
          for (const value of [1, 2, 3]) yield* larder.set("k", value, { policy })
        }),
      )
      const way = new Faults()
      way.turn("fail", "reads")
      const { larder } = yield* join(10, way, disk)
      expect(yield* larder.get("k")).toBe(3)
      const { version } = yield* larder.set("k", 4)
      way.turn("none", "all")
      yield* TestClock.adjust("6 seconds")
      const other = yield* join()
      const { entry } = yield* other.larder.getWithMeta("k")
      expect([entry.value, entry.version]).toEqual([4, version])
    }))

  test("does not bring back what was replaced in memory while it was found", (join) =>
    Effect.gen(function* () {
      const way = new Faults()
      way.turn("fail", "reads")
      const { larder } = yield* join(10, way)
      yield* larder.set("k", 3)
      way.turn("slow", "writes")
      while (writes(way) === 0) yield* TestClock.adjust(10)
      way.turn("fail", "writes")
      yield* larder.set("k", 4)
      yield* TestClock.adjust(200)
      expect(yield* larder.get("k")).toBe(4)
      way.turn("none", "all")
      yield* TestClock.adjust("6 seconds")
      expect(yield* larder.get("k")).toBe(4)
    }))
})

it.effect(
  "law 13: a value replaces what another process has set several times in the same millisecond, where nobody orders",
  () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(startMillis)
      const disk = Layer.succeedContext(yield* Layer.build(fileLayer(new Faults())))
      const node = Effect.suspend(() =>
        Larder.make({
          name: "background",
          value: Schema.Finite,
          upstream: Upstream.make({ lookup: (key: string) => Effect.fail(`asked for ${key}`) }),
          policy: Policy.make({ freshFor: "10 minutes", tierWrites: "background" }),
        }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer(), disk))),
      )
      const [one, other] = [yield* node, yield* node]
      const policy = Policy.make({ freshFor: "10 minutes" })
      for (const value of [1, 2, 3]) yield* one.set("k", value, { policy })
      expect(yield* other.get("k")).toBe(3)
      yield* other.set("k", 4)
      expect(yield* other.get("k")).toBe(4)
    }).pipe(Effect.scoped),
)

describe("a file in front of the arbiter", () => {
  test("law 3: keeps what was looked up after a value that came too late, and so does memory", (join) =>
    Effect.gen(function* () {
      let answer: Effect.Effect<number, string> = Effect.succeed(2)
      const { larder, way } = yield* join(1, new Faults(), undefined, () => answer)
      yield* larder.set("warm", 0)
      yield* TestClock.adjust(10)
      way.turn("fail", "writes")
      yield* larder.set("k", 1)
      way.turn("none", "all")
      yield* TestClock.adjust(10)
      expect(yield* larder.refresh("k")).toBe(2)
      expect((yield* larder.stats).queuedWrites).toBe(1)
      yield* TestClock.adjust("1 second")
      expect((yield* larder.stats).queuedWrites).toBe(0)
      expect(yield* larder.getWithMeta("k")).toMatchObject({ value: 2, tier: "memory" })
      // Memory lets it go for what is used as often.
      for (let value = 0; value < 10; value += 1) yield* larder.set("other", value)
      yield* TestClock.adjust(10)
      way.turn("fail", "all")
      answer = Effect.fail("down")
      expect(yield* larder.getWithMeta("k")).toMatchObject({ value: 2, tier: "file" })
      way.turn("none", "all")
    }))

  test("law 1: has the value once it is written, for one trip", (join) =>
    Effect.gen(function* () {
      const { file, larder } = yield* join(1)
      yield* larder.set("k", 1)
      yield* TestClock.adjust(1)
      expect(file.trips).toEqual(["put"])
      yield* larder.set("other", 2)
      yield* TestClock.adjust(1)
      expect(yield* larder.getWithMeta("k")).toMatchObject({ value: 1, tier: "file" })
    }))

  test("law 11: does not get a value whose key was removed while it was written", (join) =>
    Effect.gen(function* () {
      const { larder, way } = yield* join(1)
      yield* larder.set("warm", 0)
      yield* TestClock.adjust(1)
      way.turn("slowAfter", "writes")
      yield* larder.set("k", 1)
      yield* TestClock.adjust(10)
      way.turn("none", "all")
      const removing = yield* fork(larder.remove("k"))
      yield* TestClock.adjust(200)
      yield* Fiber.join(removing)
      expect(yield* Effect.flip(larder.get("k"))).toBe("asked for k")
    }))

  test("law 13: gives up what is older than a value of another node, and so does memory", (join) =>
    Effect.gen(function* () {
      const a = yield* join()
      const b = yield* join()
      yield* a.larder.set("k", 0)
      yield* TestClock.adjust(10)
      a.way.turn("fail", "writes")
      yield* a.larder.set("k", 1)
      yield* TestClock.adjust(10)
      yield* b.larder.set("k", 2)
      a.way.turn("none", "all")
      yield* TestClock.adjust("6 seconds")
      expect((yield* a.larder.stats).queuedWrites).toBe(0)
      expect(yield* a.larder.get("k")).toBe(2)
    }))

  test("law 15: has nothing older than a value that was given up", (join) =>
    Effect.gen(function* () {
      const { file, larder, way } = yield* join(1)
      yield* larder.set("k", 0)
      yield* TestClock.adjust(10)
      way.turn("fail", "writes")
      yield* larder.set("k", 1)
      yield* TestClock.adjust("62 seconds")
      expect((yield* larder.stats).queuedWrites).toBe(0)
      way.turn("none", "all")
      yield* TestClock.adjust("10 seconds")
      expect(file.trips).toContain("drop")
      yield* larder.set("other", 2)
      expect(yield* Effect.flip(larder.get("k"))).toBe("asked for k")
    }))

  test("law 15: has nothing older than a value that was given up before its place was known", (join) =>
    Effect.gen(function* () {
      const disk = Layer.succeedContext(yield* Layer.build(fileLayer(new Faults())))
      const before = yield* join(1, new Faults(), disk)
      yield* before.larder.set("k", 0)
      yield* TestClock.adjust(10)
      const way = new Faults()
      way.turn("fail", "all")
      // The node begins again over its file, and does not hear the arbiter's time.
      const { larder } = yield* join(1, way, disk)
      const setting = yield* fork(larder.set("k", 1))
      yield* TestClock.adjust("62 seconds")
      yield* Fiber.join(setting)
      expect((yield* larder.stats).queuedWrites).toBe(0)
      const evicting = yield* fork(larder.set("other", 2))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(evicting)
      const getting = yield* fork(Effect.flip(larder.get("k")))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(getting)).toBe("asked for k")
      way.turn("none", "all")
      yield* TestClock.adjust("10 seconds")
    }))
})

test("law 12: to expire a value that is on its way keeps it for when upstream fails", (join) =>
  Effect.gen(function* () {
    const { larder, way } = yield* join()
    yield* larder.set("warm", 0)
    yield* TestClock.adjust(1)
    way.turn("slow", "writes")
    yield* larder.set("k", 1)
    yield* TestClock.adjust(10)
    const expiring = yield* fork(larder.expire("k"))
    yield* TestClock.adjust(200)
    expect((yield* Fiber.join(expiring)).settled).toBe(true)
    const other = yield* join()
    expect((yield* other.larder.read("k")).freshness).toEqual({ _tag: "Stale", grace: "error" })
    expect(yield* other.larder.get("k")).toBe(1)
  }))

test("law 15: a removal that was missed while a value was written is not forgotten for it", (join) =>
  Effect.gen(function* () {
    const { larder, way } = yield* join()
    yield* larder.set("warm", 0)
    yield* TestClock.adjust(1)
    way.turn("slowAfter", "writes")
    yield* larder.set("k", 1)
    yield* TestClock.adjust(10)
    way.turn("fail", "writes")
    const removing = yield* fork(larder.remove("k"))
    yield* TestClock.adjust(200)
    expect((yield* Fiber.join(removing)).settled).toBe(false)
    way.turn("none", "all")
    yield* TestClock.adjust("10 seconds")
    const other = yield* join()
    expect(yield* Effect.flip(other.larder.get("k"))).toBe("asked for k")
  }))

for (const millis of [0, 10]) {
  test(`law 15: a change that was missed ${millis} ms before the value need not be told any more`, (join) =>
    Effect.gen(function* () {
      const { larder, way } = yield* join()
      yield* larder.read("known")
      way.turn("fail", "all")
      yield* larder.remove("k")
      yield* TestClock.adjust(millis)
      yield* larder.set("k", 2)
      yield* TestClock.adjust(10)
      way.turn("none", "all")
      way.trips.length = 0
      yield* TestClock.adjust("5 seconds")
      expect(writes(way)).toBe(1)
      const other = yield* join()
      expect(yield* other.larder.get("k")).toBe(2)
    }))
}
