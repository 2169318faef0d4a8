/** The network between a shared tier and its nodes, with the faults of messages. */
import type { MemoryTier } from "@larder/core"
import type { ChaosHandle } from "./handle.ts"

export const networkOf = (chaos: ChaosHandle): MemoryTier.Network => ({
  deliver: ({ _tag }, { receive }) => {
    const place = chaos.subscriber(receive)
    const faults = place === undefined ? {} : chaos.of("messages", place)
    const isSpared = _tag === "Heartbeat" && faults.spareHeartbeats === true
    return isSpared ? [0] : chaos.delays(faults)
  },
})

/** Tiers over such a network, which also loses heartbeats. */
const networked = new WeakSet<object>()

export const overNetwork = <T extends object>(tier: T): T => {
  networked.add(tier)
  return tier
}

/** Whether the messages of this tier have their faults on the way. */
export const hasMessageFaults = (tier: object): boolean => networked.has(tier)
