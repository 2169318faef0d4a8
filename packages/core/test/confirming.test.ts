/**
 * Law 19: what a node had before a gap is served in error grace only, until the arbiter has confirmed its
 * version; a confirmation reads no value and spares the lookup.
 */
import { describe, expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, Tier, TierStack, Upstream } from "@larder/core"
import { Clock, Effect, Exit, Fiber, Layer, Random, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as scripted from "./support/scriptedTier.ts"

type Node = Larder.Larder<string, number, string>

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** Lets every fiber do what it can without time passing. */
const settled = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

/** A memory tier whose store a test may fill. */
const openMemory = (
  options: MemoryTier.Options | undefined,
  opened: (store: Tier.ObjectStore) => void,
) =>
  Layer.effect(
    Tier.Tier,
    Effect.map(Tier.Tier, (tier) =>
      tier.kind === "bytes"
        ? tier
        : {
            ...tier,
            open: (given: Parameters<Tier.ObjectTier["open"]>[0]) =>
              Effect.tap(tier.open(given), (store) => Effect.sync(() => opened(store))),
          },
    ),
  ).pipe(Layer.provide(MemoryTier.layer(options)))

interface World {
  readonly script: scripted.Script
  readonly node: (options?: {
    readonly policy?: Partial<Policy.Options>
    readonly memory?: MemoryTier.Options
  }) => Effect.Effect<Node, never, Scope.Scope>
  asked: number
  answer: Effect.Effect<number, string>
  chance: number
  /** The memory of the last node. */
  near: Tier.ObjectStore | undefined
}

const world = Effect.gen(function* () {
  const script = new scripted.Script()
  const tier = Layer.succeedContext(yield* Layer.build(scripted.layer(script, "shared", "batches")))
  const self: World = {
    script,
    asked: 0,
    answer: Effect.succeed(1),
    chance: 0,
    near: undefined,
    node: ({ memory, policy } = {}) =>
      Larder.make({
        name: "confirming",
        value: Schema.Finite,
        upstream: Upstream.make({
          lookup: (_: string) =>
            Effect.suspend(() => {
              self.asked += 1
              return self.answer
            }),
        }),
        tags: () => ["t"],
        policy: Policy.make({ freshFor: "1 hour", staleIfError: "1 hour", ...policy }),
      }).pipe(
        Effect.provide(
          TierStack.layer(
            openMemory(memory, (store) => {
              self.near = store
            }),
            tier,
          ),
        ),
        Effect.provideService(Random.Random, {
          nextDoubleUnsafe: () => self.chance,
          nextIntUnsafe: () => 0,
        }),
      ),
  }
  return self
})

const test = (
  title: string,
  body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>,
  timeout?: number,
) =>
  it.effect(
    title,
    () =>
      Effect.andThen(
        TestClock.setTime(1_790_000_000_000),
        Effect.scoped(Effect.flatMap(world, body)),
      ),
    timeout,
  )

const gap = { _tag: "Gap", reason: "disconnected", part: undefined } as const

/** Sends a report of a gap to every node, and lets them take it. */
const report = (world: World, isOver: boolean) =>
  Effect.andThen(
    Effect.sync(() => world.script.say({ ...gap, isOver })),
    settled,
  )

/** Every node loses its subscription. */
const lose = (world: World) =>
  Effect.andThen(
    report(world, false),
    Effect.sync(() => world.script.trips()),
  )

/** All of a fiber's work that needs no time. */
const atOnce = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* fork(effect)
    yield* settled
    expect(fiber.pollUnsafe()).not.toBe(undefined)
    return yield* Fiber.join(fiber)
  })

const meta = (node: Node, key = "k") => atOnce(node.getWithMeta(key))

describe("an entry from before a gap", () => {
  test("is confirmed by its version, and is a plain hit again", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      yield* a.get("k")
      yield* lose(world)
      expect(yield* meta(a)).toMatchObject({
        value: 1,
        tier: "memory",
        freshness: { _tag: "Fresh" },
      })
      expect(world.script.trips()).toEqual(["versions"])
      // Nothing is asked for a plain hit.
      expect(yield* a.get("k")).toBe(1)
      expect(world.script.trips()).toEqual([])
      expect(world.asked).toBe(1)
    }))

  test("is judged by marks that may have been missed: they are read with its version", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      const b = yield* world.node()
      yield* a.get("k")
      world.script.isLosing = true
      yield* b.invalidateTags(["t"])
      world.answer = Effect.succeed(2)
      // The request of the gap itself is not answered.
      world.script.instead.marks = () => () => Effect.never
      yield* report(world, false)
      yield* TestClock.adjust("1 second")
      world.script.instead = {}
      world.script.trips()
      expect(yield* meta(a)).toMatchObject({ value: 2, tier: "upstream" })
      expect(world.script.trips().slice(0, 2)).toEqual(["versions", "marks"])
    }))

  test("is not confirmed while the marks since the gap are unknown", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      yield* a.get("k")
      world.script.instead.marks = () => () => Effect.never
      yield* lose(world)
      world.answer = Effect.fail("down")
      const caller = yield* fork(a.getWithMeta("k"))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(caller)).toMatchObject({ freshness: { grace: "error" } })
    }))

  test("that has another version is read, and looked up by nobody", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      const b = yield* world.node()
      yield* a.get("k")
      world.script.isLosing = true
      yield* b.set("k", 2)
      yield* lose(world)
      expect(yield* meta(a)).toMatchObject({ value: 2, tier: "shared" })
      expect(world.script.trips()).toEqual(["versions", "read"])
      expect((yield* a.stats).missesByCause).toMatchObject({ suspect: 1 })
      expect(world.asked).toBe(1)
    }))

  test("that was removed is served by nobody, though upstream fails", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      const b = yield* world.node()
      yield* a.get("k")
      world.script.isLosing = true
      yield* b.remove("k")
      yield* lose(world)
      world.answer = Effect.fail("down")
      expect(yield* atOnce(Effect.exit(a.get("k")))).toEqual(Exit.fail("down"))
    }))

  test("that the arbiter has lost is not confirmed by its absence: it is looked up under a lease", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      yield* a.get("k")
      yield* lose(world)
      world.script.instead.versions = () => (keys) =>
        Effect.succeed(keys.map(() => ({ version: 0, isValue: false })))
      world.script.instead.read = () => (keys) => Effect.succeed(keys.map(() => undefined))
      world.answer = Effect.succeed(2)
      expect(yield* meta(a)).toMatchObject({ value: 2, tier: "upstream" })
      expect(world.script.trips()).toEqual(["versions", "read", "acquire", "commit"])
    }))

  test("is served in error grace while the arbiter does not answer, as its lookup fails", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      yield* a.get("k")
      yield* lose(world)
      world.script.instead.versions = () => () => Effect.never
      world.script.instead.read = () => () => Effect.never
      world.script.instead.acquire = () => () => Effect.never
      world.answer = Effect.fail("down")
      const caller = yield* fork(a.getWithMeta("k"))
      yield* TestClock.adjust(199)
      expect(caller.pollUnsafe()).toBe(undefined)
      // Law 14: all steps in the tier together take no longer than tierBudget.
      yield* TestClock.adjust(1)
      expect(yield* Fiber.join(caller)).toMatchObject({
        value: 1,
        freshness: { _tag: "Stale", grace: "error" },
      })
    }))

  test("is not served to a caller that accepts nothing stale, whatever fails", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      yield* a.get("k")
      yield* lose(world)
      world.script.instead.versions = () => () => Effect.never
      world.script.instead.read = () => () => Effect.never
      world.answer = Effect.fail("down")
      const caller = yield* fork(Effect.exit(a.get("k", { stale: "never" })))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(caller)).toEqual(Exit.fail("down"))
    }))

  test("in revalidate grace is served as that, while one refresh runs", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node({
        policy: { freshFor: "10 seconds", staleWhileRevalidate: "1 minute" },
      })
      yield* a.get("k")
      yield* TestClock.adjust("11 seconds")
      yield* lose(world)
      world.answer = Effect.delay(Effect.succeed(2), "1 second")
      expect(yield* meta(a)).toMatchObject({
        value: 1,
        freshness: { _tag: "Stale", grace: "revalidate" },
      })
      yield* TestClock.adjust("1 second")
      expect(yield* meta(a)).toMatchObject({ value: 2, freshness: { _tag: "Fresh" } })
      expect(world.asked).toBe(2)
    }))

  test("is confirmed once for all its callers", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      yield* a.get("k")
      yield* lose(world)
      const asked = [a.get("k"), a.get("k"), Effect.map(a.getMany(["k"]), () => 1), a.get("k")]
      expect(yield* atOnce(Effect.all(asked, { concurrency: "unbounded" }))).toEqual([1, 1, 1, 1])
      expect(world.script.trips()).toEqual(["versions"])
    }))

  test("does not hold up keys of the same getMany that are not suspect", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      yield* a.getMany(["k", "l"])
      yield* lose(world)
      yield* a.get("l")
      world.script.instead.versions = () => () => Effect.never
      const many = yield* fork(a.getMany(["k", "l", "m"]))
      yield* TestClock.adjust(0)
      expect(world.asked).toBe(3)
      yield* TestClock.adjust("1 second")
      expect([...(yield* Fiber.join(many)).values()].every(Exit.isSuccess)).toBe(true)
      expect(world.asked).toBe(3)
    }))

  test("of which the caller accepts none, or none so old, is not asked for", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      yield* a.get("k")
      yield* TestClock.adjust(1_000)
      yield* lose(world)
      world.answer = Effect.succeed(2)
      expect(yield* atOnce(a.get("k", { maxAge: 500 }))).toBe(2)
      expect(world.script.trips()).not.toContain("versions")
    }))

  test("is looked up by a refresh, which asks for no version", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      yield* a.get("k")
      yield* lose(world)
      world.answer = Effect.succeed(2)
      expect(yield* atOnce(a.refresh("k"))).toBe(2)
      expect(world.script.trips()).not.toContain("versions")
    }))

  test("is read where the store tells no versions", (world) =>
    Effect.gen(function* () {
      world.script.isWithoutVersions = true
      const a = yield* world.node()
      yield* a.get("k")
      yield* lose(world)
      expect(yield* meta(a)).toMatchObject({ value: 1, tier: "shared" })
      expect(world.script.trips()).toEqual(["read"])
    }))

  test("counts as confirmed for maxFreshFor from the request on", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node({ memory: { maxFreshFor: 1_000 } })
      yield* a.get("k")
      yield* TestClock.adjust(900)
      yield* lose(world)
      yield* TestClock.adjust(10)
      yield* meta(a)
      world.script.trips()
      // The marks were read when the gap began.
      yield* TestClock.adjust(989)
      expect(yield* a.get("k")).toBe(1)
      expect(world.script.trips()).toEqual([])
      yield* TestClock.adjust(1)
      yield* meta(a)
      expect(world.script.trips()).toEqual(["read", "marks"])
    }))

  test("whose version this node chose by itself is read, whatever version the arbiter has", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      world.script.instead.acquire = () => () => Effect.never
      world.script.instead.read = () => () => Effect.never
      const caller = yield* fork(a.get("k"))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(caller)
      world.script.instead = {}
      const own = (yield* a.read("k")).entry?.version ?? 0
      yield* lose(world)
      world.script.instead.versions = () => (keys) =>
        Effect.succeed(keys.map(() => ({ version: own, isValue: true })))
      world.answer = Effect.succeed(2)
      yield* TestClock.adjust("1 minute")
      expect(yield* meta(a)).toMatchObject({ value: 2 })
      expect(world.script.trips()).not.toContain("versions")
    }))
})

describe("while the version is on its way", () => {
  /** A node that asks for the version of a suspect entry, whose answer takes 50 ms. */
  const asking = (world: World) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      const b = yield* world.node()
      yield* a.get("k")
      yield* lose(world)
      world.script.instead.versions =
        (versions) =>
        (...args) =>
          Effect.tap(versions(...args), Effect.sleep(50))
      const caller = yield* fork(a.getWithMeta("k"))
      yield* TestClock.adjust(10)
      world.script.trips()
      return { a, b, caller }
    })

  test("a message of a newer version comes: the older one does not become fresh again", (world) =>
    Effect.gen(function* () {
      const { a, b, caller } = yield* asking(world)
      yield* b.set("k", 2)
      yield* TestClock.adjust(40)
      expect(yield* Fiber.join(caller)).toMatchObject({ value: 2 })
      expect(yield* meta(a)).toMatchObject({ value: 2 })
    }))

  test("a message of a removal comes: nobody gets the value", (world) =>
    Effect.gen(function* () {
      const { a, b, caller } = yield* asking(world)
      world.answer = Effect.fail("down")
      yield* b.remove("k")
      yield* TestClock.adjust(40)
      expect(yield* Effect.exit(Fiber.join(caller))).toEqual(Exit.fail("down"))
      expect(yield* atOnce(Effect.exit(a.get("k")))).toEqual(Exit.fail("down"))
    }))

  test("a gap begins: the answer, from before it, confirms nothing", (world) =>
    Effect.gen(function* () {
      const { a, b, caller } = yield* asking(world)
      world.script.isLosing = true
      yield* b.set("k", 2)
      yield* report(world, false)
      yield* TestClock.adjust(40)
      expect(yield* Fiber.join(caller)).toMatchObject({ value: 2 })
      expect(world.script.trips()).toContain("read")
      yield* TestClock.adjust(50)
      expect(yield* meta(a)).toMatchObject({ value: 2 })
    }))

  test("a change of this node comes: its value stays", (world) =>
    Effect.gen(function* () {
      const { a, caller } = yield* asking(world)
      yield* a.set("k", 2)
      yield* TestClock.adjust(40)
      yield* Fiber.join(caller)
      expect(yield* meta(a)).toMatchObject({ value: 2, freshness: { _tag: "Fresh" } })
    }))

  test("a mark of this node comes: the value is not fresh", (world) =>
    Effect.gen(function* () {
      const { a, caller } = yield* asking(world)
      world.answer = Effect.succeed(2)
      yield* a.invalidateTags(["t"])
      yield* TestClock.adjust(40)
      expect(yield* Fiber.join(caller)).toMatchObject({ value: 2 })
    }))

  test("law 8: its only caller leaves, and nothing goes on", (world) =>
    Effect.gen(function* () {
      const { a, caller } = yield* asking(world)
      yield* Fiber.interrupt(caller)
      yield* TestClock.adjust("1 second")
      expect(world.script.trips()).toEqual([])
      expect((yield* a.stats).inFlight).toBe(0)
    }))

  test("law 8: one of its callers leaves, and another one gets the value", (world) =>
    Effect.gen(function* () {
      const { a, caller } = yield* asking(world)
      const other = yield* fork(a.get("k"))
      yield* Fiber.interrupt(caller)
      yield* TestClock.adjust(40)
      expect(yield* Fiber.join(other)).toBe(1)
      expect(world.script.trips()).toEqual([])
    }))

  test("law 22: the larder closes: its callers get LarderClosed, and nothing is asked afterwards", (world) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const a = yield* Scope.provide(world.node(), scope)
      yield* a.get("k")
      yield* lose(world)
      world.script.instead.versions = () => () => Effect.never
      const caller = yield* fork(a.get("k"))
      yield* TestClock.adjust(10)
      yield* report(world, true)
      world.script.trips()
      yield* Scope.close(scope, Exit.void)
      expect(yield* Effect.exit(Fiber.join(caller))).toMatchObject({
        cause: { reasons: [{ _tag: "Die", defect: { _tag: "LarderClosed" } }] },
      })
      yield* TestClock.adjust("1 minute")
      expect(world.script.trips()).toEqual([])
    }))
})

test("law 14: the request for the version is a part of tierBudget", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    yield* a.get("k")
    yield* lose(world)
    world.script.instead.versions = () => () => Effect.never
    world.script.instead.read = () => (keys) =>
      Effect.delay(Effect.succeed(keys.map(() => undefined)), 90)
    world.answer = Effect.succeed(2)
    const caller = yield* fork(a.get("k"))
    yield* TestClock.adjust("1 second")
    expect(yield* Fiber.join(caller)).toBe(2)
    // Too little of it is left for a lease.
    expect(world.script.trips()).not.toContain("acquire")
  }))

test("a second gap makes a confirmed entry suspect again", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node()
    yield* a.get("k")
    for (let i = 0; i < 2; i++) {
      yield* lose(world)
      yield* meta(a)
      expect(world.script.trips()).toEqual(["versions"])
    }
    expect(world.asked).toBe(1)
  }))

/** A node with so many suspect entries, of one version, and a caller of all of them. */
const many = (world: World, count: number) =>
  Effect.gen(function* () {
    const a = yield* world.node({ memory: { maxEntries: 200_000 } })
    yield* a.get("k0")
    const held = world.near!.peek("k0")!
    const keys = Array.from({ length: count }, (_, i) => `k${i}`)
    const stamp = { until: 0, checkedAt: -1 }
    for (const key of keys) world.near!.put({ ...held, key }, 1, stamp, 0)
    const stored = { version: held.entry.version, isValue: true }
    world.script.instead.versions = () => (asked) => Effect.succeed(asked.map(() => stored))
    yield* lose(world)
    const caller = yield* fork(a.getMany(keys))
    while (caller.pollUnsafe() === undefined) {
      yield* Effect.yieldNow
      yield* TestClock.adjust(1)
    }
    const found = yield* Fiber.join(caller)
    expect([found.size, [...found.values()].every(Exit.isSuccess)]).toEqual([count, true])
    return a
  })

test(
  "law 19: 100,000 suspect entries: at most 10,000 header reads a second, and no lookup",
  (world) =>
    Effect.gen(function* () {
      const a = yield* many(world, 100_000)
      const sent = world.script.of("versions")
      expect(sent.reduce((sum, { args }) => sum + args[0].length, 0)).toBe(100_000)
      let first = 0
      let within = 0
      let most = 0
      for (const { args, at } of sent) {
        within += args[0].length
        for (; sent[first]!.at <= at - 1_000; first++) within -= sent[first]!.args[0].length
        most = Math.max(most, within)
      }
      expect(most).toBeLessThanOrEqual(10_000)
      expect(most).toBeGreaterThan(9_000)
      expect(world.asked).toBe(1)
      expect(new Set(world.script.trips().filter((trip) => trip !== "marks"))).toEqual(
        new Set(["versions"]),
      )
      expect(yield* a.get("k99999")).toBe(1)
    }),
  60_000,
)

test("law 9: the wait for the turn of a key is a part of the wait for a lease", (world) =>
  Effect.gen(function* () {
    const a = yield* world.node({
      memory: { maxEntries: 10_000 },
      policy: { hardTimeout: "1 second" },
    })
    yield* a.get("k0")
    const held = world.near!.peek("k0")!
    const keys = Array.from({ length: 5_000 }, (_, i) => `k${i}`)
    for (const key of keys) {
      world.near!.put({ ...held, key }, 1, { until: 0, checkedAt: -1 }, 0)
    }
    const { version } = held.entry
    world.script.instead.versions = () => (asked) =>
      Effect.succeed(
        asked.map((key) => ({ version: key === "k4999" ? version + 1 : version, isValue: true })),
      )
    const busy = { _tag: "Busy", leftMillis: 10_000 } as const
    world.script.instead.acquireAll = () => (requests) => Effect.succeed(requests.map(() => busy))
    world.script.instead.acquire = (acquire) => (key, request) =>
      request.force ? acquire(key, request) : Effect.succeed(busy)
    yield* lose(world)
    const began = yield* Clock.currentTimeMillis
    for (let i = 0; i < 5_000; i += 1_000) yield* fork(a.getMany(keys.slice(i, i + 1_000)))
    while (!world.script.of("acquire").some(({ args }) => args[1].force)) {
      yield* settled
      yield* TestClock.adjust(5)
    }
    // The turn comes after 400 ms, of which `tierTimeout` is the trip's.
    const forced = world.script.of("acquire").find(({ args }) => args[1].force)!
    expect(forced.at - began).toBeGreaterThan(1_000)
    expect(forced.at - began).toBeLessThan(1_150)
  }))

describe("when messages arrive again", () => {
  const again = (world: World) => report(world, true)

  test("hot keys are confirmed before callers ask, the hottest first, after a random delay", (world) =>
    Effect.gen(function* () {
      world.chance = 0.5
      const a = yield* world.node({ memory: { maxEntries: 2_000 } })
      const keys = Array.from({ length: 1_500 }, (_, i) => `k${i}`)
      yield* a.getMany(keys)
      yield* lose(world)
      yield* again(world)
      yield* TestClock.adjust(499)
      expect(world.script.trips()).not.toContain("versions")
      yield* TestClock.adjust(1)
      for (let i = 0; i < 10; i++) yield* settled
      const sent = world.script.of("versions")
      expect(sent.flatMap(({ args }) => args[0]).length).toBe(1_000)
      expect(sent.map(({ args }) => args[0].length)).toEqual([250, 250, 250, 250])
      const [hottest] = sent[0]!.args[0]
      world.script.trips()
      expect(yield* a.get(hottest!)).toBe(1)
      expect(world.script.trips()).toEqual([])
      expect(world.asked).toBe(1_500)
    }))

  test("also after a hole in the chain of marks", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      const b = yield* world.node()
      yield* a.get("k")
      world.script.isLosing = true
      yield* b.invalidateTags(["other"])
      yield* settled
      world.script.isLosing = false
      yield* b.invalidateTags(["another"])
      yield* settled
      expect((yield* a.stats).gaps).toBe(1)
      yield* TestClock.adjust(1)
      yield* settled
      world.script.trips()
      expect(yield* a.get("k")).toBe(1)
      expect(world.script.trips()).toEqual([])
    }))

  test("once, however many gaps end meanwhile", (world) =>
    Effect.gen(function* () {
      world.chance = 0.5
      const a = yield* world.node()
      yield* a.get("k")
      yield* lose(world)
      yield* again(world)
      yield* TestClock.adjust(100)
      yield* again(world)
      yield* TestClock.adjust(400)
      expect(world.script.of("versions").length).toBe(1)
      yield* TestClock.adjust("1 minute")
      expect(world.script.of("versions").length).toBe(1)
      expect(yield* a.get("k")).toBe(1)
    }))

  test("but a removed key is not brought back, and a changed one is not made fresh", (world) =>
    Effect.gen(function* () {
      const a = yield* world.node()
      const b = yield* world.node()
      yield* a.getMany(["k", "l"])
      world.script.isLosing = true
      yield* b.remove("k")
      yield* b.set("l", 2)
      yield* again(world)
      yield* TestClock.adjust(10)
      yield* settled
      world.answer = Effect.fail("down")
      expect(yield* atOnce(Effect.exit(a.get("k")))).toEqual(Exit.fail("down"))
      expect(yield* atOnce(a.get("l"))).toBe(2)
    }))

  test("an older entry is not confirmed while a newer value is on its way to the arbiter", (world) =>
    Effect.gen(function* () {
      world.chance = 0.5
      const a = yield* world.node()
      yield* a.get("k")
      yield* lose(world)
      yield* again(world)
      yield* TestClock.adjust(480)
      world.answer = Effect.succeed(2)
      world.script.instead.commit = scripted.slowly(50)
      expect(yield* atOnce(a.refresh("k"))).toBe(2)
      yield* TestClock.adjust(30)
      yield* settled
      const got = [yield* atOnce(a.get("k")), yield* atOnce(a.get("k"))]
      yield* TestClock.adjust("1 second")
      expect(got).toEqual([2, 2])
    }))

  test("nothing is asked by a node without entries, or over a store that tells no versions", (world) =>
    Effect.gen(function* () {
      const empty = yield* world.node()
      yield* again(world)
      yield* TestClock.adjust("2 seconds")
      expect(world.script.of("versions")).toEqual([])
      world.script.isWithoutVersions = true
      const a = yield* world.node()
      yield* a.get("k")
      yield* again(world)
      yield* TestClock.adjust("2 seconds")
      expect(world.script.of("versions")).toEqual([])
      expect((yield* empty.stats).lookups).toBe(0)
    }))
})
