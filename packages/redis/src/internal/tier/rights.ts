/**
 * The rights that a Redis user needs, and a check for them. Without the check a missing right goes
 * unnoticed: a step in the tier fails, and the larder continues without the tier.
 */
import type { Redis } from "ioredis"
import * as Effect from "effect/Effect"
import type { Client } from "../../RedisClient.ts"
import type { RedisClientError } from "../client/errors.ts"
import { guarded } from "../client/connection.ts"
import { keysOf } from "../keys.ts"
import { list, text } from "../replies.ts"

/** Commands that the tier sends directly. */
const direct = [
  "eval",
  "evalsha",
  "get",
  "getrange",
  "mget",
  "ping",
  "publish",
  "scan",
  "subscribe",
  "unsubscribe",
] as const

/** Commands inside scripts alone: the user needs the right to each of them as well. */
const scripted = [
  "hmget",
  "hset",
  "pttl",
  "set",
  "setrange",
  "time",
  "type",
  "unlink",
  "zadd",
  "zcard",
  "zcount",
  "zrange",
  "zrangebyscore",
  "zremrangebyrank",
  "zrevrange",
] as const

/** Redis before version 7 has no sharded channels. */
const ofCluster = ["asking", "cluster|slots", "spublish", "ssubscribe", "sunsubscribe"] as const

/**
 * Without INFO the tier cannot warn of a server's settings; without SCRIPT LOAD first runs take two
 * trips.
 */
const useful = ["info", "script|load"] as const
const usefulInCluster = ["cluster|info"] as const

export interface Needs {
  readonly isCluster: boolean
}

/** The commands without which the tier does not work, or not wholly. */
export const needed = ({ isCluster }: Needs): ReadonlyArray<string> =>
  [...direct, ...scripted, ...(isCluster ? ofCluster : [])].toSorted()

/** All commands that a user of the tier should have. */
export const best = (needs: Needs): ReadonlyArray<string> =>
  [...needed(needs), ...useful, ...(needs.isCluster ? usefulInCluster : [])].toSorted()

/** The rights of an ACL user: for the names under a prefix, all of its channels, and these commands. */
export const rules = (prefix: string, commands: ReadonlyArray<string>): string =>
  [`~${prefix}:*`, `&${prefix}:*`, ...commands.map((command) => `+${command}`)].join(" ")

/**
 * Tries the commands of scripts from inside a script, on a name that no larder has. Redis checks
 * the right first, and then rejects the arguments of each command that would write. The script
 * declares no keys: every node of a Cluster runs it, also nodes that do not have the keys. ARGV:
 * the name, one of each other kind, the sharded channel or the empty text, the channel last.
 */
const script = `
local missing = {}
local function try(what, ...)
  local reply = redis.pcall(...)
  local err = type(reply) == 'table' and reply.err
  if not err then return end
  err = string.lower(err)
  if string.find(err, 'noperm', 1, true) or string.find(err, 'acl failure', 1, true) or string.find(err, 'no permission', 1, true)
    or string.find(err, "executing the script can't", 1, true) then
    missing[#missing + 1] = { what, err }
  end
end
local key, shard, channel = ARGV[1], ARGV[#ARGV - 1], ARGV[#ARGV]
try('unlink', 'UNLINK', key)
try('set', 'SET', key, 'x', 'PX', 0)
try('setrange', 'SETRANGE', key, -1, 'x')
try('getrange', 'GETRANGE', key, 0, 0)
try('pttl', 'PTTL', key)
try('type', 'TYPE', key)
try('time', 'TIME')
try('hmget', 'HMGET', key, 'f')
try('hset', 'HSET', key, 'f', 'v', 'odd')
try('zadd', 'ZADD', key, 'no number', 'm')
try('zcard', 'ZCARD', key)
try('zcount', 'ZCOUNT', key, 0, 0)
try('zrange', 'ZRANGE', key, 0, 0)
try('zrangebyscore', 'ZRANGEBYSCORE', key, 0, 0)
try('zremrangebyrank', 'ZREMRANGEBYRANK', key, 1, 0)
try('zrevrange', 'ZREVRANGE', key, 0, 0)
try('publish', 'PUBLISH', channel, '')
if shard ~= '' then try('spublish', 'SPUBLISH', shard, '') end
for i = 2, #ARGV - 2 do try('pttl', 'PTTL', ARGV[i]) end
return missing
`

/** A right to a command, or to all names or channels of the prefix. */
type Right = { readonly command: string } | "names" | "channels"

const isRefused = (cause: unknown): cause is Error =>
  cause instanceof Error && cause.message.startsWith("NOPERM")

/** The text of Redis says whether the command, a key or a channel was refused. */
const rightOf = (command: string, words: string): Right => {
  if (/channel/i.test(words)) return "channels"
  return /\bkeys?\b/i.test(words) ? "names" : { command }
}

/** The missing rights for a command; none when the user may run it, whatever its result. */
const tried = (command: string, run: () => Promise<unknown>): Promise<ReadonlyArray<Right>> =>
  run().then(
    () => [],
    (cause: unknown) => (isRefused(cause) ? [rightOf(command, cause.message)] : []),
  )

const missingOf = (reply: unknown): ReadonlyArray<Right> =>
  list(reply).flatMap((pair) => {
    const [command, words] = list(pair).map(text)
    return command === undefined ? [] : [rightOf(command, words ?? "")]
  })

/** Tries to subscribe. Call it last: afterwards the connection is in subscriber mode. */
const triedToListen = (connection: Redis, channel: string): Promise<ReadonlyArray<Right>> =>
  tried("subscribe", () => connection.subscribe(channel)).then((missing) =>
    missing.length > 0 ? missing : tried("unsubscribe", () => connection.unsubscribe(channel)),
  )

/** As {@link triedToListen}, on a sharded channel, which another node may have. */
const triedToListenSharded = (connection: Redis, channel: string): Promise<ReadonlyArray<Right>> =>
  tried("ssubscribe", () => connection.ssubscribe(channel)).then((missing) =>
    missing.length > 0 ? missing : tried("sunsubscribe", () => connection.sunsubscribe(channel)),
  )

/** Tries the commands one after the other: no caller waits for the check. */
const triedOn = (
  node: Redis,
  prefix: string,
  isCluster: boolean,
): Promise<ReadonlyArray<Right>> => {
  // No larder has an empty name.
  const keys = keysOf(prefix, "")
  const [name, channel, shard] = [keys.entry(""), keys.channel, keys.shards[0]!]
  const names = [name, keys.lease(""), keys.marks, keys.floors]
  const inScript = () =>
    node
      .eval(script, 0, ...names, isCluster ? shard : "", channel)
      .then(missingOf, (cause: unknown) =>
        isRefused(cause) ? [rightOf("eval", cause.message)] : [],
      )
  const tries: ReadonlyArray<() => Promise<ReadonlyArray<Right>>> = [
    inScript,
    () => tried("evalsha", () => node.evalsha("0".repeat(40), 0)),
    () => tried("get", () => node.get(name)),
    () => tried("getrange", () => node.getrange(name, 0, 0)),
    () => tried("mget", () => node.mget(name)),
    () => tried("publish", () => node.publish(channel, "")),
    () => tried("ping", () => node.ping()),
    () => tried("scan", () => node.scan("0", "MATCH", name, "COUNT", 1)),
    ...(isCluster
      ? [
          () => tried("asking", () => node.asking()),
          () => tried("cluster|slots", () => node.cluster("SLOTS")),
          () => tried("spublish", () => node.spublish(shard, "")),
        ]
      : []),
    () => triedToListen(node, channel),
    ...(isCluster ? [() => triedToListenSharded(node, shard)] : []),
  ]
  return tries.reduce<Promise<ReadonlyArray<Right>>>(
    (before, next) => before.then((found) => next().then((more) => [...found, ...more])),
    Promise.resolve([]),
  )
}

/** Uses a short-lived connection of its own, apart from callers' commands. */
const onNode = (node: Redis, prefix: string, isCluster: boolean): Promise<ReadonlyArray<Right>> => {
  const connection = guarded(
    node.duplicate({ lazyConnect: true, enableReadyCheck: false, retryStrategy: null }),
  )
  connection.on("error", () => undefined)
  return connection
    .connect()
    .then(() => triedOn(connection, prefix, isCluster))
    .finally(() => {
      connection.disconnect()
    })
}

/** The rights that a server refuses, in ACL syntax. */
export const missing = (
  redis: Client,
  node: Redis,
  prefix: string,
): Effect.Effect<ReadonlyArray<string>, RedisClientError> =>
  Effect.map(
    redis.use(() => onNode(node, prefix, redis.isCluster)),
    (rights) =>
      [
        ...new Set(
          rights.map((right) => {
            if (right === "names") return `~${prefix}:*`
            return right === "channels" ? `&${prefix}:*` : `+${right.command}`
          }),
        ),
      ].toSorted(),
  )

/** Nothing but walks through keys needs this right. */
const forWalks = "+scan"

const consequence = (missing: ReadonlyArray<string>): string =>
  missing.every((right) => right === forWalks)
    ? "Until it has it, removeWhere, RedisTier.keys and RedisTier.removeAll fail; all else works."
    : "Until it has them the tier stores little or nothing, and larders continue without it."

/** The warning text; `undefined` when no right is missing. */
export const warningOf = (missing: ReadonlyArray<string>): string | undefined =>
  missing.length === 0
    ? undefined
    : `the Redis user lacks rights that this tier needs: ${missing.join(" ")}. ${consequence(missing)} As an administrator: ACL SETUSER <user> ${missing.join(" ")}`
