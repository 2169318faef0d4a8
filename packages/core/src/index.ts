/**
 * A functional cache toolkit for Effect: request coalescing (single flight),
 * stale-while-revalidate, stale-if-error, early refresh, tag invalidation and cache tiers (L1/L2).
 * Import its modules by name:
 * `import { Larder, MemoryTier, Policy, TierStack, Upstream } from "@larder/core"`.
 *
 * @module @larder/core
 * @category packages
 * @since 0.1.0
 */
export * as AfterCommit from "./AfterCommit.ts"
export * as Anomaly from "./Anomaly.ts"
export * as Arbitration from "./Arbitration.ts"
export * as Backplane from "./Backplane.ts"
export * as Baseline from "./Baseline.ts"
export * as BoundedMap from "./BoundedMap.ts"
export * as Coalesce from "./Coalesce.ts"
export * as Deadline from "./Deadline.ts"
export * as Decision from "./Decision.ts"
export * as Detectors from "./Detectors.ts"
export * as EarlyRefresh from "./EarlyRefresh.ts"
export * as Entry from "./Entry.ts"
export * as Envelope from "./Envelope.ts"
export * as FailSafe from "./FailSafe.ts"
export * as Freshness from "./Freshness.ts"
export * as Heartbeat from "./Heartbeat.ts"
export * as Instrument from "./Instrument.ts"
export { InvalidOptions } from "./InvalidOptions.ts"
export * as Invalidations from "./Invalidations.ts"
export * as KeyDisplay from "./KeyDisplay.ts"
export * as Larder from "./Larder.ts"
export * as LarderError from "./LarderError.ts"
export * as LarderEvent from "./LarderEvent.ts"
export * as Lease from "./Lease.ts"
export * as LogEvents from "./LogEvents.ts"
export * as MemoryTier from "./MemoryTier.ts"
export * as Metrics from "./Metrics.ts"
export * as Outbox from "./Outbox.ts"
export * as OutboxRow from "./OutboxRow.ts"
export * as OutboxStore from "./OutboxStore.ts"
export * as Policy from "./Policy.ts"
export * as ProcessLife from "./ProcessLife.ts"
export * as Tier from "./Tier.ts"
export * as TierStack from "./TierStack.ts"
export * as Upstream from "./Upstream.ts"
export * as Wire from "./Wire.ts"
export * as WriteBehind from "./WriteBehind.ts"
