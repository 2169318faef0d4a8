/** What nodes that share an arbiter hear of each other's changes: the cases of everyday use. */
import { expect } from "@effect/vitest"
import { type Larder, MemoryTier, type Tier, TierStack } from "@larder/core"
import { Clock, Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, wayToShared } from "./support/faultyTier.ts"
import { fork, make, source, start, test } from "./support/nodes.ts"

type Node = Larder.Larder<string, number, string>

/** Messages that have arrived are applied in the turns after. */
const heard = Effect.forEach(Array.from({ length: 4 }), () => Effect.yieldNow, { discard: true })

const fresh = { _tag: "Fresh" }
const staleError = { _tag: "Stale", grace: "error" }
const missing = { _tag: "Missing" }

const built = (layer: Layer.Layer<Tier.Tier>) =>
  Effect.map(Layer.build(layer), (context) => Layer.succeedContext(context))

const skewed = (millis: number) =>
  Effect.map(Effect.clockWith(Effect.succeed), (clock): Clock.Clock => ({
    ...clock,
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + millis,
    currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + millis),
  }))

type Options = Parameters<typeof make>[2] & { readonly skewMillis?: number }

/** A shared tier, the source behind it, and a way to open nodes over it. */
const world = (options: Parameters<typeof MemoryTier.layerSharedWith>[0] = {}) =>
  Effect.gen(function* () {
    yield* start
    const shared = yield* built(MemoryTier.layerSharedWith(options))
    const from = source(Effect.succeed(1))
    const node = ({ skewMillis = 0, ...own }: Options = {}) =>
      Effect.gen(function* () {
        const faults = new Faults()
        const stack = TierStack.layer(MemoryTier.layer(), wayToShared(faults, shared))
        const clock = yield* skewed(skewMillis)
        const larder = yield* Effect.provideService(make(from, stack, own), Clock.Clock, clock)
        return { larder, faults }
      })
    return { from, node, shared }
  })

/** Two nodes that hold the value 1 of the key k. */
const two = (own: Options = {}) =>
  Effect.gen(function* () {
    const { from, node, shared } = yield* world()
    const a = yield* node()
    const b = yield* node(own)
    yield* a.larder.get("k")
    expect(yield* b.larder.get("k")).toBe(1)
    yield* heard
    from.asked = 0
    return {
      from,
      node,
      a: a.larder,
      b: b.larder,
      faultsOfA: a.faults,
      faultsOfB: b.faults,
      shared,
    }
  })

for (const skewMillis of [0, 300_000, -300_000]) {
  const clock = skewMillis === 0 ? "" : `, B's clock ${skewMillis} ms off`

  test(
    `law 18: A and B hold v1, A sets v2: B's next read is v2, upstream is not asked${clock}`,
    Effect.gen(function* () {
      const { a, b, from } = yield* two({ skewMillis })
      expect((yield* a.set("k", 2)).settled).toBe(true)
      yield* heard
      expect(yield* b.get("k")).toBe(2)
      expect(yield* b.getWithMeta("k")).toMatchObject({ value: 2, freshness: fresh })
      expect(from.asked).toBe(0)
    }),
  )

  test(
    `law 18: A looks a newer value up: B's next read is that value${clock}`,
    Effect.gen(function* () {
      const { a, b, from } = yield* two({ skewMillis })
      from.answer = () => Effect.succeed(2)
      expect(yield* a.refresh("k")).toBe(2)
      yield* TestClock.adjust(0)
      expect(yield* b.get("k")).toBe(2)
      expect(from.asked).toBe(1)
    }),
  )

  test(
    `law 12: A removes: B misses, also when upstream fails${clock}`,
    Effect.gen(function* () {
      const { a, b, from } = yield* two({ skewMillis })
      expect((yield* a.remove("k")).settled).toBe(true)
      yield* heard
      expect((yield* b.read("k")).freshness).toEqual(missing)
      from.answer = () => Effect.fail("down")
      expect(yield* Effect.exit(b.get("k"))).toEqual(Exit.fail("down"))
    }),
  )

  test(
    `law 12: A expires: B serves the stale value only if upstream fails${clock}`,
    Effect.gen(function* () {
      const { a, b, from } = yield* two({ skewMillis })
      expect((yield* a.expire("k")).settled).toBe(true)
      yield* heard
      expect(yield* b.read("k")).toMatchObject({ freshness: staleError, entry: { value: 1 } })
      from.answer = () => Effect.fail("down")
      expect(yield* b.get("k")).toBe(1)
      yield* TestClock.adjust("2 seconds")
      from.answer = () => Effect.succeed(2)
      expect(yield* b.get("k")).toBe(2)
    }),
  )

  test(
    `law 11: B's read of the shared tier is under way with v1 when the change to v2 is delivered: B does not keep v1 as fresh${clock}`,
    Effect.gen(function* () {
      const { from, node } = yield* world()
      const { larder: a } = yield* node()
      const { faults, larder: b } = yield* node({ skewMillis })
      yield* a.get("k")
      yield* b.get("other")
      from.asked = 0
      faults.turn("slowAfter", "reads")
      const reading = yield* fork(b.get("k"))
      yield* TestClock.adjust(10)
      expect((yield* a.set("k", 2)).settled).toBe(true)
      yield* TestClock.adjust(10)
      faults.turn("none", "all")
      yield* TestClock.adjust(100)
      yield* Fiber.join(reading)
      expect(yield* b.getWithMeta("k")).toMatchObject({ value: 2, freshness: fresh })
    }),
  )

  test(
    `law 11: A removes while B looks up: B's callers get the value, and it is kept nowhere${clock}`,
    Effect.gen(function* () {
      const { from, node } = yield* world()
      const { larder: a } = yield* node()
      const { larder: b } = yield* node({ skewMillis })
      from.answer = () => Effect.delay(Effect.succeed(1), 100)
      const looking = yield* fork(b.get("k"))
      yield* TestClock.adjust(50)
      expect((yield* a.remove("k")).settled).toBe(true)
      yield* heard
      from.answer = () => Effect.delay(Effect.succeed(2), 10)
      const later = yield* fork(b.get("k"))
      yield* TestClock.adjust(10)
      // A caller after the message does not wait for the older lookup.
      expect(yield* Fiber.join(later)).toBe(2)
      yield* TestClock.adjust(40)
      expect(yield* Fiber.join(looking)).toBe(1)
      expect(yield* a.get("k")).toBe(2)
      expect(yield* b.getWithMeta("k")).toMatchObject({ value: 2, freshness: fresh })
      expect(from.asked).toBe(2)
    }),
  )
}

test(
  "a message about a key that a node does not hold makes it read no tier",
  Effect.gen(function* () {
    const { a, node } = yield* two()
    const { faults } = yield* node()
    yield* heard
    faults.trips.length = 0
    yield* a.set("k", 2)
    yield* a.remove("k")
    yield* a.expire("k")
    yield* TestClock.adjust("1 second")
    expect(faults.trips).toEqual([])
  }),
)

test(
  "a message about an entry that a node has got already changes nothing: its next read is a plain hit",
  Effect.gen(function* () {
    const { a, b, faultsOfA, faultsOfB } = yield* two()
    yield* a.set("k", 2)
    yield* heard
    yield* b.get("k")
    for (const faults of [faultsOfA, faultsOfB]) faults.trips.length = 0
    expect([yield* a.get("k"), yield* b.get("k")]).toEqual([2, 2])
    expect([...faultsOfA.trips, ...faultsOfB.trips]).toEqual([])
  }),
)

test(
  "a failure that B remembers is forgotten when A has a value",
  Effect.gen(function* () {
    const { from, node } = yield* world()
    const failureFor = () => 60_000
    const { larder: a } = yield* node({ failureFor })
    const { larder: b } = yield* node({ failureFor })
    from.answer = () => Effect.fail("down")
    expect(yield* Effect.exit(b.get("k"))).toEqual(Exit.fail("down"))
    yield* a.set("k", 2)
    yield* heard
    expect(yield* b.get("k")).toBe(2)
  }),
)

test(
  "law 18: a read of B that began before the message is not shared by readers after it",
  Effect.gen(function* () {
    const { from, node } = yield* world()
    const { larder: a } = yield* node()
    const { faults, larder: b } = yield* node()
    yield* a.get("k")
    yield* b.get("other")
    from.asked = 0
    faults.turn("slowAfter", "reads")
    const before = yield* fork(b.read("k"))
    yield* TestClock.adjust(10)
    yield* a.set("k", 2)
    yield* TestClock.adjust(0)
    const after = yield* fork(b.read("k"))
    yield* TestClock.adjust(200)
    yield* Fiber.join(before)
    expect(yield* Fiber.join(after)).toMatchObject({ freshness: fresh, entry: { value: 2 } })
  }),
)

test(
  "law 13: A and B set the same key: both have the value that the arbiter has",
  Effect.gen(function* () {
    const { a, b, faultsOfA, node } = yield* two()
    // The answer to A's change takes longer than B's change and its message.
    faultsOfA.turn("slowAfter", "writes")
    const setting = yield* fork(a.set("k", 2))
    yield* TestClock.adjust(10)
    yield* b.set("k", 3)
    yield* TestClock.adjust(100)
    faultsOfA.turn("none", "all")
    yield* Fiber.join(setting)
    const { larder: c } = yield* node()
    expect([yield* a.get("k"), yield* b.get("k"), yield* c.get("k")]).toEqual([3, 3, 3])
  }),
)

test(
  "law 18: A hears of B's later set before the answer to its own one: the file of A does not serve its value as fresh",
  Effect.gen(function* () {
    const { from, shared } = yield* world()
    const file = yield* built(fileLayer(new Faults()))
    const way = new Faults()
    const stackOfA = TierStack.layer(MemoryTier.layer(), file, wayToShared(way, shared))
    const a = yield* make(from, stackOfA)
    const b = yield* make(from, TierStack.layer(MemoryTier.layer(), shared))
    yield* a.get("other")
    way.turn("slowAfter", "writes")
    const setting = yield* fork(a.set("k", 2))
    yield* TestClock.adjust(10)
    yield* b.set("k", 3)
    yield* TestClock.adjust(100)
    yield* Fiber.join(setting)
    expect([yield* a.get("k"), yield* b.get("k")]).toEqual([3, 3])
    // So it is with a value that A sets in the background.
    const c = yield* make(from, stackOfA, { policy: { tierWrites: "background" } })
    yield* c.get("other")
    yield* TestClock.adjust(1)
    yield* c.set("k", 4)
    yield* TestClock.adjust(10)
    yield* b.set("k", 5)
    yield* TestClock.adjust(100)
    expect([yield* c.get("k"), yield* b.get("k")]).toEqual([5, 5])
  }),
)

test(
  "law 18: a value that B has set in the background is not fresh once A's later change is delivered",
  Effect.gen(function* () {
    const { from, node } = yield* world()
    const { larder: a } = yield* node()
    const { faults, larder: b } = yield* node({ policy: { tierWrites: "background" } })
    yield* b.get("other")
    yield* TestClock.adjust(5)
    from.asked = 0
    faults.turn("hang", "writes")
    yield* b.set("k", 2)
    yield* TestClock.adjust(5)
    expect((yield* a.set("k", 3)).settled).toBe(true)
    yield* heard
    expect(yield* b.read("k")).toMatchObject({ freshness: fresh, entry: { value: 3 } })
    expect(yield* b.getWithMeta("k")).toMatchObject({ value: 3, freshness: fresh })
    expect(from.asked).toBe(0)
    faults.turn("none", "all")
    yield* TestClock.adjust("2 seconds")
    expect([yield* a.get("k"), yield* b.get("k")]).toEqual([3, 3])
  }),
)

test(
  "law 12: nor is it served at all once A's later removal is delivered",
  Effect.gen(function* () {
    const { from, node } = yield* world()
    const { larder: a } = yield* node()
    const { faults, larder: b } = yield* node({ policy: { tierWrites: "background" } })
    yield* b.get("other")
    yield* TestClock.adjust(5)
    faults.turn("fail", "writes")
    yield* b.set("k", 2)
    yield* TestClock.adjust(5)
    expect((yield* a.remove("k")).settled).toBe(true)
    yield* heard
    from.answer = () => Effect.fail("down")
    expect(yield* Effect.exit(b.get("k"))).toEqual(Exit.fail("down"))
    expect((yield* b.read("k")).freshness).toEqual(missing)
    faults.turn("none", "all")
    yield* TestClock.adjust("2 seconds")
    expect((yield* a.read("k")).freshness).toEqual(missing)
  }),
)

test(
  "law 3: a caller after the message who joins an older call does not get its value in revalidate grace",
  Effect.gen(function* () {
    const { from, node } = yield* world()
    const policy = { freshFor: "1 second", staleWhileRevalidate: "1 hour" } as const
    const { larder: a } = yield* node({ policy })
    const { faults, larder: b } = yield* node({ policy })
    yield* b.get("k")
    yield* TestClock.adjust("2 seconds")
    from.asked = 0
    faults.turn("slow", "reads")
    const older = yield* fork(b.get("k", { maxAge: 0 }))
    yield* TestClock.adjust(10)
    yield* a.set("k", 2)
    yield* heard
    const later = yield* fork(b.getWithMeta("k"))
    yield* TestClock.adjust(100)
    yield* Fiber.join(older)
    expect(yield* Fiber.join(later)).toMatchObject({ value: 2, freshness: fresh })
    expect(from.asked).toBe(0)
  }),
)

test(
  "law 19: a snapshot of memory says of what B may have missed that it is stale",
  Effect.gen(function* () {
    let isCut = false
    const network = { deliver: () => (isCut ? [] : [0]) }
    const { node } = yield* world({ heartbeat: 100, network })
    const { larder: b } = yield* node({ policy: { freshFor: "1 hour" } })
    yield* b.get("k")
    const freshness = Effect.map(b.entries, ([first]) => first?.freshness)
    expect(yield* freshness).toEqual(fresh)
    isCut = true
    yield* TestClock.adjust(300)
    yield* heard
    expect(yield* freshness).toEqual(staleError)
  }),
)

test(
  "law 12: a value that B has set in the background is not served after A's removal, though the tier is away for B",
  Effect.gen(function* () {
    const { from, node } = yield* world()
    const { larder: a } = yield* node()
    const { faults, larder: b } = yield* node({ policy: { tierWrites: "background" } })
    yield* b.get("other")
    yield* TestClock.adjust(5)
    faults.turn("fail", "all")
    yield* b.set("k", 2)
    yield* TestClock.adjust(5)
    yield* a.remove("k")
    yield* heard
    from.answer = () => Effect.fail("down")
    expect((yield* b.read("k")).freshness).toEqual(missing)
    expect(yield* Effect.exit(b.get("k"))).toEqual(Exit.fail("down"))
    faults.turn("none", "all")
    yield* TestClock.adjust("20 seconds")
  }),
)

test(
  "law 13: B sets in the background before it knows the tier's time: its value may be the later one, and is served if upstream fails",
  Effect.gen(function* () {
    const { from, node } = yield* world()
    const { larder: a } = yield* node()
    const { faults, larder: b } = yield* node({ policy: { tierWrites: "background" } })
    faults.turn("fail", "all")
    yield* b.set("k", 2)
    yield* a.remove("k")
    yield* heard
    from.answer = () => Effect.fail("down")
    expect(yield* b.read("k")).toMatchObject({ freshness: staleError, entry: { value: 2 } })
    expect(yield* b.get("k")).toBe(2)
    faults.turn("none", "all")
    yield* TestClock.adjust("20 seconds")
  }),
)

test(
  "law 19: a value that B has set in the background before a gap is not fresh after it",
  Effect.gen(function* () {
    let isCut = false
    const { from, node } = yield* world({
      heartbeat: 100,
      network: { deliver: () => (isCut ? [] : [0]) },
    })
    const policy = { freshFor: "1 hour", tierWrites: "background" } as const
    const { faults, larder: b } = yield* node({ policy })
    yield* b.get("other")
    yield* TestClock.adjust(5)
    faults.turn("fail", "all")
    yield* b.set("k", 2)
    isCut = true
    yield* TestClock.adjust(300)
    yield* heard
    from.answer = () => Effect.fail("down")
    const read = yield* fork(b.read("k"))
    const got = yield* fork(b.getWithMeta("k"))
    yield* TestClock.adjust(500)
    expect(yield* Fiber.join(read)).toMatchObject({ freshness: staleError, entry: { value: 2 } })
    expect(yield* Fiber.join(got)).toMatchObject({ freshness: staleError, value: 2 })
    faults.turn("none", "all")
    yield* TestClock.adjust("20 seconds")
  }),
)

test(
  "law 18: over memory, file and shared tier, A's change reaches the file of B too",
  Effect.gen(function* () {
    const { from, shared } = yield* world()
    const file = yield* built(fileLayer(new Faults()))
    const stack = () => TierStack.layer(MemoryTier.layer({ maxEntries: 1 }), file, shared)
    const a = yield* make(from, TierStack.layer(MemoryTier.layer(), shared))
    const b = yield* make(from, stack())
    yield* b.get("k")
    yield* TestClock.adjust(0)
    // Only the file of B has the key now.
    yield* b.get("other")
    from.asked = 0
    yield* a.set("k", 2)
    yield* heard
    expect(yield* b.getWithMeta("k")).toMatchObject({ value: 2, tier: "shared" })
    yield* TestClock.adjust(0)
    yield* b.get("other")
    expect(yield* b.getWithMeta("k")).toMatchObject({ value: 2, tier: "file" })
    expect(from.asked).toBe(0)
  }),
)

for (const isOutdated of [false, true]) {
  test(
    `law 12: what A removes is not served from the file of B, though neither arbiter nor upstream answers${isOutdated ? ", and A has set it before" : ""}`,
    Effect.gen(function* () {
      const { from, shared } = yield* world()
      const file = yield* built(fileLayer(new Faults()))
      const way = new Faults()
      const stack = TierStack.layer(MemoryTier.layer(), file, wayToShared(way, shared))
      const a = yield* make(from, TierStack.layer(MemoryTier.layer(), shared))
      const b = yield* make(from, stack)
      yield* b.get("k")
      yield* TestClock.adjust(0)
      if (isOutdated) yield* a.set("k", 2)
      yield* a.remove("k")
      yield* TestClock.adjust(0)
      way.turn("fail", "all")
      from.answer = () => Effect.fail("down")
      expect(yield* Effect.exit(b.get("k"))).toEqual(Exit.fail("down"))
      expect((yield* b.read("k")).freshness).toEqual(missing)
    }),
  )
}

test(
  "a removal of a key that the file of B does not have costs no step in the file",
  Effect.gen(function* () {
    const { from, shared } = yield* world()
    const faults = new Faults()
    const file = yield* built(fileLayer(faults))
    const a = yield* make(from, TierStack.layer(MemoryTier.layer(), shared))
    const b = yield* make(from, TierStack.layer(MemoryTier.layer(), file, shared))
    yield* b.get("other")
    yield* a.set("k", 2)
    yield* TestClock.adjust(0)
    faults.trips.length = 0
    yield* a.remove("k")
    yield* TestClock.adjust(0)
    expect(faults.trips).toEqual([])
  }),
)

const invalidations: Readonly<Record<string, (node: Node) => Effect.Effect<Larder.Ack>>> = {
  "invalidates the tag x": (node) => node.invalidateTags(["x"]),
  clears: (node) => node.clear(),
}

for (const [words, invalidate] of Object.entries(invalidations)) {
  test(
    `law 12: A ${words}: entries miss on A and B at once, for one write, and are served if upstream fails`,
    Effect.gen(function* () {
      const { from, node } = yield* world()
      const options = { tags: (_: number, key: string) => [key.slice(0, 1)] }
      const { faults, larder: a } = yield* node(options)
      const { faults: faultsOfB, larder: b } = yield* node(options)
      for (const larder of [a, b]) yield* larder.getMany(["x1", "x2", "y"])
      yield* TestClock.adjust(0)
      for (const { trips } of [faults, faultsOfB]) trips.length = 0
      expect((yield* invalidate(a)).settled).toBe(true)
      yield* heard
      expect(faults.trips).toEqual(["mark"])
      expect(faultsOfB.trips).toEqual([])
      from.answer = () => Effect.fail("down")
      for (const larder of [a, b]) {
        expect((yield* larder.read("x1")).freshness).toEqual(staleError)
        expect((yield* larder.read("y")).freshness).toEqual(words === "clears" ? staleError : fresh)
      }
      expect(yield* b.get("x1")).toBe(1)
      yield* TestClock.adjust("2 seconds")
      from.answer = () => Effect.succeed(2)
      expect(yield* b.get("x1")).toBe(2)
      expect(yield* a.get("x1")).toBe(2)
    }),
  )
}

test(
  "law 12: a clear of A that drops leaves B nothing, and does not touch another larder",
  Effect.gen(function* () {
    const { from, node } = yield* world()
    const { larder: a } = yield* node()
    const { larder: b } = yield* node()
    const { larder: another } = yield* node({ name: "another" })
    for (const larder of [a, b, another]) yield* larder.get("k")
    yield* a.clear({ keepStale: false })
    yield* heard
    from.answer = () => Effect.fail("down")
    expect(yield* Effect.exit(b.get("k"))).toEqual(Exit.fail("down"))
    expect(yield* another.getWithMeta("k")).toMatchObject({ value: 1, freshness: fresh })
  }),
)

test(
  "tags change with a refresh: on B too only the new ones count",
  Effect.gen(function* () {
    const { from, node } = yield* world()
    const options = { tags: (value: number) => [`v${value}`] }
    const { larder: a } = yield* node(options)
    const { larder: b } = yield* node(options)
    yield* b.get("k")
    from.answer = () => Effect.succeed(2)
    yield* a.refresh("k")
    yield* TestClock.adjust(0)
    yield* b.get("k")
    yield* a.invalidateTags(["v1"])
    yield* heard
    expect((yield* b.read("k")).freshness).toEqual(fresh)
    yield* a.invalidateTags(["v2"])
    yield* heard
    expect((yield* b.read("k")).freshness).toEqual(staleError)
  }),
)

test(
  "law 19: A's last message is lost: B suspects within three heartbeats, and confirms with the shared tier",
  Effect.gen(function* () {
    let isCut = false
    const { from, node } = yield* world({
      heartbeat: 100,
      network: { deliver: (_, { number }) => (isCut && number === 2 ? [] : [0]) },
    })
    const policy = { freshFor: "1 hour" } as const
    const { larder: a } = yield* node({ policy })
    const { larder: b } = yield* node({ policy })
    yield* a.getMany(["k", "same"])
    yield* b.getMany(["k", "same"])
    isCut = true
    from.asked = 0
    expect((yield* a.set("k", 2)).settled).toBe(true)
    yield* TestClock.adjust(300)
    expect((yield* b.stats).gaps).toBe(1)
    expect(yield* b.getWithMeta("k")).toMatchObject({ value: 2, freshness: fresh })
    expect(yield* b.getWithMeta("same")).toMatchObject({ value: 1, freshness: fresh })
    expect(from.asked).toBe(0)
  }),
)

test(
  "law 19: B's read is under way with v1 when a gap begins: B does not keep v1 as fresh",
  Effect.gen(function* () {
    let isCut = false
    const { from, node } = yield* world({
      heartbeat: 100,
      network: { deliver: (_, { number }) => (isCut && number === 2 ? [] : [0]) },
    })
    const policy = { freshFor: "1 hour" } as const
    const { larder: a } = yield* node({ policy })
    const { faults, larder: b } = yield* node({ policy })
    yield* a.get("k")
    yield* b.get("other")
    isCut = true
    yield* TestClock.adjust(280)
    faults.turn("slowAfter", "reads")
    const reading = yield* fork(b.get("k"))
    yield* TestClock.adjust(10)
    yield* a.set("k", 2)
    from.asked = 0
    yield* TestClock.adjust(200)
    yield* Fiber.join(reading)
    expect((yield* b.stats).gaps).toBe(1)
    // The marks that were asked for when the gap began arrive.
    yield* TestClock.adjust(50)
    faults.turn("none", "all")
    expect(yield* b.getWithMeta("k")).toMatchObject({ value: 2, freshness: fresh })
    expect(from.asked).toBe(0)
  }),
)

test(
  "law 19: what B may have missed is served if neither the shared tier nor upstream answers",
  Effect.gen(function* () {
    let isCut = false
    const { from, node } = yield* world({
      heartbeat: 100,
      network: { deliver: () => (isCut ? [] : [0]) },
    })
    const policy = { freshFor: "1 hour" } as const
    const { faults, larder: b } = yield* node({ policy })
    yield* b.get("k")
    isCut = true
    yield* TestClock.adjust(300)
    yield* heard
    faults.turn("fail", "all")
    from.answer = () => Effect.fail("down")
    expect(yield* b.getWithMeta("k")).toMatchObject({ value: 1, freshness: staleError })
  }),
)

test(
  "law 15: A's write fails: B keeps its value; when the tier is back, it holds A's value or none, and B has heard",
  Effect.gen(function* () {
    const { a, b, faultsOfA, from } = yield* two()
    faultsOfA.turn("fail", "writes")
    expect((yield* a.set("k", 2)).settled).toBe(false)
    yield* heard
    expect(yield* b.getWithMeta("k")).toMatchObject({ value: 1, freshness: fresh })
    from.answer = () => Effect.succeed(3)
    faultsOfA.turn("none", "all")
    yield* TestClock.adjust("9 seconds")
    const { value } = yield* b.getWithMeta("k")
    expect([2, 3]).toContain(value)
    yield* heard
    expect([yield* a.get("k"), yield* b.get("k")]).toEqual([value, value])
  }),
)

/** A value of the source's own for each lookup. */
const counting = (from: ReturnType<typeof source>) => {
  from.answer = () => Effect.succeed(from.asked)
}

/** What both nodes give as fresh, in this moment. */
const given = (key: string, ...nodes: ReadonlyArray<Node>) =>
  Effect.forEach(nodes, (node) => node.get(key))

/** `knows`: B has read the tier's clock before, so that its own value has the higher version. */
for (const knows of [false, true]) {
  test(
    `nodes agree again soon after the tier did not answer one of them, without a gap${knows ? ", on the newer value" : ""}`,
    Effect.gen(function* () {
      const { from, node } = yield* world()
      counting(from)
      const policy = { freshFor: "1 hour" } as const
      const [a, b] = [yield* node({ policy }), yield* node({ policy })]
      if (knows) yield* b.larder.get("another")
      yield* a.larder.get("k")
      yield* TestClock.adjust("1 second")
      b.faults.turn("hang", "all")
      from.asked = 10
      const alone = yield* fork(b.larder.get("k"))
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(alone)).toBe(11)
      // As long as the tier does not answer, the value is fresh here.
      yield* TestClock.adjust("4 seconds")
      expect(yield* b.larder.get("k")).toBe(11)
      expect(from.asked).toBe(11)
      b.faults.turn("none", "all")
      from.asked = 20
      yield* TestClock.adjust("30 seconds")
      yield* b.larder.get("other")
      expect(from.asked).toBe(21)
      yield* TestClock.adjust("2 seconds")
      const both = yield* given("k", b.larder, a.larder)
      expect(both).toEqual(knows ? [22, 22] : [1, 1])
      expect(yield* given("k", a.larder, b.larder)).toEqual(both)
      expect(from.asked).toBe(knows ? 22 : 21)
    }),
  )
}

test(
  "a value looked up while the tier did not answer is still there when upstream fails after that",
  Effect.gen(function* () {
    const { from, node } = yield* world()
    counting(from)
    const b = yield* node({ policy: { freshFor: "1 hour", staleIfError: "1 hour" } })
    yield* b.larder.get("another")
    b.faults.turn("fail", "all")
    expect(yield* b.larder.get("k")).toBe(2)
    b.faults.turn("none", "all")
    yield* TestClock.adjust("30 seconds")
    yield* b.larder.get("other")
    yield* TestClock.adjust("2 seconds")
    from.answer = () => Effect.fail("down")
    const { freshness, value } = yield* b.larder.getWithMeta("k")
    expect([value, freshness]).toEqual([2, staleError])
  }),
)

test(
  "of more keys than are kept one by one, all are looked up anew once the tier answers",
  Effect.gen(function* () {
    const { from, node } = yield* world()
    counting(from)
    const b = yield* node({ policy: { freshFor: "1 hour" } })
    const keys = Array.from({ length: 1_050 }, (_, i) => `k${i}`)
    b.faults.turn("fail", "all")
    yield* Effect.forEach(keys, (key) => b.larder.get(key))
    b.faults.turn("none", "all")
    yield* TestClock.adjust("30 seconds")
    yield* b.larder.get("other")
    yield* TestClock.adjust("2 seconds")
    from.asked = 0
    yield* Effect.forEach(keys, (key) => b.larder.get(key))
    expect(from.asked).toBe(keys.length)
  }),
)
