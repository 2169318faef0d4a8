/**
 * Redis for Larder and Effect: an ioredis client as a Layer, the tier that all nodes share, with its
 * arbiter, a backplane for nodes that share no tier, leases alone, and messages of other services. Runs on a single server, behind Sentinel and on a Cluster.
 *
 * @module @larder/redis
 * @category packages
 * @since 0.1.0
 */
export * as RedisBackplane from "./RedisBackplane.ts"
export * as RedisClient from "./RedisClient.ts"
export * as RedisInvalidations from "./RedisInvalidations.ts"
export * as RedisLease from "./RedisLease.ts"
export * as RedisOutbox from "./RedisOutbox.ts"
export * as RedisTier from "./RedisTier.ts"
