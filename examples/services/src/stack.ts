/** The tiers of each service: its own memory, and the Redis that all share. */
import { MemoryTier, TierStack } from "@larder/core"
import { RedisClient, RedisTier } from "@larder/redis"
import { Layer } from "effect"

export const stack = (prefix: string) =>
  TierStack.layer(MemoryTier.layer(), RedisTier.layer({ prefix }))

export const overRedis = ({
  prefix,
  redisUrl,
}: {
  readonly prefix: string
  readonly redisUrl: string
}) => stack(prefix).pipe(Layer.provideMerge(RedisClient.layer({ url: redisUrl })))
