/** Larder over memory and Redis, where each read asks Redis whether memory is still right. */
import { MemoryTier, TierStack } from "@larder/core"
import { maxEntries } from "../source.ts"
import { larderOver } from "./larder.ts"
import { redisTier } from "./larderRedis.ts"

export const contender = larderOver(
  (redis) => TierStack.layer(MemoryTier.layer({ maxEntries }), redisTier(redis)),
  { check: true },
)
