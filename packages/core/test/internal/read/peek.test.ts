/** Looking at a key: the nearest fresh entry, else the newest there is, and nothing that another node has removed. */
import { describe, expect, it } from "@effect/vitest"
import { type Entry, Policy } from "@larder/core"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { Engine } from "../../../src/internal/state/engine.ts"
import { guarded } from "../../../src/internal/state/userCode.ts"
import type { FartherTier } from "../../../src/internal/tier/backingTier.ts"
import type { TierRead } from "../../../src/internal/tier/tierRead.ts"
import { type Reading, read } from "../../../src/internal/read/peek.ts"
import { entryOf, keep, makeEngine, policy } from "../../support/engine.ts"

/** A tier with these entries, which records that it was asked. */
const tierOf = (name: string, found: (engine: Engine) => TierRead | undefined) => {
  const tier = {
    name,
    asked: 0,
    engine: undefined as Engine | undefined,
    read: () =>
      Effect.sync(() => {
        tier.asked += 1
        const answer = found(tier.engine!)
        return [answer]
      }),
    isOne: true,
    partOf: () => "",
    mark: () => Effect.void,
  }
  return tier
}

type Fake = ReturnType<typeof tierOf>

/** Fresh for as long as `freshFor` says, from the start on. */
const has = (name: string, version: number, freshFor = 10_000) =>
  tierOf(name, (engine) => {
    const entry = entryOf(engine, { value: `${name} ${version}`, version })
    const freshUntil = entry.storedAt + freshFor
    return { _tag: "Entry", entry: { ...entry, freshUntil, revalidateUntil: freshUntil } }
  })

const hasNot = (name: string, found: TierRead | undefined) => tierOf(name, () => found)

const removed = (version: number) => hasNot("shared", { _tag: "Nothing", version, isRemoved: true })

/** An engine over memory and tiers, the last of which arbitrates unless it is called "file". */
const over = (...tiers: ReadonlyArray<Fake>) =>
  Effect.gen(function* () {
    const farther = tiers as unknown as ReadonlyArray<FartherTier>
    const last = farther.at(-1)
    const arbiter = last?.name === "file" ? undefined : last
    const engine = yield* makeEngine({
      farther,
      arbiter,
      leaseMillis: 10_000,
      leaseWaitMillis: 10_000,
    })
    for (const tier of tiers) tier.engine = engine
    return engine
  })

const look = (engine: Engine) => read(engine, "k", "k")

const shown = ({ entry, freshness, tier }: Reading<unknown>) =>
  entry === undefined ? freshness._tag : `${entry.value}, ${freshness._tag}, ${tier}`

describe("a read", () => {
  it.effect("of what is fresh in memory asks no tier", () =>
    Effect.gen(function* () {
      const shared = has("shared", 9)
      const engine = yield* over(shared)
      keep(engine, "k", { value: "memory" })
      expect(shown(yield* look(engine))).toBe("memory, Fresh, memory")
      expect(shared.asked).toBe(0)
    }),
  )

  it.effect("gives what memory has where there is no tier behind it", () =>
    Effect.gen(function* () {
      const engine = yield* over()
      expect(yield* look(engine)).toEqual({
        freshness: { _tag: "Missing" },
        entry: undefined,
        tier: undefined,
      })
      keep(engine, "k", { value: "memory" })
      yield* TestClock.adjust("10 seconds")
      expect(shown(yield* look(engine))).toBe("memory, Stale, memory")
    }),
  )

  it.effect("gives the nearest fresh entry, and asks nothing behind it", () =>
    Effect.gen(function* () {
      const [file, shared] = [has("file", 1), has("shared", 9)]
      const engine = yield* over(file, shared)
      expect(shown(yield* look(engine))).toBe("file 1, Fresh, file")
      expect([file.asked, shared.asked]).toEqual([1, 0])
    }),
  )

  it.effect.each([
    ["the newer is nearer", 3, 2, "file 3, Stale, file"],
    ["the newer is farther", 2, 3, "shared 3, Stale, shared"],
    ["they are the same", 2, 2, "file 2, Stale, file"],
  ] as const)("gives the newest stale entry where none is fresh: %s", ([, one, other, expected]) =>
    Effect.gen(function* () {
      const engine = yield* over(has("file", one, 0), has("shared", other, 0))
      expect(shown(yield* look(engine))).toBe(expected)
    }),
  )

  it.effect.each([
    ["what memory has, where that is newer", 5, 0, "memory, Stale, memory"],
    ["what a tier has, where that is newer", 1, 0, "shared 2, Stale, shared"],
    ["what is fresh, be it older", 5, 60_000, "shared 2, Fresh, shared"],
  ] as const)("beside something stale in memory gives %s", ([, version, freshFor, expected]) =>
    Effect.gen(function* () {
      const engine = yield* over(has("shared", 2, freshFor))
      keep(engine, "k", { value: "memory", version, freshUntil: 0, revalidateUntil: 0 })
      expect(shown(yield* look(engine))).toBe(expected)
    }),
  )

  it.effect.each([
    ["that is of a newer release", { _tag: "Foreign", version: 9 } as const],
    ["of which nothing is known", { _tag: "Nothing", version: 0 } as const],
    ["that does not answer", undefined],
  ] as const)("passes over a tier %s", ([, found]) =>
    Effect.gen(function* () {
      const engine = yield* over(hasNot("front", found), has("shared", 2))
      expect(shown(yield* look(engine))).toBe("shared 2, Fresh, shared")
      const nothing = yield* over(hasNot("front", found), hasNot("shared", found))
      expect(shown(yield* look(nothing))).toBe("Missing")
    }),
  )
})

describe("what the arbiter says to have been removed", () => {
  it.effect.each([
    [1, "Missing"],
    [3, "front 3, Stale, front"],
    [4, "front 4, Stale, front"],
  ] as const)("at version 3 is not given from a tier in front: version %d", ([version, expected]) =>
    Effect.gen(function* () {
      const engine = yield* over(has("front", version, 0), removed(3))
      expect(shown(yield* look(engine))).toBe(expected)
    }),
  )

  it.effect.each([
    [1, "Missing"],
    [3, "memory, Stale, memory"],
    [4, "memory, Stale, memory"],
  ] as const)("at version 3 is not given from memory: version %d", ([version, expected]) =>
    Effect.gen(function* () {
      const engine = yield* over(removed(3))
      keep(engine, "k", { value: "memory", version, freshUntil: 0, revalidateUntil: 0 })
      expect(shown(yield* look(engine))).toBe(expected)
    }),
  )

  it.effect("what it has and cannot use is no removal, whatever its version", () =>
    Effect.gen(function* () {
      const engine = yield* over(
        has("front", 1, 0),
        hasNot("shared", { _tag: "Nothing", version: 9 }),
      )
      expect(shown(yield* look(engine))).toBe("front 1, Stale, front")
    }),
  )

  it.effect("a removal in a tier that does not arbitrate says nothing of others", () =>
    Effect.gen(function* () {
      const engine = yield* over(
        has("front", 1, 0),
        hasNot("file", { _tag: "Nothing", version: 3, isRemoved: true }),
      )
      expect(shown(yield* look(engine))).toBe("front 1, Stale, front")
    }),
  )
})

it.effect("an arbiter that has not heard of all changes is not believed", () =>
  Effect.gen(function* () {
    const shared = has("shared", 9)
    const engine = yield* over(has("front", 1, 0), shared)
    engine.missed.addMarks(["t"], true)
    expect(shown(yield* look(engine))).toBe("front 1, Stale, front")
    expect(shared.asked).toBe(0)
  }),
)

describe("a value that is on its way to the tiers", () => {
  const queued = (engine: Engine, change: Partial<Entry.Entry<unknown>>) => {
    const written = Deferred.makeUnsafe<void>()
    const entry = entryOf(engine, { value: "queued", ...change })
    engine.writes.put(
      "k",
      {
        key: "k",
        entry,
        policy,
        weight: 1,
        madeAt: engine.stopwatch(),
        isPlaced: true,
        gapsBefore: 0,
      },
      { write: () => Effect.as(Deferred.await(written), "done"), isOver: () => false },
    )
    return written
  }

  it.effect("is given while it is fresh, and no tier asked", () =>
    Effect.gen(function* () {
      const shared = has("shared", 9)
      const engine = yield* over(shared)
      const written = queued(engine, {})
      expect(shown(yield* look(engine))).toBe("queued, Fresh, memory")
      expect(shared.asked).toBe(0)
      yield* Deferred.succeed(written, undefined)
    }),
  )

  it.effect("hides the older entry of a tier that was asked before it came", () =>
    Effect.gen(function* () {
      const shared = tierOf("shared", (engine) => {
        queued(engine, { version: 5 })
        return { _tag: "Entry", entry: entryOf(engine, { value: "older", version: 3 }) }
      })
      const engine = yield* over(shared)
      expect(shown(yield* look(engine))).toBe("Missing")
    }),
  )

  it.effect("is waited for where it is not: then the tiers say what there is", () =>
    Effect.gen(function* () {
      const shared = has("shared", 9)
      const engine = yield* over(shared)
      const written = queued(engine, { freshUntil: 0, revalidateUntil: 0 })
      const reading = yield* Effect.forkChild(look(engine), { startImmediately: true })
      yield* TestClock.adjust(0)
      expect([reading.pollUnsafe(), shared.asked]).toEqual([undefined, 0])
      yield* Deferred.succeed(written, undefined)
      expect(shown(yield* Fiber.join(reading))).toBe("shared 9, Fresh, shared")
    }),
  )
})

it.effect("law 16: an entry on which the policy fails is passed over, and told", () =>
  Effect.gen(function* () {
    const tiers = [has("front", 9), has("shared", 2)]
    const engine = yield* makeEngine(
      { farther: tiers as unknown as ReadonlyArray<FartherTier> },
      Infinity,
      {
        policyOf: guarded("unit", "policy", (value) => {
          if (value === "front 9") throw new Error("broken")
          return policy
        }),
      },
    )
    for (const tier of tiers) tier.engine = engine
    expect(shown(yield* look(engine))).toBe("shared 2, Fresh, shared")
    expect(engine.observer.counters.undecodableByTier).toEqual({ front: 1 })
  }),
)

it.effect("readers of one key share a trip, and judge what it brings each for itself", () =>
  Effect.gen(function* () {
    const shared = has("shared", 2)
    const engine = yield* over(shared)
    const slow = shared.read
    shared.read = () => Effect.delay(slow(), 50)
    const one = yield* Effect.forkChild(look(engine), { startImmediately: true })
    const other = yield* Effect.forkChild(look(engine), { startImmediately: true })
    yield* TestClock.adjust(50)
    expect(shown(yield* Fiber.join(one))).toBe("shared 2, Fresh, shared")
    expect(shown(yield* Fiber.join(other))).toBe("shared 2, Fresh, shared")
    expect(shared.asked).toBe(1)
  }),
)

describe("the times of what is read say the same as its freshness", () => {
  it.effect("a mark leaves of an entry what expire leaves", () =>
    Effect.gen(function* () {
      const engine = yield* over()
      keep(engine, "k", { tags: ["t"], revalidateUntil: engine.now() + 20_000 })
      const before = engine.near.peek("k")!.entry
      yield* TestClock.adjust("1 second")
      expect((yield* look(engine)).entry).toEqual(before)
      engine.marks.add(["t"], true, engine.now())
      const now = engine.now()
      expect(yield* look(engine)).toMatchObject({
        freshness: { _tag: "Stale", grace: "error" },
        entry: { freshUntil: now, revalidateUntil: now, staleUntil: before.staleUntil },
      })
    }),
  )

  it.effect("an entry that is stale by time alone keeps its times", () =>
    Effect.gen(function* () {
      const engine = yield* over()
      keep(engine, "k", {}, Policy.make({ freshFor: "10 seconds" }))
      const before = engine.near.peek("k")!.entry
      yield* TestClock.adjust("11 seconds")
      expect((yield* look(engine)).entry).toEqual(before)
    }),
  )

  it.effect("what a mark has dropped is missing", () =>
    Effect.gen(function* () {
      const shared = has("shared", 2)
      const engine = yield* over(shared)
      engine.marks.add([undefined], false, engine.now())
      expect(shown(yield* look(engine))).toBe("Missing")
    }),
  )
})
