/**
 * The modules for authors of tiers: the service and its stores, the format of stored entries, an
 * arbiter's decisions, the heartbeat of messages, the log of a tier, what keeps a process alive, and the
 * error for invalid options. `@larder/core` exports all of them as well.
 *
 * @module @larder/core/tier
 * @category packages
 * @since 0.1.0
 */
export * as Arbitration from "../Arbitration.ts"
export * as Entry from "../Entry.ts"
export * as Envelope from "../Envelope.ts"
export * as Heartbeat from "../Heartbeat.ts"
export { InvalidOptions } from "../InvalidOptions.ts"
export * as ProcessLife from "../ProcessLife.ts"
export * as Tier from "../Tier.ts"
export * as TierLog from "../TierLog.ts"
