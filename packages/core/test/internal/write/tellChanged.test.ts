/** The events `Changed` and `Committed`. */
import { assert, it } from "@effect/vitest"
import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"
import { Effect, Fiber, Layer, PubSub, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Faults, layer as faultyShared } from "../../support/faultyTier.ts"

const start = 1_790_000_000_000

const larder = Larder.make({
  name: "changes",
  value: Schema.Finite,
  upstream: Upstream.make({
    lookup: (word: string) => Effect.delay(Effect.succeed(word.length), 5),
  }),
  policy: Policy.make({
    freshFor: "10 seconds",
    staleWhileRevalidate: "20 seconds",
    staleIfError: "1 hour",
  }),
  tags: () => ["words"],
  revision: (value) => value,
})

type Node = Effect.Success<typeof larder>

const told = <A, E>(node: Node, tag: string, effect: Effect.Effect<A, E>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const subscription = yield* node.subscribe
      const running = yield* Effect.forkChild(effect, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.await(running)
      const events = yield* PubSub.takeUpTo(subscription, 1_000)
      return events.flatMap(({ at: _, larder: __, ...event }) =>
        event._tag === tag ? [event] : [],
      )
    }),
  )

const on = (
  title: string,
  stack: (faults: Faults) => Layer.Layer<TierStack.TierStack>,
  body: (node: Node, faults: Faults) => Effect.Effect<void, unknown, Scope.Scope>,
) =>
  it.effect(title, () => {
    const faults = new Faults()
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      yield* body(yield* larder, faults)
    }).pipe(Effect.scoped, Effect.provide(stack(faults)))
  })

const memory = () => TierStack.layer(MemoryTier.layer())
const both = (faults: Faults) =>
  TierStack.layer(MemoryTier.layer(), Layer.fresh(faultyShared(faults)))

on("each change is told once, with its version as acknowledged", memory, (node) =>
  Effect.gen(function* () {
    const changes = {
      set: node.set("milk", 5),
      expire: node.expire("milk"),
      remove: node.remove("milk"),
    }
    for (const operation of ["set", "expire", "remove"] as const) {
      let version = 0
      const noted = Effect.map(changes[operation], (ack) => (version = ack.version))
      assert.deepStrictEqual(yield* told(node, "Changed", noted), [
        { _tag: "Changed", operation, key: "milk", version, settled: true, millis: 0 },
      ])
    }
    const tagged = yield* told(node, "Changed", node.invalidateTags(["words", "more"]))
    assert.deepInclude(tagged[0], { operation: "tags", tags: ["words", "more"], settled: true })
    const cleared = yield* told(node, "Changed", node.clear())
    assert.deepInclude(cleared[0], { operation: "clear", settled: true })
    assert.notProperty(cleared[0], "key")
    assert.deepStrictEqual([tagged.length, cleared.length], [1, 1])
  }),
)

on("a change that was refused is not told", memory, (node) =>
  Effect.gen(function* () {
    yield* node.set("milk", 5)
    assert.deepStrictEqual(yield* told(node, "Changed", node.set("milk", 4)), [])
  }),
)

on("each key of invalidateWhen is told", memory, (node) =>
  Effect.gen(function* () {
    yield* node.set("milk", 5)
    yield* node.set("tea", 5)
    const changes = yield* told(
      node,
      "Changed",
      node.invalidateWhen(({ key }) => key === "tea"),
    )
    assert.lengthOf(changes, 1)
    assert.deepInclude(changes[0], { operation: "expire", key: "tea" })
  }),
)

on("a change that the arbiter missed is told as not settled", both, (node, faults) =>
  Effect.gen(function* () {
    faults.turn("hang", "all")
    const [change] = yield* told(node, "Changed", node.set("milk", 5))
    assert.deepInclude(change, { operation: "set", settled: false })
    assert.isAbove((change as { readonly millis: number }).millis, 0)
    faults.turn("none", "all")
    yield* TestClock.adjust("1 minute")
  }),
)

const committed = {
  _tag: "Committed",
  key: "milk",
  tags: ["words"],
  times: {
    storedAt: start + 5,
    freshUntil: start + 10_005,
    revalidateUntil: start + 30_005,
    staleUntil: start + 3_610_005,
    loadMillis: 5,
  },
}

on("a stored value is told with its times and tags", memory, (node) =>
  Effect.gen(function* () {
    const [event, ...more] = yield* told(node, "Committed", node.get("milk"))
    assert.containSubset(event, { ...committed, tiers: ["memory"] })
    assert.lengthOf(more, 0)
    const { entry } = yield* node.read("milk")
    assert.containSubset(event, { version: entry?.version, times: { asOf: entry?.asOf } })
  }),
)

on("a stored value is told with the tiers that have it", both, (node, faults) =>
  Effect.gen(function* () {
    const [event] = yield* told(node, "Committed", node.get("milk"))
    assert.containSubset(event, { ...committed, tiers: ["memory", "shared"] })
    faults.turn("fail", "writes")
    const [own] = yield* told(node, "Committed", node.get("tea"))
    assert.containSubset(own, { key: "tea", tiers: ["memory"] })
    faults.turn("none", "all")
    yield* TestClock.adjust("1 minute")
  }),
)
