/** The network between a shared tier and its nodes, with the faults of messages. */
import type { MemoryTier } from "@larder/core"
import type { ChaosHandle } from "./handle.ts"

export const networkOf = (chaos: ChaosHandle): MemoryTier.Network => ({
  deliver: ({ _tag }, { larder, number }) => {
    const place = chaos.subscriber(larder, number)
    const faults = place === undefined ? {} : chaos.of("messages", place)
    const isSpared = _tag === "Heartbeat" && faults.spareHeartbeats === true
    return isSpared ? [0] : chaos.delays(faults)
  },
})
