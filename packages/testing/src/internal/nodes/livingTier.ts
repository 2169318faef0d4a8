/** A byte tier, as a process reaches it that may stand still or die. */
import { Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { wrapTier } from "../wrapTier.ts"
import { type Life, Living } from "./life.ts"

/** A request leaves a process that runs, and its answer, a failure included, arrives in one. */
const tierFor = (tier: Tier.ByteTier, life: Life): Tier.ByteTier =>
  wrapTier(tier, () => ({
    around: ({ run }) =>
      Effect.andThen(
        life.running,
        Effect.flatMap(Effect.exit(run), (exit) => Effect.andThen(life.running, exit)),
      ),
    listen: (listen, receive) => listen((message) => life.receives(() => receive(message))),
  }))

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
