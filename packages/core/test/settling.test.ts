/** Settling a looked-up value: its callers get it first, then the arbiter, then nearer tiers. */
import { describe, expect } from "@effect/vitest"
import { MemoryTier, TierStack } from "@larder/core"
import { Effect, Exit, Fiber, PubSub } from "effect"
import { TestClock } from "effect/testing"
import { briefly, fork, make, source, test, tiers } from "./support/nodes.ts"

const changesOf = (trips: ReadonlyArray<string>) =>
  trips.filter((trip) => ["put", "drop", "commit", "write"].includes(trip))

const tagsOf = (events: ReadonlyArray<{ readonly _tag: string }>) => events.map(({ _tag }) => _tag)

test(
  "law 14: callers are answered before any tier behind memory is told",
  Effect.gen(function* () {
    const { faults, file, shared } = yield* tiers
    const told = { file: -1, shared: -1 }
    const seen = Effect.sync(() => {
      told.file = changesOf(faults.file.trips).length
      told.shared = changesOf(faults.shared.trips).length
    })
    const slowly = source(Effect.delay(Effect.succeed(1), 100))
    const larder = yield* make(slowly, TierStack.layer(MemoryTier.layer(), file, shared))
    yield* fork(Effect.andThen(larder.get("k"), seen))
    yield* TestClock.adjust(100)
    expect(told).toEqual({ file: 0, shared: 0 })
    const alone = yield* make(slowly, TierStack.layer(MemoryTier.layer(), file), { name: "alone" })
    faults.file.trips.length = 0
    yield* fork(Effect.andThen(alone.get("k"), seen))
    yield* TestClock.adjust(100)
    expect(told.file).toBe(0)
  }),
)

test(
  "a looked-up value costs each tier one write: it is above all that could be there",
  Effect.gen(function* () {
    const { faults, file, shared } = yield* tiers
    const arbitrated = yield* make(
      source(Effect.succeed(1)),
      TierStack.layer(MemoryTier.layer(), file, shared),
    )
    yield* arbitrated.get("k")
    expect(changesOf(faults.file.trips)).toEqual(["put"])
    expect(changesOf(faults.shared.trips)).toEqual(["commit"])
    faults.file.trips.length = 0
    const alone = yield* make(
      source(Effect.succeed(1)),
      TierStack.layer(MemoryTier.layer(), file),
      { name: "alone" },
    )
    yield* alone.get("k")
    expect(changesOf(faults.file.trips)).toEqual(["put"])
  }),
)

describe("a value without a life", () => {
  const dead = { policy: { freshFor: 0, staleIfError: 0 } } as const

  test(
    "is written nowhere where nothing was before, and its lease goes back",
    Effect.gen(function* () {
      const { faults, file, shared } = yield* tiers
      const stack = () => TierStack.layer(MemoryTier.layer(), file, shared)
      const larder = yield* make(source(Effect.succeed(1)), stack(), dead)
      expect(yield* larder.get("k")).toBe(1)
      expect(changesOf(faults.file.trips)).toEqual([])
      expect(changesOf(faults.shared.trips)).toEqual([])
      const other = source(Effect.succeed(2))
      expect(yield* (yield* make(other, stack())).get("k")).toBe(2)
    }),
  )

  for (const place of ["memory", "file", "shared"] as const) {
    test(
      `law 13: takes away what was there: ${place}`,
      Effect.gen(function* () {
        const { file, shared } = yield* tiers
        const stack = () =>
          ({
            memory: () => TierStack.layer(MemoryTier.layer()),
            file: () => TierStack.layer(file),
            shared: () => TierStack.layer(shared),
          })[place]()
        const from = source(Effect.succeed(1))
        const larder = yield* make(from, stack(), {
          adaptive: (value) => (value === 2 ? { freshFor: 0, staleIfError: 0 } : {}),
        })
        yield* larder.get("k")
        yield* TestClock.adjust("10 seconds")
        from.answer = () => Effect.succeed(2)
        expect(yield* larder.get("k")).toBe(2)
        from.answer = () => Effect.fail("down")
        expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("down"))
      }),
    )
  }
})

test(
  "law 12: a caller that removes the key on being answered finds it removed, also in a later process",
  Effect.gen(function* () {
    const { file } = yield* tiers
    const from = source(Effect.delay(Effect.succeed(1), 100))
    yield* briefly(
      Effect.gen(function* () {
        const larder = yield* make(from, TierStack.layer(MemoryTier.layer(), file))
        yield* fork(Effect.andThen(larder.get("k"), larder.remove("k")))
        yield* TestClock.adjust(100)
        expect((yield* larder.read("k")).entry).toBe(undefined)
      }),
    )
    const later = yield* make(from, TierStack.layer(MemoryTier.layer(), file))
    expect((yield* later.read("k")).entry).toBe(undefined)
  }),
)

describe("without an answer of the arbiter", () => {
  test(
    "law 13: what is looked up replaces what the file has, whatever version that has",
    Effect.gen(function* () {
      const { faults, file, shared } = yield* tiers
      const from = source(Effect.succeed(1))
      const larder = yield* make(
        from,
        TierStack.layer(MemoryTier.layer({ maxEntries: 1 }), file, shared),
      )
      yield* larder.get("k")
      yield* TestClock.adjust("10 seconds")
      yield* larder.get("evicts k")
      faults.shared.turn("fail", "all")
      faults.file.turn("fail", "reads")
      from.answer = () => Effect.succeed(2)
      expect(yield* larder.get("k")).toBe(2)
      faults.file.turn("none", "all")
      yield* larder.get("evicts k")
      from.answer = () => Effect.fail("down")
      expect(yield* larder.get("k")).toBe(2)
    }),
  )

  test(
    "law 15: an older value goes from the arbiter where the commit got no answer",
    Effect.gen(function* () {
      const { faults, shared } = yield* tiers
      const from = source(Effect.succeed(1))
      const larder = yield* make(from, TierStack.layer(MemoryTier.layer(), shared))
      const other = yield* make(
        source(Effect.fail("down")),
        TierStack.layer(MemoryTier.layer(), shared),
      )
      yield* larder.get("k")
      yield* TestClock.adjust("10 seconds")
      from.answer = () => Effect.succeed(2)
      faults.shared.turn("fail", "writes")
      expect(yield* larder.get("k")).toBe(2)
      faults.shared.turn("none", "all")
      yield* TestClock.adjust("1 second")
      expect(yield* Effect.exit(other.get("k"))).toEqual(Exit.fail("down"))
    }),
  )
})

test(
  "law 10: what the arbiter has lost the lease of is superseded, and the next caller asks again",
  Effect.gen(function* () {
    const { faults, shared } = yield* tiers
    const from = source(Effect.delay(Effect.succeed(1), "90 seconds"))
    const larder = yield* make(from, TierStack.layer(MemoryTier.layer(), shared), {
      policy: { hardTimeout: "5 minutes" },
    })
    yield* larder.read("another")
    const events = yield* larder.subscribe
    const first = yield* fork(larder.get("k"))
    faults.shared.turn("fail", "leases")
    // The tier is well but for its leases: its circuit stays closed.
    for (let i = 0; i < 30; i++) {
      yield* TestClock.adjust("3 seconds")
      yield* larder.read(`key ${i}`)
    }
    expect(yield* Fiber.join(first)).toBe(1)
    faults.shared.turn("none", "all")
    expect((yield* larder.stats).superseded).toBe(1)
    expect(tagsOf(yield* PubSub.takeAll(events))).not.toContain("Committed")
    from.answer = () => Effect.succeed(2)
    expect(yield* larder.get("k")).toBe(2)
  }),
)

const changes = {
  remove: (larder: { readonly remove: (key: string) => Effect.Effect<unknown, unknown> }) =>
    larder.remove("k"),
  clear: (larder: { readonly clear: () => Effect.Effect<unknown, unknown> }) => larder.clear(),
}

describe.each(["remove", "clear"] as const)(
  "%s while the arbiter's answer is on its way",
  (change) => {
    test(
      "law 11: what was committed before is not kept as fresh",
      Effect.gen(function* () {
        const { faults, file, shared } = yield* tiers
        const from = source(Effect.delay(Effect.succeed(1), 100))
        const larder = yield* make(from, TierStack.layer(MemoryTier.layer(), file, shared))
        yield* larder.read("another")
        const first = yield* fork(larder.get("k"))
        yield* TestClock.adjust(99)
        faults.shared.turn("slowAfter", "writes")
        yield* TestClock.adjust(1)
        expect(yield* Fiber.join(first)).toBe(1)
        faults.shared.turn("none", "all")
        yield* changes[change](larder)
        yield* TestClock.adjust(50)
        expect((yield* larder.read("k")).freshness._tag).not.toBe("Fresh")
        expect((yield* larder.stats).superseded).toBe(1)
      }),
    )
  },
)

test(
  "law 5: a lease that has ended says nothing later: after a clear, the next one is waited for",
  Effect.gen(function* () {
    const { shared } = yield* tiers
    const stack = () => TierStack.layer(MemoryTier.layer(), shared)
    const from = source(Effect.succeed(1))
    const larder = yield* make(from, stack())
    yield* larder.get("k")
    yield* larder.clear({ keepStale: false })
    const slow = source(Effect.delay(Effect.succeed(2), 1_000))
    const other = yield* make(slow, stack())
    const leading = yield* fork(other.get("k"))
    const waiting = yield* fork(larder.get("k"))
    yield* TestClock.adjust("3 seconds")
    expect(yield* Fiber.join(leading)).toBe(2)
    expect(yield* Fiber.join(waiting)).toBe(2)
    expect(from.asked).toBe(1)
  }),
)

test(
  "law 14: no more than 64 commits are at the arbiter at once",
  Effect.gen(function* () {
    const { faults, shared } = yield* tiers
    const larder = yield* make(
      source(Effect.delay(Effect.succeed(1), 100)),
      TierStack.layer(MemoryTier.layer(), shared),
    )
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
    yield* fork(larder.getMany(keys))
    yield* TestClock.adjust(99)
    faults.shared.turn("slow", "writes")
    yield* TestClock.adjust(1)
    const commits = () => faults.shared.trips.filter((trip) => trip === "commit").length
    expect(commits()).toBe(64)
    yield* TestClock.adjust(50)
    expect(commits()).toBe(100)
    yield* TestClock.adjust(50)
  }),
)

test(
  "law 3: an answer that cannot be kept holds no other node back",
  Effect.gen(function* () {
    const { shared } = yield* tiers
    const stack = () => TierStack.layer(MemoryTier.layer(), shared)
    const policy = { retryAfterFailure: "1 minute" } as const
    const other = yield* make(source(Effect.succeed(2)), stack(), { policy })
    yield* other.set("k", 1)
    yield* TestClock.adjust("10 seconds")
    const larder = yield* make(source(Effect.succeed(2)), stack(), {
      policy,
      tags: (value) => {
        if (value === 2) throw new Error("no tags for 2")
        return []
      },
    })
    expect(yield* larder.get("k")).toBe(2)
    expect(yield* other.get("k")).toBe(2)
  }),
)

test(
  "law 3: an error that grace must not hide holds no other node back, which may have something stale",
  Effect.gen(function* () {
    const { shared } = yield* tiers
    const stack = () => TierStack.layer(MemoryTier.layer(), shared)
    const policy = { retryAfterFailure: "1 minute" } as const
    const other = yield* make(source(Effect.succeed(2)), stack(), { policy })
    yield* other.set("k", 1)
    yield* TestClock.adjust("10 seconds")
    const larder = yield* make(source(Effect.fail("gone")), stack(), {
      policy,
      graceFor: () => false,
    })
    expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("gone"))
    expect(yield* other.get("k")).toBe(2)
  }),
)

test(
  "law 13: a value without a life takes away what a caller beside it has found meanwhile",
  Effect.gen(function* () {
    const { faults, file } = yield* tiers
    const from = source(Effect.succeed(1))
    const adaptive = (value: number) => (value === 2 ? { freshFor: 0, staleIfError: 0 } : {})
    yield* briefly(
      Effect.flatMap(make(from, TierStack.layer(MemoryTier.layer(), file)), (larder) =>
        larder.get("k"),
      ),
    )
    from.answer = () => Effect.delay(Effect.succeed(2), 100)
    const larder = yield* make(from, TierStack.layer(MemoryTier.layer(), file), { adaptive })
    const refreshing = yield* fork(larder.refresh("k"))
    // A caller that joins a refresh is given what the file has, and memory keeps that.
    expect(yield* larder.get("k")).toBe(1)
    yield* TestClock.adjust(100)
    expect(yield* Fiber.join(refreshing)).toBe(2)
    expect((yield* larder.read("k")).freshness).toEqual({ _tag: "Missing" })
    expect(faults.file.trips).toContain("put")
  }),
)
