import { MemoryTier } from "@larder/core"
import * as TierConformance from "../src/TierConformance.ts"

TierConformance.suite({ name: "MemoryTier.layer", layer: MemoryTier.layer() })
TierConformance.suite({ name: "MemoryTier.layerShared", layer: MemoryTier.layerShared })
TierConformance.suite({
  name: "MemoryTier.layerSharedWith other limits",
  layer: MemoryTier.layerSharedWith({
    leaseTime: "3 seconds",
    leaseWait: "20 seconds",
    markMaxAge: "1 second",
    settleTime: "5 minutes",
    breaker: { failures: 2, openFor: "1 second" },
  }),
})
TierConformance.suite({
  name: "MemoryTier.layerSharedWith pushed values",
  layer: MemoryTier.layerSharedWith({ push: { maxBytes: 1_000 } }),
})
