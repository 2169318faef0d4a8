/**
 * The rights that the Redis user of `RedisOutbox` alone needs; docs/redis.md has them as a line. Its test
 * takes each one away.
 */

const commands = [
  "eval",
  "evalsha",
  "hdel",
  "hget",
  "hlen",
  "hset",
  "incr",
  "ping",
  "publish",
  "subscribe",
  "time",
  "unsubscribe",
  "zadd",
  "zcard",
  "zrange",
  "zrangebylex",
  "zrangebyscore",
  "zrem",
  "zscore",
] as const
const ofCluster = ["cluster|slots"] as const

/** The commands of the outboxes and of their client. */
export const needed = (isCluster: boolean): ReadonlyArray<string> =>
  [...commands, ...(isCluster ? ofCluster : [])].toSorted()

/** The rights of an ACL user. */
export const rules = (prefix: string, isCluster: boolean): string =>
  [`~${prefix}:o:*`, `&${prefix}:o:*`, ...needed(isCluster).map((command) => `+${command}`)].join(
    " ",
  )
