/** Checks the servers that hold a tier's entries and warns the operator. */
import type { TierLog } from "@larder/core"
import type { Redis } from "ioredis"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Client } from "../../RedisClient.ts"
import type { RedisClientError } from "../client/errors.ts"
import { mastersOf } from "../client/masters.ts"
import { firstCheckMillis, longestCheckMillis } from "../limits.ts"
import * as rights from "./rights.ts"

export interface Facts {
  readonly version: string
  readonly maxmemory: number
  readonly policy: string
}

/** The oldest version of Redis that has all commands of the scripts. */
const oldest = [6, 2] as const

const field = (info: string, name: string): string | undefined =>
  new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1]

export const factsOf = (info: string): Facts | undefined => {
  const [version, maxmemory, policy] = ["redis_version", "maxmemory", "maxmemory_policy"].map(
    (name) => field(info, name),
  )
  return version === undefined || maxmemory === undefined || policy === undefined
    ? undefined
    : { version, maxmemory: Number(maxmemory), policy }
}

const isTooOld = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  return major < oldest[0] || (major === oldest[0] && minor < oldest[1])
}

const ofPolicy = ({ maxmemory, policy }: Facts): string | undefined => {
  // Without a limit Redis evicts and refuses nothing.
  if (maxmemory === 0) return undefined
  if (policy === "noeviction") {
    return "maxmemory-policy is noeviction: when memory is full, Redis refuses values. A tombstone then replaces the previous value, so no older value is served, but this tier stores nothing new until entries expire. Consider volatile-lru."
  }
  if (policy.startsWith("allkeys-")) {
    return `maxmemory-policy is ${policy}: when memory is full, Redis may evict a larder's marks and floors too. Then all its entries are looked up again; invalidated values stay invalid. Consider volatile-lru, which does not evict them.`
  }
  return undefined
}

/** The warnings that the facts call for; none when all is well. */
export const warningsOf = (facts: Facts): ReadonlyArray<string> => {
  const policy = ofPolicy(facts)
  return [
    ...(isTooOld(facts.version)
      ? [
          `Redis ${facts.version} is older than ${oldest.join(".")}: this tier does not support it. Update Redis.`,
        ]
      : []),
    ...(policy === undefined ? [] : [policy]),
  ]
}

const factsOn = (redis: Client, master: Redis, log: TierLog.TierLog) =>
  redis
    .use(() => master.info())
    .pipe(
      Effect.map((info) => {
        const facts = factsOf(info)
        if (facts === undefined) unchecked(log, "INFO lacks fields")
        return facts
      }),
    )

const unchecked = (log: TierLog.TierLog, reason: string): void =>
  log.write({ level: "Debug", message: `Redis could not be checked: ${reason}` })

/** Redis refuses everything for a while: it loads its data, or a script takes long. */
const passing = new Set(["LOADING", "BUSY", "MASTERDOWN"])

const mayPass = ({ code, reason }: RedisClientError): boolean =>
  reason !== "Reply" || passing.has(code)

const retries = Schedule.min([
  Schedule.exponential(firstCheckMillis),
  Schedule.spaced(longestCheckMillis),
])

/** Waits until the server is ready; `undefined` when the server refuses to answer. */
const patientlyWith =
  (log: TierLog.TierLog) =>
  <A>(asked: Effect.Effect<A, RedisClientError>): Effect.Effect<A | undefined> =>
    asked.pipe(
      Effect.retry({ schedule: retries, while: mayPass }),
      Effect.match({
        onFailure: (error) => {
          unchecked(log, error.message)
          return undefined
        },
        onSuccess: (answer) => answer,
      }),
    )

/**
 * Gives each warning once, as soon as a server that it holds for answers. A server that is down
 * does not delay the warnings of the others.
 */
export const check = (
  redis: Client,
  prefix: string,
  {
    log,
    warn,
  }: {
    readonly warn: (warning: string) => void
    /** For the operator of a server that cannot be checked. */
    readonly log: TierLog.TierLog
  },
): Effect.Effect<void> => {
  const patiently = patientlyWith(log)
  const warned = new Set<string>()
  const once = (warning: string | undefined) =>
    Effect.sync(() => {
      if (warning === undefined || warned.has(warning)) return
      warned.add(warning)
      warn(warning)
    })
  const ofRights = (master: Redis) =>
    Effect.flatMap(patiently(rights.missing(redis, master, prefix)), (missing = []) =>
      once(rights.warningOf(missing)),
    )
  const ofFacts = (master: Redis) =>
    Effect.flatMap(patiently(factsOn(redis, master, log)), (facts) =>
      Effect.forEach(facts === undefined ? [] : warningsOf(facts), once, { discard: true }),
    )
  // In parallel: a server may refuse one question and answer the other.
  const ofMaster = (master: Redis) =>
    Effect.all([ofFacts(master), ofRights(master)], { concurrency: "unbounded", discard: true })
  return Effect.flatMap(patiently(mastersOf(redis)), (masters = []) =>
    Effect.forEach(masters, ofMaster, { concurrency: "unbounded", discard: true }),
  )
}
