/**
 * Law 19: after a gap, an entry of a file in front of the arbiter is stale-if-error only until the arbiter
 * has confirmed its version; a confirmation reads no value from the arbiter.
 */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Fiber, Layer, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer } from "./support/faultyTier.ts"
import * as scripted from "./support/scriptedTier.ts"

type Node = Larder.Larder<string, number, string>

interface World {
  readonly script: scripted.Script
  /** A machine of its own: memory for one key, and a file. */
  readonly node: (policy?: Partial<Policy.Options>) => Effect.Effect<Node, never, Scope.Scope>
  asked: number
  answer: Effect.Effect<number, string>
}

const world = Effect.gen(function* () {
  const script = new scripted.Script()
  const tier = Layer.succeedContext(yield* Layer.build(scripted.layer(script, "shared", "batches")))
  const self: World = {
    script,
    asked: 0,
    answer: Effect.succeed(1),
    node: (policy = {}) =>
      Larder.make({
        name: "confirming",
        value: Schema.Finite,
        tags: () => ["t"],
        upstream: Upstream.make({
          lookup: (_: string) =>
            Effect.suspend(() => {
              self.asked += 1
              return self.answer
            }),
        }),
        policy: Policy.make({ freshFor: "1 hour", staleIfError: "1 hour", ...policy }),
      }).pipe(
        Effect.provide(
          TierStack.layer(MemoryTier.layer({ maxEntries: 1 }), fileLayer(new Faults()), tier),
        ),
      ),
  }
  return self
})

const test = (title: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () =>
    Effect.andThen(
      TestClock.setTime(1_790_000_000_000),
      Effect.scoped(Effect.flatMap(world, body)),
    ),
  )

const settled = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

/** Every node has a gap, and its marks are read again. */
const lose = ({ script }: World) =>
  Effect.gen(function* () {
    yield* TestClock.adjust(10)
    for (const isOver of [false, true]) {
      script.say({ _tag: "Gap", reason: "disconnected", part: undefined, isOver })
    }
    yield* TestClock.adjust("2 seconds")
    yield* settled
    script.trips()
  })

/** Has the node keep these keys in its file, and none of them in memory. */
const filled = (node: Node, ...keys: ReadonlyArray<string>) =>
  Effect.forEach([...keys, "another"], (key) => node.get(key), { discard: true })

test("is confirmed by its version, reads no value of the arbiter, and is trusted from then on", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    yield* filled(a, "k")
    yield* lose(world)
    // The marks that were read when the gap ended are too old by then.
    yield* TestClock.adjust("5 seconds")
    const confirmed = { value: 1, tier: "file", freshness: { _tag: "Fresh" } }
    expect(yield* a.getWithMeta("k")).toMatchObject(confirmed)
    expect(world.script.trips()).toEqual(["marks", "versions"])
    // A plain hit in memory; and, evicted from there, a hit in the file.
    expect(yield* a.get("k")).toBe(1)
    yield* a.set("another", 7)
    world.script.trips()
    yield* TestClock.adjust(10)
    expect(yield* a.getWithMeta("k")).toMatchObject(confirmed)
    expect(world.script.trips()).toEqual([])
    expect(world.asked).toBe(2)
  }))

test("is confirmed where it has no stale-if-error time", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node({ staleIfError: 0 })
    yield* filled(a, "k")
    yield* lose(world)
    expect(yield* a.getWithMeta("k")).toMatchObject({ value: 1, tier: "file" })
    expect(world.script.trips()).toEqual(["versions"])
  }))

test("many in one request for versions, and one for the values that have changed", (world) =>
  Effect.gen(function* () {
    const [a, b] = [yield* world.node(), yield* world.node()]
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`)
    yield* filled(a, ...keys)
    world.script.isLosing = true
    yield* b.set("k3", 2)
    yield* b.remove("k4")
    world.script.isLosing = false
    yield* lose(world)
    world.answer = Effect.succeed(9)
    const got = yield* a.getMany(keys)
    expect([...got.values()].map((exit) => exit._tag === "Success" && exit.value)).toEqual(
      keys.map((key) => (key === "k3" ? 2 : key === "k4" ? 9 : 1)),
    )
    expect(world.script.of("read").map(({ args }) => args)).toEqual([[["k3"]]])
    expect(world.script.of("versions").length).toBe(1)
  }))

const ways = {
  "looked up": { policy: {}, change: (node: Node) => node.get("k"), isGiven: true },
  set: { policy: {}, change: (node: Node) => node.set("k", 1), isGiven: true },
  // The arbiter may have it as expired, under the version that the node has chosen.
  "set in the background": {
    policy: { tierWrites: "background" },
    change: (node: Node) => node.set("k", 1),
    isGiven: false,
  },
} as const

for (const [way, { change, isGiven, policy }] of Object.entries(ways)) {
  test(`is suspect where a gap comes before the file has a value that was ${way}`, (world) =>
    Effect.gen(function* () {
      const { script } = world
      const a = yield* world.node(policy)
      yield* a.get("another")
      script.instead = { commit: scripted.slowly(50), write: scripted.slowly(50) }
      yield* Effect.forkChild(change(a), { startImmediately: true })
      yield* lose(world)
      script.instead = {}
      yield* a.set("another", 7)
      script.trips()
      const tier = isGiven ? "file" : "shared"
      expect(yield* a.getWithMeta("k")).toMatchObject({ value: 1, tier })
      expect(script.trips()).toEqual([isGiven ? "versions" : "read"])
    }))
}

test("is not confirmed by the version of a value that this node stored without the arbiter", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    yield* a.get("another")
    world.script.instead.acquire = () => () => Effect.never
    world.script.instead.read = () => () => Effect.never
    const caller = yield* Effect.forkChild(a.get("k"), { startImmediately: true })
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(caller)
    world.script.instead = {}
    const own = (yield* a.read("k")).entry?.version ?? 0
    yield* a.set("another", 7)
    yield* lose(world)
    world.script.instead.versions = () => (keys) =>
      Effect.succeed(keys.map(() => ({ version: own, isValue: true })))
    world.answer = Effect.succeed(2)
    yield* TestClock.adjust("1 minute")
    expect(yield* a.get("k")).toBe(2)
    expect(world.script.trips()).not.toContain("versions")
  }))

test("is read from the arbiter that tells no versions, or has told of a newer one", (world) =>
  Effect.gen(function* () {
    const [a, b] = [yield* world.node(), yield* world.node()]
    yield* filled(a, "k")
    yield* b.set("k", 2)
    yield* lose(world)
    expect(yield* a.get("k")).toBe(2)
    expect(world.script.trips()).toEqual(["read"])
    world.script.isWithoutVersions = true
    const c = yield* world.node()
    yield* filled(c, "k")
    yield* lose(world)
    expect(yield* c.get("k")).toBe(2)
    expect(world.script.trips()).toEqual(["read"])
  }))

test("is looked up where the arbiter has no value: stale-if-error answers only after a loss, not a removal", (world) =>
  Effect.gen(function* () {
    const [a, b] = [yield* world.node(), yield* world.node()]
    yield* filled(a, "removed", "lost")
    world.script.isLosing = true
    yield* b.remove("removed")
    world.script.isLosing = false
    yield* lose(world)
    const real = world.script.instead
    real.versions = (versions) => (keys) =>
      Effect.map(versions(keys), (all) =>
        all.map((one, i) => (keys[i] === "lost" ? { version: 0, isValue: false } : one)),
      )
    world.answer = Effect.fail("down")
    expect(yield* Effect.flip(a.get("removed"))).toBe("down")
    expect(yield* a.get("lost")).toBe(1)
    expect(world.script.trips()).not.toContain("read")
  }))

test("is read where the arbiter does not tell its version", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    yield* filled(a, "k")
    yield* lose(world)
    world.script.instead.versions = () => () => Effect.never
    const caller = yield* Effect.forkChild(a.getWithMeta("k"), { startImmediately: true })
    yield* TestClock.adjust("1 second")
    expect(yield* Fiber.join(caller)).toMatchObject({ value: 1, freshness: { _tag: "Fresh" } })
    expect(world.script.trips()).toEqual(["versions", "read"])
    expect(world.asked).toBe(2)
  }))

test("is looked up where the arbiter refused the value for want of memory: it has a tombstone of that version", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    yield* filled(a, "k")
    yield* lose(world)
    world.script.instead.versions = (versions) => (keys) =>
      Effect.map(versions(keys), (all) => all.map(({ version }) => ({ version, isValue: false })))
    world.script.instead.acquire = () => () => Effect.succeed({ _tag: "Won", token: 2 ** 52 })
    world.answer = Effect.succeed(2)
    expect(yield* a.get("k")).toBe(2)
  }))

test("a checked read, and one that demands a younger value, judge it as any", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    yield* filled(a, "k")
    yield* lose(world)
    expect(yield* a.get("k", { check: true })).toBe(1)
    expect(world.script.trips()).toEqual(["versions", "marks"])
    yield* filled(a)
    yield* lose(world)
    world.answer = Effect.succeed(2)
    expect(yield* a.get("k", { maxAge: "1 second" })).toBe(2)
    expect(world.script.trips()).not.toContain("versions")
  }))

test("is asked for once, where memory has the same suspect entry", (world) =>
  Effect.gen(function* () {
    const [a, b] = [yield* world.node(), yield* world.node()]
    yield* a.get("k")
    world.script.isLosing = true
    yield* b.set("k", 2)
    world.script.isLosing = false
    yield* lose(world)
    expect(yield* a.get("k")).toBe(2)
    expect(world.script.trips()).toEqual(["versions", "read"])
  }))

test("is confirmed where memory has it from the file, unconfirmed, since the arbiter was away", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    yield* filled(a, "k")
    yield* lose(world)
    world.script.instead = {
      acquire: () => () => Effect.never,
      read: () => () => Effect.never,
      versions: () => () => Effect.never,
    }
    world.answer = Effect.fail("down")
    const caller = yield* Effect.forkChild(a.getWithMeta("k"), { startImmediately: true })
    yield* TestClock.adjust("1 second")
    expect(yield* Fiber.join(caller)).toMatchObject({ value: 1, freshness: { _tag: "Stale" } })
    world.script.instead = {}
    yield* TestClock.adjust("1 minute")
    world.script.trips()
    expect(yield* a.getWithMeta("k")).toMatchObject({ value: 1, freshness: { _tag: "Fresh" } })
    expect(world.script.trips()).toEqual(["marks", "versions"])
  }))

test("beside a refresh, is confirmed, or the arbiter's newer value is read", (world) =>
  Effect.gen(function* () {
    const [a, b] = [yield* world.node({ softTimeout: "1 second" }), yield* world.node()]
    for (const value of [1, 2]) {
      yield* filled(a, "k")
      world.script.isLosing = true
      if (value === 2) yield* b.set("k", 2)
      world.script.isLosing = false
      yield* lose(world)
      world.answer = Effect.never
      const refresh = yield* Effect.forkChild(a.refresh("k"), { startImmediately: true })
      yield* TestClock.adjust(10)
      const caller = yield* Effect.forkChild(a.get("k"), { startImmediately: true })
      yield* TestClock.adjust(10)
      expect(caller.pollUnsafe()).not.toBe(undefined)
      expect(yield* Fiber.join(caller)).toBe(value)
      yield* Fiber.interrupt(refresh)
    }
  }))

test("that is past its freshness is read from the arbiter", (world) =>
  Effect.gen(function* () {
    const [a, b] = [yield* world.node(), yield* world.node()]
    yield* filled(a, "k")
    yield* TestClock.adjust("1 hour")
    world.script.isLosing = true
    yield* b.set("k", 2)
    world.script.isLosing = false
    yield* lose(world)
    expect(yield* a.get("k")).toBe(2)
    expect(world.script.trips()).not.toContain("versions")
  }))

test("law 14: a mark that was missed covers it, though its version is the arbiter's", (world) =>
  Effect.gen(function* () {
    const [a, b] = [yield* world.node(), yield* world.node()]
    yield* filled(a, "k")
    world.script.isLosing = true
    yield* b.invalidateTags(["t"])
    world.script.isLosing = false
    yield* lose(world)
    world.answer = Effect.succeed(2)
    expect(yield* a.get("k")).toBe(2)
  }))

/** Asks for a suspect entry of the file, and has the arbiter's answer take 50 ms. */
const asking = (world: World) =>
  Effect.gen(function* () {
    const [a, b] = [yield* world.node(), yield* world.node()]
    yield* filled(a, "k")
    yield* lose(world)
    // The marks that were read when the gap ended are too old by then.
    yield* TestClock.adjust("5 seconds")
    world.script.instead.versions =
      (versions) =>
      (...args) =>
        Effect.tap(versions(...args), Effect.sleep(50))
    const caller = yield* Effect.forkChild(a.getWithMeta("k"), { startImmediately: true })
    yield* TestClock.adjust(10)
    world.script.instead = {}
    return { a, b, caller }
  })

test("law 18: while its version is on its way, a message of a newer one comes", (world) =>
  Effect.gen(function* () {
    const { a, b, caller } = yield* asking(world)
    yield* b.set("k", 2)
    yield* TestClock.adjust(40)
    expect(yield* Fiber.join(caller)).toMatchObject({ value: 2 })
    yield* a.set("another", 7)
    expect(yield* a.get("k")).toBe(2)
  }))

test("law 18: and the arbiter is away from then on: the file's entry is stale-if-error only", (world) =>
  Effect.gen(function* () {
    const { a, b, caller } = yield* asking(world)
    yield* b.set("k", 2)
    world.script.instead = {
      acquire: () => () => Effect.never,
      read: () => () => Effect.never,
      versions: () => () => Effect.never,
    }
    world.answer = Effect.fail("down")
    yield* TestClock.adjust("1 second")
    expect(yield* Fiber.join(caller)).toMatchObject({ value: 1, freshness: { _tag: "Stale" } })
    yield* TestClock.adjust("2 seconds")
    const later = yield* Effect.forkChild(a.getWithMeta("k"), { startImmediately: true })
    yield* TestClock.adjust("2 seconds")
    expect(yield* Fiber.join(later)).toMatchObject({ value: 1, freshness: { _tag: "Stale" } })
  }))

test("law 19: while its version is on its way, a gap comes: the file is suspect again", (world) =>
  Effect.gen(function* () {
    const { a, b, caller } = yield* asking(world)
    world.script.isLosing = true
    yield* b.set("k", 2)
    world.script.isLosing = false
    world.script.say({ _tag: "Gap", reason: "hole", part: undefined, isOver: true })
    yield* TestClock.adjust(40)
    yield* Fiber.join(caller)
    yield* a.set("another", 7)
    yield* TestClock.adjust("1 second")
    expect(yield* a.get("k")).toBe(2)
  }))

test("law 13: while its version is on its way, this node sets the key: its value stays", (world) =>
  Effect.gen(function* () {
    const { a, caller } = yield* asking(world)
    yield* a.set("k", 2)
    yield* TestClock.adjust(40)
    yield* Fiber.join(caller)
    expect(yield* a.get("k")).toBe(2)
    yield* Effect.forEach([1, 2, 3, 4, 5], (value) => a.set("another", value))
    world.script.trips()
    // The file's entry is known to be that of the change.
    expect(yield* a.getWithMeta("k")).toMatchObject({ value: 2, tier: "file" })
    expect(world.script.trips()).toEqual([])
  }))
