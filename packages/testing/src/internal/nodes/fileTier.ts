/** A file of one node, simulated: a tier of this machine that stores bytes and outlives its node's process. */
import { MemoryTier, Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export const fileTier: Layer.Layer<Tier.Tier> = Layer.effect(
  Tier.Tier,
  Effect.map(Tier.Tier, (tier) =>
    tier.kind === "objects"
      ? tier
      : { ...tier, name: "file", scope: "machine" as const, abilities: { notifies: false } },
  ),
).pipe(Layer.provide(Layer.fresh(MemoryTier.layerShared)))
