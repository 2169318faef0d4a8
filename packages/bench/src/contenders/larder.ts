/** Larder over memory. */
import { MemoryTier, TierStack } from "@larder/core"
import { maxEntries } from "../Case.ts"
import { larderOver } from "./product.ts"

export const stack = TierStack.layer(MemoryTier.layer({ maxEntries }))

export const contender = larderOver(stack)
