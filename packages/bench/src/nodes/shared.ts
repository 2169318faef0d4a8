/** The larder that all nodes of these measurements have: its policy only ends values by changes. */
import { Larder, MemoryTier, Policy, type Tier, TierStack, Upstream } from "@larder/core"
import { RedisClient, RedisTier } from "@larder/redis"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"

export const freshMillis = 3_600_000

const policy = Policy.make({ freshFor: freshMillis, staleIfError: freshMillis })

export interface NodeOptions {
  readonly name: string
  /** The tier that all nodes share. */
  readonly shared: Layer.Layer<Tier.Tier, unknown>
  readonly lookup: (key: string) => Effect.Effect<string>
  readonly policy?: Policy.Policy | undefined
}

/** One node: a larder over memory of its own and the shared tier. */
export const openNode = ({ lookup, name, policy: own = policy, shared }: NodeOptions) =>
  Effect.gen(function* () {
    const stack = yield* Layer.build(Layer.fresh(TierStack.layer(MemoryTier.layer(), shared)))
    return yield* Larder.make({
      name,
      value: Schema.String,
      upstream: Upstream.make({ lookup }),
      policy: own,
    }).pipe(Effect.provideContext(stack))
  })

export interface TierOptions {
  readonly prefix: string
  readonly heartbeat?: Duration.Input | undefined
  readonly pushBytes?: number | undefined
}

export const redisTier = (
  url: string,
  { heartbeat, prefix, pushBytes = 0 }: TierOptions,
): Layer.Layer<Tier.Tier, unknown> =>
  RedisTier.layer({
    prefix,
    heartbeat,
    push: pushBytes === 0 ? undefined : { maxBytes: pushBytes },
  }).pipe(Layer.provide(RedisClient.layer({ url })), Layer.provide(Logger.layer([])))
