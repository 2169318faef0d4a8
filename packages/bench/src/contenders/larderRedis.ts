/** Larder over Redis alone: what a miss in memory costs that Redis answers. */
import { TierStack } from "@larder/core"
import { RedisClient, RedisTier } from "@larder/redis"
import * as Layer from "effect/Layer"
import { redisUrl } from "../redis.ts"
import { larderOver } from "./product.ts"

export const contender = larderOver(
  TierStack.layer(
    RedisTier.layer({ prefix: "larder" }).pipe(
      Layer.provide(RedisClient.layer({ url: redisUrl() })),
    ),
  ),
)
