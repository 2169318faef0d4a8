import { MemoryTier } from "@larder/core"
import * as TierConformance from "../src/TierConformance.ts"

TierConformance.suite({ name: "MemoryTier.layer", layer: MemoryTier.layer() })
TierConformance.suite({ name: "MemoryTier.layerShared", layer: MemoryTier.layerShared })
