/**
 * Tests for Larder tiers: a conformance kit for any tier, and, as the entry
 * `@larder/testing/RedisServer`, real Redis servers to test with.
 *
 * @module @larder/testing
 * @category packages
 * @since 0.1.0
 */
export * as TierConformance from "./TierConformance.ts"
