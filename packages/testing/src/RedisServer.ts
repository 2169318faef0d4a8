/**
 * Real Redis servers for tests: one, a Cluster, or a master and a replica under Sentinels; each a
 * scoped effect that ends with its scope. A test can kill, freeze, restart and fail over its
 * servers.
 *
 * The servers live in real time, whatever clock the test has. So a test that waits for a client to
 * notice something runs in real time as well (`it.live`).
 *
 * @module @larder/testing/RedisServer
 * @category testing
 * @since 0.1.0
 */
export { type ClusterOptions, type RedisCluster, startCluster } from "./internal/redisCluster.ts"
export { RedisServerError } from "./internal/redisError.ts"
export { find, findValkey, type Options, type RedisServer, start } from "./internal/redisNode.ts"
export {
  type RedisReplicated,
  type ReplicatedOptions,
  startReplicated,
} from "./internal/redisReplicated.ts"
export type { Reply, ReplyError } from "./internal/reply.ts"
