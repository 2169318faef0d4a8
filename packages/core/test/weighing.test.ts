/** How a flight judges the entries of farther tiers, after changes of the key meanwhile. */
import { describe, expect } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, type Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { briefly, fork, make, type Source, source, test, tiers } from "./support/nodes.ts"

test(
  "law 16: the next load repairs the key, though a process of the same millisecond gave a higher version",
  Effect.gen(function* () {
    const { file } = yield* tiers
    const stack = () => TierStack.layer(MemoryTier.layer(), file)
    yield* briefly(
      Effect.gen(function* () {
        const text = yield* Effect.provide(
          Larder.make({
            name: "nodes",
            value: Schema.String,
            upstream: Upstream.make({ lookup: (_: string) => Effect.succeed("text") }),
            policy: Policy.make({ freshFor: "10 seconds" }),
          }),
          stack(),
        )
        for (let i = 0; i < 5; i++) yield* text.set("k", "text")
      }),
    )
    const from = source(Effect.succeed(1))
    yield* briefly(Effect.flatMap(make(from, stack()), (larder) => larder.get("k")))
    yield* briefly(Effect.flatMap(make(from, stack()), (larder) => larder.get("k")))
    expect(from.asked).toBe(1)
  }),
)

describe.each(["file", "shared", "file and shared"])("a newer release wrote to %s", (where) => {
  test(
    "law 16: an older one leaves that alone, and keeps what it looks up to itself",
    Effect.gen(function* () {
      const { faults, file, shared } = yield* tiers
      const memory = () => MemoryTier.layer()
      const stacks: Record<string, () => Layer.Layer<TierStack.TierStack>> = {
        file: () => TierStack.layer(memory(), file),
        shared: () => TierStack.layer(memory(), shared),
        // The shared tier has lost it.
        "file and shared": () => TierStack.layer(memory(), file, shared),
      }
      const stack = stacks[where]!
      const newer = source(Effect.succeed(2))
      yield* briefly(
        Effect.gen(function* () {
          if (where === "file and shared") faults.shared.turn("fail", "all")
          const larder = yield* make(newer, stack(), { schemaVersion: 2 })
          yield* larder.get("k")
          expect(newer.asked).toBe(1)
        }),
      )
      faults.shared.turn("none", "all")
      const older = source(Effect.succeed(1))
      const larder = yield* make(older, stack(), { schemaVersion: 1 })
      expect(yield* larder.get("k")).toBe(1)
      expect(yield* larder.get("k")).toBe(1)
      expect(older.asked).toBe(1)
      const last = where === "shared" ? "shared" : "file"
      const again = yield* make(newer, stacks[last]!(), { schemaVersion: 2 })
      expect((yield* again.read("k")).entry?.value).toBe(2)
    }),
  )
})

test(
  "law 16: what cannot be decoded at the arbiter is no removal: memory's value is there when upstream fails",
  Effect.gen(function* () {
    const { faults, shared } = yield* tiers
    const stack = () => TierStack.layer(MemoryTier.layer(), shared)
    const from = source(Effect.succeed(1))
    const larder = yield* make(from, stack())
    yield* larder.get("k")
    const other = yield* make(source(Effect.succeed(2)), stack())
    yield* other.set("k", 2)
    yield* TestClock.adjust("10 seconds")
    from.answer = () => Effect.fail("down")
    faults.shared.turn("garbage", "all")
    expect(yield* larder.get("k")).toBe(1)
  }),
)

test(
  "without an arbiter what ended in the file is no removal: memory's value is there when upstream fails",
  Effect.gen(function* () {
    const { file } = yield* tiers
    const stack = () => TierStack.layer(MemoryTier.layer(), file)
    const from = source(Effect.succeed(1))
    const larder = yield* make(from, stack())
    yield* larder.get("k")
    yield* TestClock.adjust("10 seconds")
    yield* briefly(
      Effect.gen(function* () {
        const policy = { freshFor: 0, staleIfError: 0 }
        const other = yield* make(source(Effect.succeed(2)), stack(), { policy })
        expect(yield* other.get("k")).toBe(2)
      }),
    )
    from.answer = () => Effect.fail("down")
    expect(yield* larder.get("k")).toBe(1)
  }),
)

test(
  "law 18: a removal that is heard of late takes away nothing that was set after it",
  Effect.gen(function* () {
    const { faults, file, shared } = yield* tiers
    const larder = yield* make(
      source(Effect.fail("down")),
      TierStack.layer(MemoryTier.layer(), file, shared),
    )
    const other = yield* make(
      source(Effect.succeed(2)),
      TierStack.layer(MemoryTier.layer(), shared),
    )
    yield* other.remove("k")
    faults.shared.turn("slowAfter", "reads")
    const late = yield* fork(Effect.exit(larder.get("k")))
    faults.shared.turn("none", "all")
    const setting = yield* fork(larder.set("k", 7))
    yield* TestClock.adjust(50)
    yield* Fiber.join(setting)
    yield* Fiber.join(late)
    expect(yield* larder.read("k")).toMatchObject({ tier: "memory", entry: { value: 7 } })
  }),
)

test(
  "law 12: what the arbiter said to be removed goes from the file too: it is given by no later process",
  Effect.gen(function* () {
    const { faults, file, shared } = yield* tiers
    const stack = () => TierStack.layer(MemoryTier.layer(), file, shared)
    const from = source(Effect.succeed(1))
    yield* briefly(
      Effect.gen(function* () {
        const larder = yield* make(from, stack())
        yield* larder.get("k")
        const other = yield* make(from, TierStack.layer(MemoryTier.layer(), shared))
        yield* other.remove("k")
        yield* TestClock.adjust("10 seconds")
        from.answer = () => Effect.fail("down")
        yield* Effect.exit(larder.get("k"))
      }),
    )
    faults.shared.turn("fail", "all")
    const larder = yield* make(from, stack())
    expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("down"))
  }),
)

describe.each(["fresh", "stale"])("a %s value read before a change of the key", (freshness) => {
  const late = Effect.gen(function* () {
    const { faults, shared } = yield* tiers
    const stack = () => TierStack.layer(MemoryTier.layer(), shared)
    const writer = yield* make(source(Effect.succeed(1)), stack())
    yield* writer.set("k", 1)
    if (freshness === "stale") yield* TestClock.adjust("10 seconds")
    const larder = yield* make(source(Effect.fail("down")), stack())
    // Marks are known: the read is the only thing that is slow.
    yield* larder.read("another")
    faults.shared.turn("slowAfter", "reads")
    const reading = yield* fork(larder.get("k"))
    faults.shared.turn("none", "all")
    return { larder, reading, faults }
  })

  test(
    "law 11: is given to those who wait, and not kept after a removal",
    Effect.gen(function* () {
      const { larder, reading } = yield* late
      yield* larder.remove("k")
      yield* TestClock.adjust(50)
      yield* Effect.exit(Fiber.join(reading))
      expect((yield* larder.read("k")).freshness).toEqual({ _tag: "Missing" })
      expect((yield* larder.stats).entries).toBe(0)
    }),
  )

  test(
    "law 2: is kept in memory where nothing has changed",
    Effect.gen(function* () {
      const { faults, larder, reading } = yield* late
      yield* TestClock.adjust(50)
      expect(yield* Fiber.join(reading)).toBe(1)
      const trips = faults.shared.trips.length
      expect(yield* larder.get("k")).toBe(1)
      expect(faults.shared.trips.length).toBe(trips)
    }),
  )
})

test(
  "a value on its way to the tiers that memory has lost comes back to memory, and the key loads again when it ends",
  Effect.gen(function* () {
    const { faults, shared } = yield* tiers
    const from = source(Effect.succeed(2))
    const larder = yield* make(from, TierStack.layer(MemoryTier.layer({ maxEntries: 1 }), shared), {
      policy: { tierWrites: "background" },
    })
    yield* larder.read("another")
    faults.shared.turn("slow", "writes")
    yield* larder.set("k", 1)
    yield* larder.set("other", 1)
    expect((yield* larder.stats).entries).toBe(1)
    expect(yield* larder.get("k")).toBe(1)
    const { hits } = yield* larder.stats
    expect(yield* larder.get("k")).toBe(1)
    expect((yield* larder.stats).hits).toBe(hits + 1)
    yield* TestClock.adjust("10 seconds")
    faults.shared.turn("none", "all")
    expect(yield* larder.get("k")).toBe(2)
  }),
)

test(
  "law 3: a fresh value of another node ends the hold on refreshes that a failure of this one began",
  Effect.gen(function* () {
    const { shared } = yield* tiers
    const from = source(Effect.succeed(1))
    const larder = yield* make(from, TierStack.layer(MemoryTier.layer({ maxEntries: 1 }), shared), {
      policy: { retryAfterFailure: "1 minute" },
    })
    const other = yield* make(
      source(Effect.succeed(2)),
      TierStack.layer(MemoryTier.layer(), shared),
    )
    yield* larder.get("k")
    yield* TestClock.adjust("10 seconds")
    from.answer = (key) => (key === "k" ? Effect.fail("down") : Effect.succeed(0))
    expect(yield* larder.get("k")).toBe(1)
    yield* larder.get("evicts k")
    yield* other.set("k", 7)
    expect(yield* larder.get("k")).toBe(7)
    yield* TestClock.adjust("10 seconds")
    from.answer = () => Effect.succeed(8)
    expect(yield* larder.get("k")).toBe(8)
  }),
)

describe.each(["file", "shared"] as const)("failures that are known, over %s", (place) => {
  const failing = (policy: Partial<Policy.Options>, failureFor: number) =>
    Effect.gen(function* () {
      const { faults, ...layers } = yield* tiers
      const from = source(Effect.succeed(1))
      const larder = yield* make(from, TierStack.layer(layers[place]), {
        policy: { retryAfterFailure: "1 minute", ...policy },
        failureFor: () => failureFor,
      })
      yield* larder.get("k")
      yield* TestClock.adjust("10 seconds")
      from.answer = () => Effect.fail("down")
      return { trips: faults[place].trips, from, larder }
    })

  test(
    "law 3: where only a farther tier has something stale, it is given without asking upstream, until retryAfterFailure is over",
    Effect.gen(function* () {
      const { from, larder, trips } = yield* failing({}, 0)
      expect(yield* larder.get("k")).toBe(1)
      trips.length = 0
      for (const _ of [1, 2]) expect(yield* larder.get("k")).toBe(1)
      expect(from.asked).toBe(2)
      expect(new Set(trips)).not.toContain("acquire")
      yield* TestClock.adjust("1 minute")
      from.answer = () => Effect.succeed(3)
      expect(yield* larder.get("k")).toBe(3)
      expect(from.asked).toBe(3)
      yield* TestClock.adjust("10 seconds")
      from.answer = () => Effect.succeed(4)
      expect(yield* larder.get("k")).toBe(4)
    }),
  )

  test(
    "law 3: nothing stale is left: the failure is given again until failureFor is over, and upstream is asked then",
    Effect.gen(function* () {
      const { from, larder } = yield* failing({ staleIfError: 3_000 }, 5_000)
      expect(yield* larder.get("k")).toBe(1)
      yield* TestClock.adjust(3_000)
      expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("down"))
      yield* TestClock.adjust(1_999)
      expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("down"))
      expect(from.asked).toBe(2)
      yield* TestClock.adjust(1)
      from.answer = () => Effect.succeed(3)
      expect(yield* larder.get("k")).toBe(3)
    }),
  )

  test(
    "law 3: a caller that wants nothing stale is not held back",
    Effect.gen(function* () {
      const { from, larder } = yield* failing({}, 0)
      expect(yield* larder.get("k")).toBe(1)
      from.answer = () => Effect.succeed(3)
      expect(yield* larder.get("k", { stale: "never" })).toBe(3)
    }),
  )

  test(
    "a refresh is not held back",
    Effect.gen(function* () {
      const { from, larder } = yield* failing({}, 60_000)
      expect(yield* larder.get("k")).toBe(1)
      from.answer = () => Effect.succeed(3)
      expect(yield* larder.refresh("k")).toBe(3)
    }),
  )
})

describe("a failure of another node", () => {
  const failed = (value: number | undefined) =>
    Effect.gen(function* () {
      const { faults, shared } = yield* tiers
      const stack = () => TierStack.layer(MemoryTier.layer(), shared)
      const options = { policy: { retryAfterFailure: "1 minute" } } as const
      const other = yield* make(source(Effect.fail("down")), stack(), options)
      if (value !== undefined) yield* other.set("k", value)
      yield* TestClock.adjust("10 seconds")
      yield* Effect.exit(other.get("k"))
      const from = source(Effect.succeed(2))
      return { faults, from, larder: yield* make(from, stack(), options), other }
    })

  test(
    "law 3: holds back where there is something stale, and the arbiter is asked once",
    Effect.gen(function* () {
      const { faults, from, larder } = yield* failed(1)
      expect(yield* larder.get("k")).toBe(1)
      const trips = faults.shared.trips.length
      yield* TestClock.adjust("59 seconds")
      expect(yield* larder.get("k")).toBe(1)
      expect(faults.shared.trips.length).toBe(trips)
      expect(from.asked).toBe(0)
      yield* TestClock.adjust("1 second")
      expect(yield* larder.get("k")).toBe(2)
      yield* TestClock.adjust("10 seconds")
      expect(yield* larder.get("k")).toBe(2)
      expect(from.asked).toBe(2)
    }),
  )

  test(
    "law 6: holds nobody back who would get nothing",
    Effect.gen(function* () {
      const { from, larder, other } = yield* failed(undefined)
      expect(yield* larder.get("k")).toBe(2)
      expect(from.asked).toBe(1)
      expect(yield* other.read("k")).toMatchObject({ tier: "shared", entry: { value: 2 } })
    }),
  )
})

type TheLarder = Larder.Larder<string, number, string>

/**
 * Marks are told apart while a lookup runs, up to 1,000 of them: where one that has ended
 * still counted as running, all later marks would count as covering everything.
 */
describe("law 7: marks from before a lookup cost its callers nothing, whatever ended before", () => {
  const thousandMarks = (larder: TheLarder) =>
    larder.invalidateTags(Array.from({ length: 1_001 }, (_, i) => `t${i}`))

  /** A caller that joins a lookup after a mark of another tag gets what that lookup brings. */
  const joinsOne = (larder: TheLarder, from: Source) =>
    Effect.gen(function* () {
      from.asked = 0
      from.answer = () => Effect.delay(Effect.succeed(9), 100)
      const first = yield* fork(larder.get("slow"))
      yield* TestClock.adjust(50)
      yield* larder.invalidateTags(["another"])
      const joined = yield* fork(larder.get("slow"))
      yield* TestClock.adjust(50)
      // Without waiting until the tiers have it.
      expect(joined.pollUnsafe()).not.toBe(undefined)
      expect([yield* Fiber.join(first), yield* Fiber.join(joined)]).toEqual([9, 9])
      expect(from.asked).toBe(1)
    })

  const costsNothing = (larder: TheLarder, from: Source) =>
    Effect.gen(function* () {
      yield* thousandMarks(larder)
      from.answer = () => Effect.succeed(8)
      yield* larder.get("quick")
      yield* joinsOne(larder, from)
    })

  test(
    "a failure of this node",
    Effect.gen(function* () {
      const { file } = yield* tiers
      const from = source(Effect.succeed(1))
      const larder = yield* make(from, TierStack.layer(file))
      yield* larder.get("k")
      yield* TestClock.adjust("10 seconds")
      from.answer = () => Effect.fail("down")
      for (const _ of [1, 2]) expect(yield* larder.get("k")).toBe(1)
      yield* costsNothing(larder, from)
    }),
  )

  test(
    "a failure of another node",
    Effect.gen(function* () {
      const { shared } = yield* tiers
      const stack = () => TierStack.layer(MemoryTier.layer(), shared)
      const other = yield* make(source(Effect.fail("down")), stack())
      yield* other.set("k", 1)
      yield* TestClock.adjust("10 seconds")
      expect(yield* other.get("k")).toBe(1)
      const from = source(Effect.succeed(2))
      const larder = yield* make(from, stack())
      expect(yield* larder.get("k")).toBe(1)
      expect(from.asked).toBe(0)
      yield* costsNothing(larder, from)
    }),
  )

  test(
    "a value that a tier had",
    Effect.gen(function* () {
      const { shared } = yield* tiers
      const stack = () => TierStack.layer(MemoryTier.layer(), shared)
      const other = yield* make(source(Effect.succeed(1)), stack())
      yield* other.get("k")
      const from = source(Effect.succeed(2))
      const larder = yield* make(from, stack())
      expect(yield* larder.get("k")).toBe(1)
      yield* costsNothing(larder, from)
    }),
  )

  test(
    "a value on its way to the tiers",
    Effect.gen(function* () {
      const { faults, shared } = yield* tiers
      const from = source(Effect.succeed(2))
      const memory = MemoryTier.layer({ maxEntries: 1 })
      const larder = yield* make(from, TierStack.layer(memory, shared), {
        policy: { tierWrites: "background" },
      })
      yield* larder.read("another")
      faults.shared.turn("slow", "writes")
      yield* larder.set("k", 1)
      yield* larder.set("other", 1)
      expect(yield* larder.get("k")).toBe(1)
      faults.shared.turn("none", "all")
      yield* TestClock.adjust(100)
      yield* costsNothing(larder, from)
    }),
  )

  for (const place of ["file", "shared"] as const) {
    test(
      `a value that was looked up, and stored in ${place}`,
      Effect.gen(function* () {
        const { [place]: tier } = yield* tiers
        const from = source(Effect.succeed(1))
        const larder = yield* make(from, TierStack.layer(MemoryTier.layer(), tier))
        expect(yield* larder.get("k")).toBe(1)
        yield* costsNothing(larder, from)
      }),
    )

    test(
      `a lookup that failed, over ${place}`,
      Effect.gen(function* () {
        const { [place]: tier } = yield* tiers
        const from = source(Effect.fail("down"))
        const larder = yield* make(from, TierStack.layer(MemoryTier.layer(), tier))
        expect(yield* Effect.exit(larder.get("k"))).toEqual(Exit.fail("down"))
        yield* costsNothing(larder, from)
      }),
    )
  }

  test(
    "a value that another node's change overtook",
    Effect.gen(function* () {
      const { shared } = yield* tiers
      const stack = () => TierStack.layer(MemoryTier.layer(), shared)
      const other = yield* make(source(Effect.succeed(1)), stack())
      const from = source(Effect.delay(Effect.succeed(2), 100))
      const larder = yield* make(from, stack())
      const first = yield* fork(larder.get("k"))
      yield* TestClock.adjust(50)
      yield* other.set("k", 7)
      yield* TestClock.adjust(50)
      expect(yield* Fiber.join(first)).toBe(2)
      yield* costsNothing(larder, from)
    }),
  )
})
