/**
 * Tests of caching in virtual time, with simulated nodes, faults and a timeline; conformance kits for
 * any tier, backplane and outbox; and, as the entry `@larder/testing/RedisServer`, real Redis servers to test
 * with.
 *
 * @module @larder/testing
 * @category packages
 * @since 0.1.0
 */
export * as BackplaneConformance from "./BackplaneConformance.ts"
export * as Chaos from "./Chaos.ts"
export * as Cluster from "./Cluster.ts"
export * as LarderTest from "./LarderTest.ts"
export * as OutboxConformance from "./OutboxConformance.ts"
export * as TierConformance from "./TierConformance.ts"
export * as Timeline from "./Timeline.ts"
