/**
 * The tiers of a larder (L1, L2, ...): an ordered list, nearest first. Larders take the stack as a
 * service, so that an application swaps its tiers per environment and leaves its larders as they
 * are.
 *
 * @module
 * @category tiers
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { InvalidOptions } from "./InvalidOptions.ts"
import { Tier } from "./Tier.ts"
import type { ByteTier, ObjectTier } from "./Tier.ts"

/**
 * The service: the tiers of an application, nearest first. Provide it with {@link layer}.
 *
 * **Example**
 *
 * ```ts
 * import { MemoryTier, TierStack } from "@larder/core"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const names = Effect.map(TierStack.TierStack, ({ tiers }) => tiers.map(({ name }) => name))
 * const stack = TierStack.layer(MemoryTier.layer())
 * assert.deepStrictEqual(Effect.runSync(Effect.provide(names, stack)), ["memory"])
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class TierStack extends Context.Service<
  TierStack,
  { readonly tiers: NonEmptyReadonlyArray<ObjectTier | ByteTier> }
>()("@larder/core/TierStack") {}

type TierLayer = Layer.Layer<Tier, unknown, unknown>

/**
 * Makes the stack of an application from its tiers, nearest first; at least one.
 *
 * **Details**
 *
 * Tiers are built in their order. The errors and requirements of the stack are
 * those of all its tiers. What is no layer is a defect, `InvalidOptions`.
 *
 * **Gotchas**
 *
 * Effect builds a layer value once per build: two stacks of one build that name
 * the same value, or one stack that names it twice, have *one* tier. So
 * `MemoryTier.layerShared` is a value: give it to the stacks of several nodes and
 * build them together (in one `Layer.build` or `Effect.provide`, or with one
 * `MemoMap`), and the nodes share it. Each call of `MemoryTier.layer()` makes a
 * new layer, so call it once per node. `Layer.fresh` makes separate instances of
 * one layer value.
 *
 * **Example**
 *
 * ```ts
 * import { strict as assert } from "node:assert"
 * import { Effect, Layer } from "effect"
 * import { MemoryTier, TierStack } from "@larder/core"
 *
 * const stack = TierStack.layer(MemoryTier.layer(), MemoryTier.layerShared)
 *
 * const names = Effect.gen(function* () {
 *   const { tiers } = yield* TierStack.TierStack
 *   return tiers.map((tier) => tier.scope)
 * })
 * assert.deepEqual(await Effect.runPromise(Effect.provide(names, stack)), ["process", "shared"])
 *
 * // A stack that shares nothing with any other:
 * const alone = TierStack.layer(MemoryTier.layer(), Layer.fresh(MemoryTier.layerShared))
 * assert.equal(Layer.isLayer(alone), true)
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <const Layers extends readonly [TierLayer, ...Array<TierLayer>]>(
  ...layers: Layers
): Layer.Layer<TierStack, Layer.Error<Layers[number]>, Layer.Services<Layers[number]>> => {
  type Each = Layer.Layer<Tier, Layer.Error<Layers[number]>, Layer.Services<Layers[number]>>
  const [nearest, ...farther] = layers as unknown as readonly [Each, ...Array<Each>]
  return Layer.fromBuildMemo((memoMap, scope) => {
    // With the memo map of the whole build: `Layer.build` would fork one, and each stack
    // would get a shared tier of its own.
    const build = (tier: Each) =>
      Effect.map(Layer.buildWithMemoMap(tier, memoMap, scope), Context.get(Tier))
    return Effect.gen(function* () {
      const mistake = mistakeIn([nearest, ...farther])
      if (mistake !== undefined) return yield* Effect.die(mistake)
      const first = yield* build(nearest)
      const others = yield* Effect.forEach(farther, build)
      return Context.make(TierStack, { tiers: [first, ...others] })
    })
  })
}

const mistakeIn = (layers: ReadonlyArray<unknown>): InvalidOptions | undefined => {
  const at = layers.findIndex((tier) => !Layer.isLayer(tier))
  if (at === -1) return undefined
  const must = "be the layer of a tier, such as MemoryTier.layer()"
  return InvalidOptions.of({ module: "TierStack", field: `tiers[${at}]`, must, got: layers[at] })
}
