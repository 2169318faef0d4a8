/** Larder over Redis alone: the cost of a memory miss that Redis answers. */
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
