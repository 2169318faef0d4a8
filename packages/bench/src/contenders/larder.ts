/** Larder over memory. */
import { MemoryTier, TierStack } from "@larder/core"
import { maxEntries } from "../Case.ts"
import { larderOver } from "./product.ts"

export const contender = larderOver("Larder", TierStack.layer(MemoryTier.layer({ maxEntries })))
