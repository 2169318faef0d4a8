/** What a tier has against what this node knows and has not been able to write yet. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { Context, Effect, Fiber, Layer, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, wayToShared } from "../support/faultyTier.ts"

const start = 1_790_000_000_000

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** Nodes over one shared tier, or with a file alone, that write in the background; upstream fails unless told otherwise. */
const nodes = Effect.gen(function* () {
  yield* TestClock.setTime(start)
  const built = yield* Layer.build(Layer.fresh(MemoryTier.layerShared))
  const shared = Layer.succeed(Tier.Tier, Context.get(built, Tier.Tier))
  return ({ kind = "shared", room = 10 }: { kind?: "shared" | "file"; room?: number } = {}) =>
    Effect.gen(function* () {
      const way = new Faults()
      const memory = MemoryTier.layer({ maxEntries: room })
      const stack = TierStack.layer(
        memory,
        kind === "file" ? fileLayer(way) : wayToShared(way, shared),
      )
      const source = { answer: Effect.fail("down") as Effect.Effect<number, string> }
      const larder = yield* Larder.make({
        name: "considering",
        value: Schema.Finite,
        upstream: Upstream.make({ lookup: (_: string) => Effect.suspend(() => source.answer) }),
        policy: Policy.make({
          freshFor: "10 minutes",
          staleIfError: "1 hour",
          tierWrites: "background",
        }),
        tags: () => ["t"],
        closeTimeout: 0,
      }).pipe(Effect.provide(yield* Layer.build(stack)))
      return { larder, source, way }
    })
})

type Join = Effect.Success<typeof nodes>

const test = (title: string, body: (join: Join) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () => Effect.scoped(Effect.flatMap(nodes, body)))

const short = Policy.make({
  freshFor: "1 second",
  staleIfError: "1 hour",
  tierWrites: "background",
})

describe("law 13: a value that cannot be written, and is stale by now", () => {
  /** The tier has 1, which is fresh; 2 was set after it, is stale, and memory has let it go. */
  const setTwice = (join: Join, fault: "fail" | "failAfter") =>
    Effect.gen(function* () {
      const node = yield* join({ room: 1 })
      const { larder, way } = node
      yield* larder.set("k", 1)
      yield* TestClock.adjust(10)
      way.turn(fault, "writes")
      yield* larder.set("k", 2, { policy: short })
      // Before the breaker of the tier opens.
      yield* TestClock.adjust("1 second")
      node.source.answer = Effect.succeed(0)
      yield* larder.get("other")
      expect((yield* larder.stats).queuedWrites).toBe(1)
      return node
    })

  test("does not make way for an older one that the tier has", (join) =>
    Effect.gen(function* () {
      const { larder, source } = yield* setTwice(join, "fail")
      source.answer = Effect.succeed(9)
      expect(yield* larder.get("k")).toBe(9)
    }))

  test("is given from the tier where upstream fails, if it has got there after all", (join) =>
    Effect.gen(function* () {
      const { larder, source } = yield* setTwice(join, "failAfter")
      source.answer = Effect.fail("down")
      expect(yield* larder.get("k")).toBe(2)
    }))

  test("law 3: is given from the queue where upstream fails, if it has not", (join) =>
    Effect.gen(function* () {
      const { larder, source } = yield* setTwice(join, "fail")
      source.answer = Effect.fail("down")
      expect(yield* larder.get("k")).toBe(2)
    }))

  test("is not forgotten for a removal before it", (join) =>
    Effect.gen(function* () {
      const { larder, way } = yield* join()
      yield* larder.remove("k")
      way.turn("fail", "writes")
      yield* larder.set("k", 2, { policy: short })
      yield* TestClock.adjust("2 seconds")
      for (const _ of [1, 2]) {
        expect(yield* larder.get("k")).toBe(2)
        expect((yield* larder.stats).entries).toBe(1)
        yield* TestClock.adjust("2 seconds")
      }
    }))
})

describe("a value that is written in the background", () => {
  test("is ordered by this node's clock where nobody arbitrates", (join) =>
    Effect.gen(function* () {
      const { larder, way } = yield* join({ kind: "file", room: 1 })
      const first = yield* larder.set("k", 1)
      const second = yield* larder.set("k", 2)
      expect(first.version).toBeGreaterThanOrEqual(start)
      expect(second.version).toBeGreaterThan(first.version)
      yield* TestClock.adjust(10)
      expect(way.trips).toContain("put")
      yield* larder.set("other", 3)
      yield* TestClock.adjust(10)
      expect(yield* larder.getWithMeta("k")).toMatchObject({ value: 2, tier: "file" })
    }))

  test("law 12: is covered by a mark of the same moment that came after it", (join) =>
    Effect.gen(function* () {
      const a = yield* join()
      const b = yield* join()
      yield* a.larder.read("known")
      yield* a.larder.set("k", 1)
      yield* b.larder.invalidateTags(["t"])
      yield* TestClock.adjust(10)
      const c = yield* join()
      expect((yield* c.larder.read("k")).freshness).toEqual({ _tag: "Stale", grace: "error" })
    }))

  test("law 20: keeps the place it was told, however well the tier's time is known later", (join) =>
    Effect.gen(function* () {
      const a = yield* join()
      a.way.turn("slowAfter", "reads")
      const reading = yield* fork(a.larder.read("known"))
      yield* TestClock.adjust(50)
      yield* Fiber.join(reading)
      a.way.turn("fail", "writes")
      const { version } = yield* a.larder.set("k", 1)
      yield* TestClock.adjust(10)
      a.way.turn("none", "all")
      yield* a.larder.remove("other")
      yield* TestClock.adjust("2 seconds")
      expect((yield* a.larder.stats).queuedWrites).toBe(0)
      const b = yield* join()
      expect((yield* b.larder.read("k")).entry?.version).toBe(version)
    }))

  test("law 12: is not put into memory again when its place is found after a removal", (join) =>
    Effect.gen(function* () {
      const { larder, way } = yield* join()
      way.turn("fail", "reads")
      yield* larder.set("k", 1)
      way.turn("slowAfter", "writes")
      while (!way.trips.includes("write")) yield* TestClock.adjust(10)
      way.turn("none", "all")
      const removing = yield* fork(larder.remove("k"))
      yield* TestClock.adjust(200)
      yield* Fiber.join(removing)
      expect(yield* Effect.flip(larder.get("k"))).toBe("down")
    }))

  test("law 17: that memory has let go while its place was found takes nothing's room", (join) =>
    Effect.gen(function* () {
      const { larder, source, way } = yield* join({ room: 1 })
      way.turn("fail", "reads")
      yield* larder.set("k", 1)
      way.turn("slowAfter", "writes")
      while (!way.trips.includes("write")) yield* TestClock.adjust(10)
      way.turn("none", "all")
      source.answer = Effect.succeed(0)
      yield* larder.get("other")
      yield* TestClock.adjust(200)
      expect((yield* larder.stats).queuedWrites).toBe(0)
      expect((yield* larder.getWithMeta("other")).tier).toBe("memory")
    }))

  test("law 13: that another node has overtaken leaves a later one of this node in memory", (join) =>
    Effect.gen(function* () {
      const a = yield* join()
      const b = yield* join()
      yield* a.larder.read("known")
      a.way.turn("fail", "writes")
      yield* a.larder.set("k", 1)
      yield* TestClock.adjust(10)
      yield* b.larder.set("k", 2)
      yield* TestClock.adjust(10)
      a.way.turn("slow", "writes")
      while (a.way.trips.filter((trip) => trip === "write").length < 2) yield* TestClock.adjust(10)
      yield* a.larder.set("k", 3)
      yield* TestClock.adjust(60)
      // Before anything is read: that would bring it from the queue.
      expect((yield* a.larder.stats).entries).toBe(1)
      expect(yield* a.larder.getWithMeta("k")).toMatchObject({ value: 3, tier: "memory" })
      a.way.turn("none", "all")
      yield* TestClock.adjust("2 seconds")
      const c = yield* join()
      expect(yield* c.larder.get("k")).toBe(3)
    }))
})
