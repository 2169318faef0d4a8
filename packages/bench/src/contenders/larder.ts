/** Larder over memory. */
import { MemoryTier, TierStack } from "@larder/core"
import { maxEntries } from "../sizes.ts"
import { larderOver } from "./product.ts"

export const contender = larderOver(TierStack.layer(MemoryTier.layer({ maxEntries })))
