/** When a larder subscribes to messages, and what it suspects where it could not. */
import { expect } from "@effect/vitest"
import { MemoryTier, Tier, TierStack } from "@larder/core"
import { Effect, Exit, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { make, source, start, test } from "../../support/nodes.ts"

/** A shared tier of which a test decides whether a larder can subscribe. */
const opened = Effect.gen(function* () {
  yield* start
  const state = { isAway: false, attempts: 0, subscribed: 0 }
  const away = Effect.fail(
    new Tier.TierError({ tier: "shared", operation: "listen", cause: new Error("away") }),
  )
  const listenVia =
    (listen: NonNullable<Tier.Arbiter["listen"]>): NonNullable<Tier.Arbiter["listen"]> =>
    (receive) =>
      Effect.suspend(() => {
        state.attempts += 1
        const counted = Effect.acquireRelease(
          Effect.sync(() => void (state.subscribed += 1)),
          () => Effect.sync(() => void (state.subscribed -= 1)),
        )
        return Effect.andThen(counted, state.isAway ? away : listen(receive))
      })
  const layer = Layer.effect(
    Tier.Tier,
    Effect.map(Tier.Tier, (tier) => {
      if (tier.kind !== "bytes") throw new Error("the shared tier keeps bytes")
      return {
        ...tier,
        open: (options: { readonly larder: string }) =>
          Effect.map(tier.open(options), (store) => {
            const arbiter = store.arbiter!
            return { ...store, arbiter: { ...arbiter, listen: listenVia(arbiter.listen!) } }
          }),
      }
    }),
  ).pipe(Layer.provide(Layer.fresh(MemoryTier.layerShared)))
  const shared = Layer.succeedContext(yield* Layer.build(layer))
  const from = source(Effect.succeed(1))
  const policy = { freshFor: "1 hour" } as const
  const node = make(from, TierStack.layer(MemoryTier.layer(), shared), { policy })
  return { state, from, node }
})

test(
  "a larder subscribes once, before its first call, and ends the subscription when it closes",
  Effect.gen(function* () {
    const { node, state } = yield* opened
    const scope = yield* Scope.make()
    const a = yield* Scope.provide(node, scope)
    expect(state).toMatchObject({ attempts: 1, subscribed: 1 })
    yield* a.get("k")
    yield* TestClock.adjust("1 minute")
    expect(state.attempts).toBe(1)
    expect((yield* a.stats).gaps).toBe(0)
    yield* Scope.close(scope, Exit.void)
    expect(state.subscribed).toBe(0)
  }),
)

test(
  "law 19: without a subscription there is one gap, and another attempt each second",
  Effect.gen(function* () {
    const { node, state } = yield* opened
    state.isAway = true
    const a = yield* node
    expect(state.attempts).toBe(1)
    yield* TestClock.adjust("3 seconds")
    expect(state).toMatchObject({ attempts: 4, subscribed: 0 })
    expect((yield* a.stats).gaps).toBe(1)
    state.isAway = false
    yield* TestClock.adjust("1 minute")
    expect(state).toMatchObject({ attempts: 5, subscribed: 1 })
  }),
)

test(
  "law 19: what a node read before it could subscribe is confirmed once it can",
  Effect.gen(function* () {
    const { from, node, state } = yield* opened
    const b = yield* node
    state.isAway = true
    const a = yield* node
    yield* a.get("k")
    yield* b.set("k", 2)
    // Nothing tells `a` so far.
    expect(yield* a.get("k")).toBe(1)
    state.isAway = false
    yield* TestClock.adjust("1 second")
    from.asked = 0
    expect(yield* a.get("k")).toBe(2)
    expect(from.asked).toBe(0)
    yield* b.set("k", 3)
    expect(yield* a.get("k")).toBe(3)
  }),
)

test(
  "law 22: a larder that closes while it cannot subscribe does not try again",
  Effect.gen(function* () {
    const { node, state } = yield* opened
    state.isAway = true
    const scope = yield* Scope.make()
    yield* Scope.provide(node, scope)
    yield* Scope.close(scope, Exit.void)
    yield* TestClock.adjust("10 seconds")
    expect(state.attempts).toBe(1)
  }),
)
