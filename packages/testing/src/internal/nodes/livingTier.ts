/** A byte tier, as a process reaches it that may stand still or die. */
import { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { sameAs } from "../chaos/tier.ts"
import { each } from "./operations.ts"
import { type Life, Living } from "./life.ts"

const tierFor = (tier: Tier.ByteTier, life: Life): Tier.ByteTier => {
  const living: Tier.ByteTier = {
    ...tier,
    open: (options) =>
      Effect.map(tier.open(options), (store) =>
        each(store, {
          around: (effect) => Effect.andThen(life.reached, Effect.tap(effect, life.reached)),
          receives: (receive) => (message) => life.receives(() => receive(message)),
        }),
      ),
  }
  sameAs(living, tier)
  return living
}

/** The tier, reached by the node that the layer is built for. */
export const living = <E, R>(layer: Layer.Layer<Tier.Tier, E, R>): Layer.Layer<Tier.Tier, E, R> =>
  Layer.provide(
    Layer.effect(
      Tier.Tier,
      Effect.gen(function* () {
        const tier = yield* Tier.Tier
        const life = yield* Living
        return tier.kind === "bytes" ? tierFor(tier, life) : tier
      }),
    ),
    layer,
  )
