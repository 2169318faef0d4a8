/**
 * The stack of tiers, chosen by Config. `LARDER_STACK` is one of
 *
 * - `development`: memory; nothing to install, nothing left behind.
 * - `chaos`: memory before a shared tier that misbehaves; for tests.
 * - `box`: memory before a file, `LARDER_FILE`; one machine, warm after a restart.
 * - `production`: memory before Redis, `REDIS_URL`; many machines.
 */
import { MemoryTier, TierStack } from "@larder/core"
import { RedisClient, RedisTier } from "@larder/redis"
import { SqliteTier } from "@larder/sqlite"
import { Config, Effect, Layer } from "effect"
import * as Chaos from "./chaos.ts"

export const environments = ["development", "chaos", "box", "production"] as const

export const Environment = Config.Literals(environments, "LARDER_STACK").pipe(
  Config.withDefault("development"),
)

const memory = MemoryTier.layer({ maxEntries: 10_000 })

const development = TierStack.layer(memory)

const chaos = TierStack.layer(memory, Chaos.layer(MemoryTier.layerShared, 10))

const box = Layer.unwrap(
  Effect.map(Config.String("LARDER_FILE"), (filename) =>
    TierStack.layer(memory, SqliteTier.layer({ filename })),
  ),
)

const production = Layer.unwrap(
  Effect.map(Config.String("LARDER_PREFIX").pipe(Config.withDefault("environments")), (prefix) =>
    TierStack.layer(memory, RedisTier.layer({ prefix })),
  ),
).pipe(Layer.provide(RedisClient.layerConfig({ url: Config.Redacted("REDIS_URL") })))

type Failure = Layer.Error<typeof box> | Layer.Error<typeof production>

const stacks: Readonly<
  Record<(typeof environments)[number], Layer.Layer<TierStack.TierStack, Failure>>
> = { development, chaos, box, production }

export const layer = Layer.unwrap(Effect.map(Environment, (environment) => stacks[environment]))
