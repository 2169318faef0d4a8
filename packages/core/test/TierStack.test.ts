import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layerShared } from "../src/internal/arbitrate/sharedTier.ts"
import { Tier } from "../src/Tier.ts"
import type { ByteStore, ByteTier } from "../src/Tier.ts"
import * as TierStack from "../src/TierStack.ts"

const named = (name: string): ByteTier => ({
  kind: "bytes",
  name,
  scope: "machine",
  abilities: { notifies: false },
  open: () =>
    Effect.succeed<ByteStore>({
      read: (keys) => Effect.succeed(keys.map(() => undefined)),
      put: () => Effect.succeed(true),
      drop: () => Effect.void,
      arbiter: undefined,
    }),
})
const tier = (name: string) => Layer.succeed(Tier, named(name))

const tiersOf = <E, R>(stack: Layer.Layer<TierStack.TierStack, E, R>) =>
  Effect.map(Layer.build(stack), (context) => Context.get(context, TierStack.TierStack).tiers)

class Disk extends Context.Service<Disk, { readonly path: string }>()("test/Disk") {}
class Net extends Context.Service<Net, { readonly url: string }>()("test/Net") {}
class DiskError extends Error {}
class NetError extends Error {}

const onDisk: Layer.Layer<Tier, DiskError, Disk> = Layer.effect(
  Tier,
  Effect.map(Disk, ({ path }) => named(path)),
)
const onNet: Layer.Layer<Tier, NetError, Net> = Layer.effect(
  Tier,
  Effect.map(Net, ({ url }) => named(url)),
)

describe("TierStack.layer", () => {
  it.effect("keeps the order, nearest first, for any number of tiers", () =>
    Effect.gen(function* () {
      const farther = ["b", "c", "d"].map(tier)
      const tiers = yield* tiersOf(TierStack.layer(tier("a"), ...farther))
      assert.deepStrictEqual(
        tiers.map(({ name }) => name),
        ["a", "b", "c", "d"],
      )
    }),
  )

  it.effect("needs and fails with what its tiers need and fail with", () =>
    Effect.gen(function* () {
      const stack = TierStack.layer(onDisk, onNet)
      expectTypeOf(stack).toEqualTypeOf<
        Layer.Layer<TierStack.TierStack, DiskError | NetError, Disk | Net>
      >()
      const provided = Layer.provide(stack, [
        Layer.succeed(Disk, { path: "/a" }),
        Layer.succeed(Net, { url: "b:" }),
      ])
      const tiers = yield* tiersOf(provided)
      assert.deepStrictEqual(
        tiers.map(({ name }) => name),
        ["/a", "b:"],
      )
    }),
  )

  it.effect("fails with the error of the tier that cannot be built", () =>
    Effect.gen(function* () {
      const broken = Layer.effect(Tier, Effect.fail("no disk" as const))
      const error = yield* Effect.flip(tiersOf(TierStack.layer(tier("a"), broken)))
      assert.strictEqual(error, "no disk")
    }),
  )

  it("accepts no empty stack, and no layer of something else", () => {
    const mistakes = () => [
      // @ts-expect-error at least one tier
      TierStack.layer(),
      // @ts-expect-error a disk is no tier
      TierStack.layer(Layer.succeed(Disk, { path: "/a" })),
      // @ts-expect-error not a layer
      TierStack.layer(named("a")),
    ]
    assert.isFunction(mistakes)
    const more = TierStack.layer(Layer.merge(tier("a"), Layer.succeed(Disk, { path: "/a" })))
    expectTypeOf(more).toEqualTypeOf<Layer.Layer<TierStack.TierStack>>()
  })

  it.effect("one layer value is one tier, in one stack and in all stacks of a build", () =>
    Effect.gen(function* () {
      const twice = yield* tiersOf(TierStack.layer(layerShared, layerShared))
      assert.strictEqual(twice[0], twice[1])

      class NodeA extends Context.Service<NodeA, unknown>()("test/NodeA") {}
      class NodeB extends Context.Service<NodeB, unknown>()("test/NodeB") {}
      const far = Effect.map(TierStack.TierStack, ({ tiers }) => tiers[1])
      const nodes = Layer.merge(
        Layer.provide(Layer.effect(NodeA, far), TierStack.layer(tier("a"), layerShared)),
        Layer.provide(Layer.effect(NodeB, far), TierStack.layer(tier("b"), layerShared)),
      )
      const context = yield* Layer.build(nodes)
      assert.isDefined(Context.get(context, NodeA))
      assert.strictEqual(Context.get(context, NodeA), Context.get(context, NodeB))
    }),
  )

  it.effect("fresh layers and separate builds have tiers of their own", () =>
    Effect.gen(function* () {
      const fresh = Layer.fresh(layerShared)
      const [a, b] = yield* tiersOf(TierStack.layer(fresh, layerShared))
      assert.notStrictEqual(a, b)
      const stack = TierStack.layer(layerShared)
      const build = Effect.gen(function* () {
        const scope = yield* Effect.scope
        const memoMap = yield* Layer.makeMemoMap
        return Context.get(
          yield* Layer.buildWithMemoMap(stack, memoMap, scope),
          TierStack.TierStack,
        ).tiers[0]
      })
      assert.notStrictEqual(yield* build, yield* build)
    }),
  )

  it.effect("closing the build closes its tiers", () =>
    Effect.gen(function* () {
      const closed: Array<string> = []
      const closing = (name: string) =>
        Layer.effect(
          Tier,
          Effect.acquireRelease(Effect.succeed(named(name)), () =>
            Effect.sync(() => closed.push(name)),
          ),
        )
      yield* Effect.scoped(tiersOf(TierStack.layer(closing("near"), closing("far"))))
      assert.sameMembers(closed, ["near", "far"])
    }),
  )
})
