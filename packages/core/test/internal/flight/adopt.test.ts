/** The entry of a tier against a newer value that this node has not written yet. */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { Context, type Duration, Effect, Fiber, Layer, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, wayToShared } from "../../support/faultyTier.ts"

const start = 1_790_000_000_000

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

interface NodeOptions {
  readonly kind?: "shared" | "file" | "file and shared"
  /** How many entries memory has room for. */
  readonly room?: number
  readonly maxFreshFor?: Duration.Input
  readonly policy?: Partial<Policy.Options>
}

/** Nodes over one shared tier, or with a file, that write in the background; upstream fails unless told otherwise. */
const nodes = Effect.gen(function* () {
  yield* TestClock.setTime(start)
  const built = yield* Layer.build(Layer.fresh(MemoryTier.layerShared))
  const shared = Layer.succeed(Tier.Tier, Context.get(built, Tier.Tier))
  return ({ kind = "shared", maxFreshFor, policy, room = 10 }: NodeOptions = {}) =>
    Effect.gen(function* () {
      const way = new Faults()
      const file = fileLayer(kind === "file" ? way : new Faults())
      const memory = MemoryTier.layer({ maxEntries: room, maxFreshFor })
      const stacks = {
        shared: () => TierStack.layer(memory, wayToShared(way, shared)),
        file: () => TierStack.layer(memory, file),
        "file and shared": () => TierStack.layer(memory, file, wayToShared(way, shared)),
      }
      const source = {
        answer: Effect.fail("down") as Effect.Effect<number, string>,
        /** The previous entry that each lookup got. */
        previous: [] as Array<unknown>,
      }
      const larder = yield* Larder.make({
        name: "considering",
        value: Schema.Finite,
        upstream: Upstream.make({
          lookup: (_: string, previous) =>
            Effect.suspend(() => {
              source.previous.push(previous?.value)
              return source.answer
            }),
        }),
        policy: Policy.make({
          freshFor: "10 minutes",
          staleIfError: "1 hour",
          tierWrites: "background",
          ...policy,
        }),
        tags: () => ["t"],
        closeTimeout: 0,
      }).pipe(Effect.provide(yield* Layer.build(stacks[kind]())))
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

describe("a value that waits to be written", () => {
  test("law 1: is fresh again where the tier that has it says so", (join) =>
    Effect.gen(function* () {
      const { larder, source, way } = yield* join({ maxFreshFor: "1 second" })
      yield* larder.read("known")
      way.turn("failAfter", "writes")
      yield* larder.set("k", 1)
      yield* TestClock.adjust("1 second")
      expect((yield* larder.stats).queuedWrites).toBe(1)
      source.answer = Effect.succeed(9)
      expect(yield* larder.getWithMeta("k")).toMatchObject({ value: 1, tier: "shared" })
    }))

  test("law 19: is fresh for no longer than memory allows, though memory takes it over again", (join) =>
    Effect.gen(function* () {
      const { larder, source, way } = yield* join({ maxFreshFor: "400 millis", room: 1 })
      yield* larder.read("known")
      way.turn("fail", "writes")
      yield* larder.set("k", 1)
      source.answer = Effect.succeed(9)
      yield* larder.get("other")
      yield* TestClock.adjust(300)
      expect(yield* larder.get("k")).toBe(1)
      expect((yield* larder.read("k")).freshness._tag).toBe("Fresh")
      yield* TestClock.adjust(100)
      expect((yield* larder.stats).queuedWrites).toBe(1)
      expect(yield* larder.get("k")).toBe(9)
    }))

  test("law 4: is shown to no lookup once its life has ended", (join) =>
    Effect.gen(function* () {
      const { larder, source, way } = yield* join({ room: 1 })
      yield* larder.read("known")
      way.turn("fail", "writes")
      const times = { freshFor: "200 millis", staleIfError: "200 millis" } as const
      yield* larder.set("k", 1, { policy: Policy.make({ ...times, tierWrites: "background" }) })
      source.answer = Effect.succeed(0)
      yield* larder.get("other")
      yield* TestClock.adjust(400)
      expect((yield* larder.stats).queuedWrites).toBe(1)
      source.previous.length = 0
      yield* larder.get("k")
      expect(source.previous).toEqual([undefined])
    }))
})

test("law 12: a value that a mark has dropped is shown to no lookup of another node", (join) =>
  Effect.gen(function* () {
    const a = yield* join()
    yield* a.larder.set("k", 1)
    yield* TestClock.adjust(10)
    yield* a.larder.invalidateTags(["t"], { keepStale: false })
    const b = yield* join()
    b.source.answer = Effect.succeed(2)
    expect(yield* b.larder.get("k")).toBe(2)
    expect(b.source.previous).toEqual([undefined])
  }))

describe("law 13: a removal that the arbiter remembers takes nothing that was looked up after it", () => {
  const policy = { freshFor: "1 second", retryAfterFailure: 10, tierWrites: "awaited" } as const

  /** "k" was removed, and looked up again while the arbiter took no commit. */
  const lookedUp = (join: Join, options: NodeOptions) =>
    Effect.gen(function* () {
      const node = yield* join({ ...options, policy })
      const { larder, source, way } = node
      yield* larder.remove("k")
      way.turn("fail", "leases")
      source.answer = Effect.succeed(1)
      expect(yield* larder.get("k")).toBe(1)
      yield* TestClock.adjust(10)
      way.turn("none", "all")
      return node
    })

  test("from memory", (join) =>
    Effect.gen(function* () {
      const { larder, source } = yield* lookedUp(join, {})
      source.answer = Effect.fail("down")
      for (const _ of [1, 2]) {
        yield* TestClock.adjust("1 second")
        expect(yield* larder.get("k")).toBe(1)
        expect((yield* larder.stats).entries).toBe(1)
      }
    }))

  test("from what a nearer tier has", (join) =>
    Effect.gen(function* () {
      const { larder, source } = yield* lookedUp(join, { kind: "file and shared", room: 1 })
      yield* larder.get("other")
      yield* TestClock.adjust("1 second")
      source.answer = Effect.fail("down")
      expect(yield* larder.getWithMeta("k")).toMatchObject({ value: 1, tier: "file" })
    }))
})

test("law 11: what a tier is read for a caller that leaves does not outlive a removal", (join) =>
  Effect.gen(function* () {
    const a = yield* join()
    const b = yield* join()
    yield* a.larder.set("k", 1)
    yield* a.larder.set("l", 2)
    yield* TestClock.adjust(10)
    yield* b.larder.read("known")
    b.way.turn("slowAfter", "reads")
    const many = yield* fork(b.larder.getMany(["k", "l"]))
    const one = yield* fork(b.larder.get("l"))
    yield* TestClock.adjust(20)
    yield* Fiber.interrupt(many)
    const removing = yield* fork(b.larder.remove("k"))
    yield* TestClock.adjust(100)
    expect(yield* Fiber.join(one)).toBe(2)
    yield* Fiber.join(removing)
    b.way.turn("none", "all")
    expect(yield* Effect.flip(b.larder.get("k"))).toBe("down")
  }))

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
