/** Marks of another node that this one has not heard of, while it looks up, sets, or begins. */
import { expect } from "@effect/vitest"
import { type Larder, MemoryTier, TierStack } from "@larder/core"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { fork, make, source, test, tiers } from "./support/nodes.ts"

const options = {
  tags: () => ["t"],
  policy: { freshFor: "1 hour", staleIfError: "1 hour" },
} as const

const nodes = Effect.gen(function* () {
  const { faults, file, shared } = yield* tiers
  const from = source(Effect.succeed(1))
  const stack = () => TierStack.layer(MemoryTier.layer(), shared)
  return {
    a: yield* make(from, stack(), options),
    b: yield* make(from, stack(), options),
    c: () => make(from, stack(), options),
    withRevision: () => make(from, stack(), { ...options, revision: (value) => value }),
    inBackground: () =>
      make(from, stack(), { ...options, policy: { ...options.policy, tierWrites: "background" } }),
    overFile: () => make(from, TierStack.layer(MemoryTier.layer(), file, shared), options),
    from,
    faults,
    shared,
  }
})

type Node = Larder.Larder<string, number, string>

const marks: Readonly<Record<string, (node: Node) => Effect.Effect<Larder.Ack>>> = {
  "a tag": (node) => node.invalidateTags(["t"]),
  "a tag that drops": (node) => node.invalidateTags(["t"], { keepStale: false }),
  clear: (node) => node.clear(),
  "a clear that drops": (node) => node.clear({ keepStale: false }),
}

const lookups: Readonly<Record<string, (node: Node) => Effect.Effect<unknown, unknown>>> = {
  get: (node) => node.get("k"),
  getMany: (node) => node.getMany(["k"]),
  refresh: (node) => node.refresh("k"),
}

for (const [mark, invalidate] of Object.entries(marks)) {
  for (const [lookup, look] of Object.entries(lookups)) {
    test(
      `law 11: what ${lookup} began to look up before ${mark} of another node is not kept as fresh`,
      Effect.gen(function* () {
        const { a, b, from } = yield* nodes
        yield* b.get("other")
        from.answer = () => Effect.delay(Effect.succeed(1), 100)
        const looking = yield* fork(look(b))
        yield* TestClock.adjust(50)
        expect((yield* invalidate(a)).settled).toBe(true)
        yield* TestClock.adjust(50)
        yield* Fiber.join(looking)
        from.answer = () => Effect.succeed(2)
        expect(yield* b.get("k")).toBe(2)
      }),
    )
  }

  test(
    `law 13: what a node sets after ${mark} of another one is valid for all, and settled`,
    Effect.gen(function* () {
      const { a, b, c, from } = yield* nodes
      yield* b.get("other")
      yield* invalidate(a)
      expect((yield* b.set("k", 7)).settled).toBe(true)
      from.asked = 0
      expect(yield* b.get("k")).toBe(7)
      expect(yield* (yield* c()).get("k")).toBe(7)
      expect(yield* a.get("k")).toBe(7)
      expect(from.asked).toBe(0)
    }),
  )

  test(
    `law 13: so is what it sets with a revision after ${mark}`,
    Effect.gen(function* () {
      const { a, c, from, withRevision } = yield* nodes
      const b = yield* withRevision()
      yield* b.get("other")
      yield* invalidate(a)
      expect((yield* b.set("k", 7)).settled).toBe(true)
      from.asked = 0
      expect(yield* b.get("k")).toBe(7)
      expect(yield* (yield* c()).get("k")).toBe(7)
      expect(from.asked).toBe(0)
    }),
  )

  test(
    `law 13: so is what it sets in the background after ${mark}`,
    Effect.gen(function* () {
      const { a, c, from, inBackground } = yield* nodes
      const b = yield* inBackground()
      yield* b.get("other")
      yield* TestClock.adjust(5)
      yield* invalidate(a)
      yield* TestClock.adjust(5)
      yield* b.set("k", 7)
      yield* TestClock.adjust(5)
      from.asked = 0
      expect(yield* b.get("k")).toBe(7)
      expect(yield* (yield* c()).get("k")).toBe(7)
      expect(from.asked).toBe(0)
    }),
  )
}

test(
  "law 11: an invalidation covers what was set before it and is still on its way, though the tier's time was not known then",
  Effect.gen(function* () {
    const { a, c, faults, from, inBackground } = yield* nodes
    const b = yield* inBackground()
    faults.shared.turn("fail", "all")
    yield* b.set("k", 7)
    yield* TestClock.adjust(5)
    faults.shared.turn("none", "all")
    expect((yield* b.invalidateTags(["t"])).version).toBeGreaterThan(0)
    yield* TestClock.adjust("2 seconds")
    from.answer = () => Effect.succeed(8)
    expect(yield* b.get("k")).toBe(8)
    yield* a.get("other")
    expect(yield* (yield* c()).get("k")).toBe(8)
  }),
)

test(
  "law 11: what another node invalidates after a set is not fresh, though the set was written twice",
  Effect.gen(function* () {
    const { a, b, c, from } = yield* nodes
    yield* b.get("other")
    yield* a.invalidateTags(["t"])
    yield* b.set("k", 7)
    yield* a.invalidateTags(["t"])
    from.answer = () => Effect.succeed(8)
    expect(yield* (yield* c()).get("k")).toBe(8)
  }),
)

test(
  "law 15: a set whose marks cannot be read is not settled",
  Effect.gen(function* () {
    const { a, c, faults } = yield* nodes
    faults.shared.isDeaf = true
    const b = yield* c()
    yield* b.get("other")
    yield* a.invalidateTags(["t"])
    faults.shared.turn("fail", "reads")
    expect(yield* b.set("k", 7)).toMatchObject({ settled: false, pending: ["shared"] })
  }),
)

test(
  "law 11: what is looked up while marks cannot be read is not kept in memory, its callers get it",
  Effect.gen(function* () {
    const { a, b, faults, from } = yield* nodes
    yield* b.get("other")
    from.answer = () => Effect.delay(Effect.succeed(1), 10)
    const looking = yield* fork(b.get("k"))
    yield* a.invalidateTags(["t"])
    faults.shared.turn("fail", "reads")
    yield* TestClock.adjust(10)
    expect(yield* Fiber.join(looking)).toBe(1)
    faults.shared.turn("none", "all")
    from.answer = () => Effect.succeed(2)
    yield* TestClock.adjust(1_000)
    expect(yield* b.get("k")).toBe(2)
  }),
)

test(
  "law 12: what a new node reads before it knows any mark is kept in memory, and judged by the marks",
  Effect.gen(function* () {
    const { a, c, faults, from } = yield* nodes
    yield* a.get("before")
    yield* a.clear()
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
    yield* a.getMany(keys)
    const b = yield* c()
    faults.shared.turn("slow", "reads")
    from.asked = 0
    faults.shared.trips.length = 0
    const first = yield* Effect.forEach(keys, (k) => fork(b.get(k)))
    const old = yield* fork(b.get("before"))
    yield* TestClock.adjust(100)
    for (const fiber of [...first, old]) yield* Fiber.join(fiber)
    expect(from.asked).toBe(1)
    expect(faults.shared.trips.filter((trip) => trip === "marks")).toHaveLength(1)
    faults.shared.trips.length = 0
    for (const k of keys) yield* b.get(k)
    expect(faults.shared.trips).toEqual([])
  }),
)

test(
  "law 12: so it is with getMany, over a file as well",
  Effect.gen(function* () {
    const { a, from, faults, overFile } = yield* nodes
    yield* a.clear()
    yield* a.getMany(["k", "l"])
    const b = yield* overFile()
    from.asked = 0
    yield* b.getMany(["k", "l"])
    faults.shared.trips.length = 0
    yield* b.getMany(["k", "l"])
    expect(faults.shared.trips).toEqual([])
    expect(from.asked).toBe(0)
  }),
)

const manyMarks = 20_000

const marked = Effect.gen(function* () {
  const world = yield* nodes
  const tags = Array.from({ length: manyMarks }, (_, i) => `tag ${i}`)
  yield* world.a.set("invalidated", 1)
  yield* world.a.invalidateTags([...tags, "t"])
  yield* world.a.set("k", 7)
  world.faults.shared.turn("slow", "reads")
  return { ...world, b: yield* world.c() }
})

test(
  "law 14: a new node reads the shared tier though more marks are kept than one step can bring",
  Effect.gen(function* () {
    const { b, from } = yield* marked
    from.asked = 0
    from.answer = () => Effect.succeed(2)
    const reading = yield* fork(b.get("k"))
    yield* TestClock.adjust(100)
    expect(yield* Fiber.join(reading)).toBe(7)
    const old = yield* fork(b.get("invalidated"))
    yield* TestClock.adjust(100)
    expect(yield* Fiber.join(old)).toBe(2)
    expect(from.asked).toBe(1)
    // Until the lookup has settled, which takes the marks.
    yield* TestClock.adjust(200)
  }),
)

test(
  "law 12: until all marks are there, what they may cover is not fresh; then it is judged by them",
  Effect.gen(function* () {
    const { a, b, faults, from } = yield* marked
    faults.shared.turn("none", "all")
    const tags = Array.from({ length: manyMarks }, (_, i) => `later ${i}`)
    yield* a.invalidateTags(tags)
    faults.shared.turn("slow", "reads")
    from.answer = () => Effect.fail("down")
    // Before the last marks, which do not concern it.
    const early = yield* fork(b.getWithMeta("k"))
    yield* TestClock.adjust(100)
    expect(yield* Fiber.join(early)).toMatchObject({
      value: 7,
      freshness: { _tag: "Stale", grace: "error" },
    })
    yield* TestClock.adjust("2 seconds")
    const late = yield* fork(b.getWithMeta("k"))
    yield* TestClock.adjust(100)
    expect(yield* Fiber.join(late)).toMatchObject({ value: 7, freshness: { _tag: "Fresh" } })
  }),
)

test(
  "law 15: what a new node sets before all marks are there is settled, and valid for others",
  Effect.gen(function* () {
    const { b, c, faults } = yield* marked
    const setting = yield* fork(b.set("mine", 9))
    yield* TestClock.adjust(200)
    expect((yield* Fiber.join(setting)).settled).toBe(true)
    faults.shared.turn("none", "all")
    expect((yield* (yield* c()).read("mine")).entry?.value).toBe(9)
  }),
)

test(
  "law 12: pages that fail on their way are asked for again",
  Effect.gen(function* () {
    const { b, faults, from } = yield* marked
    from.answer = () => Effect.succeed(2)
    const reading = yield* fork(b.get("k"))
    yield* TestClock.adjust(60)
    yield* Fiber.join(reading)
    faults.shared.turn("fail", "reads")
    yield* TestClock.adjust(200)
    faults.shared.turn("none", "all")
    yield* TestClock.adjust("10 seconds")
    expect(yield* b.get("another")).toBe(2)
    yield* TestClock.adjust(10)
    const number = (yield* b.invalidateTags(["u"])).version
    expect(number).toBeGreaterThan(0)
    expect((yield* b.read("k")).freshness).toEqual({ _tag: "Fresh" })
  }),
)

test(
  "law 22: a larder that closes while marks are read ends at once",
  Effect.gen(function* () {
    const { c, faults } = yield* marked
    yield* Effect.scoped(
      Effect.gen(function* () {
        const node = yield* c()
        const reading = yield* fork(node.get("k"))
        yield* TestClock.adjust(60)
        yield* Fiber.join(reading)
      }),
    )
    const trips = faults.shared.trips.length
    yield* TestClock.adjust("10 seconds")
    expect(faults.shared.trips.length).toBe(trips)
  }),
)
