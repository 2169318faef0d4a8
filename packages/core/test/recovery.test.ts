/** Changes that the arbiter missed while it was away: kept within a bound, replayed when it is back or the larder closes. */
import { expect, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Exit, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, layer as faultyShared } from "./support/faultyTier.ts"

interface Nodes {
  readonly shared: Faults
  /** A node with memory of its own over the shared tier of all. */
  readonly node: Effect.Effect<Larder.Larder<string, number, string>, never, Scope.Scope>
}

const nodes = Effect.gen(function* () {
  const shared = new Faults()
  const tier = Layer.succeedContext(yield* Layer.build(faultyShared(shared)))
  const self: Nodes = {
    shared,
    node: Effect.suspend(() =>
      Larder.make({
        name: "missed",
        value: Schema.Finite,
        tags: () => ["all"],
        upstream: Upstream.make({ lookup: (_: string) => Effect.fail("down") }),
        policy: Policy.make({ freshFor: "10 minutes", staleIfError: "1 hour" }),
      }).pipe(Effect.provide(TierStack.layer(MemoryTier.layer(), tier))),
    ),
  }
  return self
})

const test = (title: string, body: (nodes: Nodes) => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.effect(title, () =>
    Effect.andThen(
      TestClock.setTime(1_790_000_000_000),
      Effect.scoped(Effect.flatMap(nodes, body)),
    ),
  )

const changesSeen = ({ trips }: Faults) => trips.filter((trip) => /mark$|write/.test(trip))

/** How many changes the arbiter may have missed before they become one mark. */
const bound = 1_000

test("law 15: up to 1,000 missed keys are replayed one by one", ({ node, shared }) =>
  Effect.gen(function* () {
    const a = yield* node
    const b = yield* node
    yield* a.set("kept", 1)
    shared.turn("fail", "writes")
    for (let i = 0; i < bound; i++) yield* a.remove(`k${i}`)
    shared.turn("none", "all")
    shared.trips.length = 0
    yield* TestClock.adjust("10 seconds")
    expect(changesSeen(shared)).toEqual(Array(bound).fill("write"))
    expect((yield* b.read("kept")).freshness).toEqual({ _tag: "Fresh" })
  }))

test("law 15: beyond 1,000 missed keys one mark that covers everything replaces them", ({
  node,
  shared,
}) =>
  Effect.gen(function* () {
    const a = yield* node
    const b = yield* node
    yield* a.set("kept", 1)
    shared.turn("fail", "writes")
    for (let i = 0; i <= bound; i++) yield* a.remove(`k${i}`)
    shared.turn("none", "all")
    shared.trips.length = 0
    yield* TestClock.adjust("10 seconds")
    expect(changesSeen(shared)).toEqual(["mark"])
    expect((yield* b.read("kept")).freshness).toEqual({ _tag: "Stale", grace: "error" })
  }))

for (const keepStale of [true, false]) {
  test(`law 15: beyond 1,000 missed marks one that covers everything replaces them (keepStale ${keepStale})`, ({
    node,
    shared,
  }) =>
    Effect.gen(function* () {
      const a = yield* node
      const b = yield* node
      yield* a.set("kept", 1)
      shared.turn("fail", "writes")
      yield* a.invalidateTags(["first"], { keepStale })
      for (let i = 0; i < bound; i++) yield* a.invalidateTags([`t${i}`])
      shared.turn("none", "all")
      shared.trips.length = 0
      yield* TestClock.adjust("10 seconds")
      expect(changesSeen(shared)).toEqual(["mark"])
      // One of the marks drops: so does the mark that replaces them.
      const left = keepStale ? { _tag: "Stale", grace: "error" } : { _tag: "Missing" }
      expect((yield* b.read("kept")).freshness).toEqual(left)
    }))
}

for (const change of ["set", "expire", "remove", "invalidateTags", "clear"] as const) {
  test(`law 15: a larder that closes brings the arbiter what it missed: ${change}`, ({
    node,
    shared,
  }) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const a = yield* Scope.provide(node, scope)
      const b = yield* node
      yield* a.set("k", 1)
      const changes = {
        set: a.set("k", 2),
        expire: a.expire("k"),
        remove: a.remove("k"),
        invalidateTags: a.invalidateTags(["all"]),
        clear: a.clear(),
      }
      shared.turn("fail", "writes")
      expect((yield* changes[change]).settled).toBe(false)
      shared.turn("none", "all")
      yield* Scope.close(scope, Exit.void)
      // No time has gone by in which the replay could have come by itself.
      expect((yield* b.read("k")).freshness._tag).not.toBe("Fresh")
    }))
}

test("law 15: a read has the arbiter told what it missed first, and then gives what others set since", ({
  node,
  shared,
}) =>
  Effect.gen(function* () {
    const a = yield* node
    const b = yield* node
    yield* b.set("k", 1)
    shared.turn("fail", "writes")
    expect((yield* a.remove("k")).settled).toBe(false)
    shared.turn("none", "all")
    yield* TestClock.adjust(10)
    yield* b.set("k", 2)
    const { entry, freshness, tier } = yield* a.read("k")
    expect([entry?.value, freshness._tag, tier]).toEqual([2, "Fresh", "shared"])
  }))
