/** A tier of the machine, which outlives the process: with an arbiter behind it, and as the farthest tier. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, fileLayer, layer as sharedLayer } from "./support/faultyTier.ts"

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

interface Machine {
  readonly file: Faults
  readonly shared: Faults
  /** A process of the machine: memory of its own, the tiers behind it as they are. */
  readonly start: (
    memory?: number,
  ) => Effect.Effect<Larder.Larder<string, number, string>, never, Scope.Scope>
  asked: number
  upstream: Effect.Effect<number, string>
}

/** Two machines, each with a file of its own, over one shared tier; or one without it. */
const machine = (behind: "arbiter" | "nothing", shared = sharedLayer(new Faults())) =>
  Effect.gen(function* () {
    const faults = { file: new Faults(), shared: new Faults() }
    const tier = yield* Layer.build(behind === "arbiter" ? shared : Layer.empty)
    const file = yield* Layer.build(fileLayer(faults.file))
    const self: Machine = {
      ...faults,
      asked: 0,
      upstream: Effect.sync(() => (self.asked += 1)),
      start: (maxEntries = 100) => {
        const memory = MemoryTier.layer({ maxEntries })
        const stack =
          behind === "arbiter"
            ? TierStack.layer(
                memory,
                Layer.succeedContext(file),
                Layer.succeedContext(tier as never),
              )
            : TierStack.layer(memory, Layer.succeedContext(file))
        return Larder.make({
          name: "restarts",
          value: Schema.Finite,
          tags: () => ["all"],
          upstream: Upstream.make({ lookup: (_: string) => Effect.suspend(() => self.upstream) }),
          policy: Policy.make({
            freshFor: "10 minutes",
            staleIfError: "1 hour",
            tierTimeout: 100,
            hardTimeout: "1 second",
          }),
        }).pipe(Effect.provide(stack))
      },
    }
    return self
  })

const test = (title: string, body: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () => Effect.andThen(TestClock.setTime(1_790_000_000_000), Effect.scoped(body)))

/** One run of the process. */
const run = <A, E>(
  { start }: Machine,
  body: (larder: Larder.Larder<string, number, string>) => Effect.Effect<A, E, Scope.Scope>,
) => Effect.andThen(TestClock.adjust(10), Effect.scoped(Effect.flatMap(start(), body)))

test(
  "law 19: after a restart what the file has is not fresh until the arbiter has confirmed it",
  Effect.gen(function* () {
    const shared = yield* Layer.build(sharedLayer(new Faults()))
    const a = yield* machine("arbiter", Layer.succeedContext(shared))
    const b = yield* machine("arbiter", Layer.succeedContext(shared))
    yield* run(a, (larder) => Effect.andThen(larder.set("changed", 1), larder.set("same", 1)))
    yield* run(b, (larder) => larder.set("changed", 2))
    yield* run(a, (larder) =>
      Effect.gen(function* () {
        expect(yield* larder.get("changed")).toBe(2)
        expect(yield* larder.get("same")).toBe(1)
        expect(a.asked).toBe(0)
      }),
    )
  }),
)

test(
  "law 19: with the arbiter away after a restart, the file answers only when upstream fails",
  Effect.gen(function* () {
    const faults = new Faults()
    const a = yield* machine("arbiter", sharedLayer(faults))
    yield* run(a, (larder) => larder.set("k", 100))
    faults.turn("fail", "all")
    a.upstream = Effect.fail("down")
    yield* run(a, (larder) =>
      Effect.gen(function* () {
        const { freshness, value } = yield* larder.getWithMeta("k")
        expect([value, freshness]).toEqual([100, { _tag: "Stale", grace: "error" }])
      }),
    )
    a.upstream = Effect.succeed(7)
    yield* run(a, (larder) => Effect.map(larder.get("k"), (value) => expect(value).toBe(7)))
  }),
)

test(
  "law 12: with the arbiter away after a restart, a clear that drops covers what the file has",
  Effect.gen(function* () {
    const faults = new Faults()
    const a = yield* machine("arbiter", sharedLayer(faults))
    yield* run(a, (larder) => larder.set("k", 100))
    faults.turn("fail", "all")
    a.upstream = Effect.fail("down")
    yield* run(a, (larder) =>
      Effect.gen(function* () {
        expect((yield* larder.clear({ keepStale: false })).settled).toBe(false)
        expect((yield* larder.read("k")).freshness._tag).toBe("Missing")
        expect(yield* Effect.flip(larder.get("k"))).toBe("down")
        faults.turn("none", "all")
      }),
    )
  }),
)

test(
  "law 1: what a larder itself has kept in the file is fresh for it",
  Effect.gen(function* () {
    const a = yield* machine("arbiter")
    const larder = yield* a.start(1)
    yield* larder.get("k")
    yield* larder.get("other")
    a.file.trips.length = 0
    expect(yield* larder.getWithMeta("k")).toMatchObject({ value: 1, tier: "file" })
    expect(a.file.trips).toEqual(["read"])
    expect(a.asked).toBe(2)
  }),
)

test(
  "laws 11, 12: what a file did not drop is not given, and dropped when it can be",
  Effect.gen(function* () {
    const a = yield* machine("arbiter")
    const larder = yield* a.start(1)
    yield* larder.set("k", 100)
    yield* larder.set("other", 100)
    a.file.turn("fail", "writes")
    expect(yield* larder.remove("k")).toMatchObject({ settled: false, pending: ["file"] })
    expect((yield* larder.read("k")).freshness._tag).toBe("Missing")
    a.file.turn("none", "all")
    a.file.trips.length = 0
    yield* TestClock.adjust("1 second")
    expect(a.file.trips).toEqual(["drop"])
    expect((yield* larder.read("k")).freshness._tag).toBe("Missing")
  }),
)

test(
  "laws 12, 13: a change without the arbiter is above whatever the file has",
  Effect.gen(function* () {
    const faults = new Faults()
    const a = yield* machine("arbiter", sharedLayer(faults))
    yield* run(a, (larder) => Effect.andThen(larder.set("k", 1), larder.set("removed", 1)))
    const larder = yield* a.start(1)
    faults.turn("fail", "all")
    a.upstream = Effect.fail("down")
    yield* larder.set("k", 2)
    yield* larder.remove("removed")
    yield* larder.set("other", 3)
    expect(yield* larder.get("k")).toBe(2)
    expect(yield* Effect.flip(larder.get("removed"))).toBe("down")
    // Well again before the larder closes, which tells the arbiter what it missed.
    faults.turn("none", "all")
  }),
)

test(
  "law 11: a value that reaches the file after its key was dropped does not stay there",
  Effect.gen(function* () {
    const a = yield* machine("arbiter")
    const larder = yield* a.start(1)
    a.file.turn("slow", "writes")
    yield* larder.get("k")
    // The commit is through, the file is being written; the removal overtakes it.
    a.file.turn("none", "all")
    const removed = yield* fork(larder.remove("k"))
    yield* TestClock.adjust(500)
    yield* Fiber.join(removed)
    a.upstream = Effect.fail("down")
    expect(yield* Effect.flip(larder.get("k"))).toBe("down")
  }),
)

test(
  "law 12: marks that nobody keeps are lost with the process, and what they may have covered is stale",
  Effect.gen(function* () {
    const a = yield* machine("nothing")
    yield* run(a, (larder) =>
      Effect.gen(function* () {
        yield* larder.set("k", 100)
        yield* larder.invalidateTags(["all"])
      }),
    )
    yield* run(a, (larder) =>
      Effect.gen(function* () {
        expect((yield* larder.read("k")).freshness).toEqual({ _tag: "Stale", grace: "error" })
        expect(yield* larder.get("k")).toBe(1)
      }),
    )
  }),
)

test(
  "law 13: a value set after a restart is not lost to one that the file has from before",
  Effect.gen(function* () {
    const a = yield* machine("nothing")
    yield* run(a, (larder) =>
      Effect.forEach([1, 2, 3, 4], (value) => larder.set("k", value), { discard: true }),
    )
    yield* run(a, (larder) => larder.set("k", 5))
    a.upstream = Effect.fail("down")
    yield* run(a, (larder) => Effect.map(larder.get("k"), (value) => expect(value).toBe(5)))
  }),
)

test(
  "law 22: a lookup that is interrupted by the end gives its lease back, also among many",
  Effect.gen(function* () {
    const a = yield* machine("arbiter")
    const scope = yield* Scope.make()
    const first = yield* Scope.provide(a.start(1), scope)
    yield* first.set("there", 1)
    yield* first.set("other", 1)
    a.upstream = Effect.never
    yield* fork(Effect.exit(first.getMany(["there", "missing"])))
    yield* Scope.close(scope, Exit.void)
    a.upstream = Effect.succeed(8)
    const second = yield* a.start()
    expect(yield* second.get("missing")).toBe(8)
  }),
)

test(
  "law 7: a result that settles is not joined after its tag was marked, whatever else has completed",
  Effect.gen(function* () {
    const shared = new Faults()
    const a = yield* machine("arbiter", sharedLayer(shared))
    const larder = yield* a.start()
    yield* larder.get("warm")
    shared.turn("late", "all")
    expect(yield* larder.get("k")).toBe(2)
    yield* larder.invalidateTags(["all"])
    shared.turn("none", "all")
    yield* larder.get("other")
    const again = yield* fork(larder.get("k"))
    yield* TestClock.adjust("20 seconds")
    expect(yield* Fiber.join(again)).toBeGreaterThan(2)
  }),
)

test(
  "law 1: what is adopted from the farthest tier is then in those in between",
  Effect.gen(function* () {
    const shared = Layer.succeedContext(yield* Layer.build(sharedLayer(new Faults())))
    const a = yield* machine("arbiter", shared)
    const b = yield* machine("arbiter", shared)
    yield* run(a, (larder) => larder.set("k", 100))
    const larder = yield* b.start(1)
    expect((yield* larder.getWithMeta("k")).tier).toBe("shared")
    // Memory has room for one.
    yield* larder.get("other")
    expect(yield* larder.getWithMeta("k")).toMatchObject({ value: 100, tier: "file" })
    expect(b.asked).toBe(1)
  }),
)

test(
  "law 13: what a node guessed while the arbiter was away does not stand in the way of a later value",
  Effect.gen(function* () {
    const faults = new Faults()
    const shared = Layer.succeedContext(yield* Layer.build(sharedLayer(faults)))
    const a = yield* machine("arbiter", shared)
    const b = yield* machine("arbiter", shared)
    const larder = yield* a.start(1)
    yield* larder.set("k", 1)
    faults.turn("fail", "all")
    yield* larder.set("k", 3)
    a.file.turn("fail", "writes")
    yield* larder.set("k", 4)
    a.file.turn("none", "all")
    faults.turn("none", "all")
    // The replay removes what the arbiter missed; then another node sets the key.
    yield* larder.set("other", 0)
    const other = yield* b.start()
    yield* other.set("k", 5)
    // The file still has value 3.
    expect(yield* larder.get("k")).toBe(5)
    yield* larder.set("other", 0)
    faults.turn("fail", "all")
    a.upstream = Effect.fail("down")
    // Value 5 has taken the place of value 3: its version is above all that were guessed.
    expect(yield* larder.get("k")).toBe(5)
  }),
)
