/**
 * The rights that the Redis user of `RedisBackplane` alone needs; docs/redis.md has them as a line. Its
 * test takes each one away.
 */

const commands = ["ping", "publish", "subscribe", "unsubscribe"] as const
const ofCluster = ["cluster|slots"] as const

/** The commands of the backplane and of its client. */
export const needed = (isCluster: boolean): ReadonlyArray<string> =>
  [...commands, ...(isCluster ? ofCluster : [])].toSorted()

/** The channels: of the larders, and of the heartbeats. */
export const channels = (prefix: string): ReadonlyArray<string> => [
  `&${prefix}:b:*`,
  `&${prefix}:h:*`,
]

/** The rights of an ACL user. */
export const rules = (prefix: string, isCluster: boolean): string =>
  [...channels(prefix), ...needed(isCluster).map((command) => `+${command}`)].join(" ")
