/** Walks through the names under a prefix, for administrators. */
import { Tier } from "@larder/core"
import type { Redis } from "ioredis"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Client } from "../../RedisClient.ts"
import type { RedisClientError } from "../client/errors.ts"
import { mastersOf } from "../client/masters.ts"
import { anyPattern, entryPattern, keysOf, parse, type Named } from "../keys.ts"
import { namesPerScan } from "../limits.ts"

type Failed = (cause: RedisClientError) => Tier.TierError

const failed =
  (operation: string): Failed =>
  (cause) =>
    new Tier.TierError({ tier: "redis", operation, cause })

const scanNode = (redis: Client, node: Redis, pattern: string, fail: Failed) =>
  Stream.paginate("0", (cursor: string) =>
    redis
      .use(() => node.scan(cursor, "MATCH", pattern, "COUNT", namesPerScan))
      .pipe(
        Effect.map(
          ([next, names]) =>
            [names, next === "0" ? Option.none<string>() : Option.some(next)] as const,
        ),
        Effect.mapError(fail),
      ),
  )

/**
 * Every matching name on every master. A name that moves meanwhile may come twice, or not at all.
 */
const scan = (redis: Client, pattern: string, fail: Failed) =>
  Stream.fromIterableEffect(Effect.mapError(mastersOf(redis), fail)).pipe(
    Stream.flatMap((node) => scanNode(redis, node, pattern, fail)),
  )

const isOf = (named: Named | undefined, larder: string | undefined): named is Named =>
  named !== undefined && (larder === undefined || named.larder === larder)

export interface Entry {
  readonly larder: string
  readonly key: string
}

export const entries = (
  redis: Client,
  prefix: string,
  larder: string | undefined,
): Stream.Stream<Entry, Tier.TierError> =>
  scan(redis, entryPattern(prefix, larder), failed("keys")).pipe(
    Stream.flatMap((name) => {
      const named = parse(prefix, name)
      return isOf(named, larder) && named._tag === "Entry"
        ? Stream.succeed({ larder: named.larder, key: named.key })
        : Stream.empty
    }),
  )

/** One UNLINK per name, all in one batch: in a Cluster each name is in a slot of its own. */
const unlink = (redis: Client, names: ReadonlyArray<string>, fail: Failed) =>
  redis
    .use((client) => Promise.all(names.map((name) => client.unlink(name))))
    .pipe(
      Effect.map((counts) => counts.reduce((sum, count) => sum + count, 0)),
      Effect.mapError(fail),
    )

export const removeAll = (
  redis: Client,
  prefix: string,
  larder: string | undefined,
): Effect.Effect<number, Tier.TierError> => {
  const fail = failed("removeAll")
  const ledgers = (name: string): ReadonlyArray<string> => {
    const keys = keysOf(prefix, name)
    return [keys.floors, keys.marks]
  }
  const removed = scan(redis, anyPattern(prefix), fail).pipe(
    Stream.filter((name) => isOf(parse(prefix, name), larder)),
    Stream.grouped(namesPerScan),
    Stream.mapEffect((names) => unlink(redis, names, fail)),
    Stream.runFold(
      () => 0,
      (sum: number, count: number) => sum + count,
    ),
  )
  // Remove the floors first, so that writes of running nodes count from new floors.
  return larder === undefined
    ? removed
    : Effect.zipWith(unlink(redis, ledgers(larder), fail), removed, (a, b) => a + b)
}
