/** Lists the keys of a larder that begin with a prefix, by SCAN, master by master. */
import type { Tier } from "@larder/core"
import type { Redis } from "ioredis"
import * as Effect from "effect/Effect"
import type { Client } from "../../RedisClient.ts"
import { addressOf, mastersOf } from "../client/masters.ts"
import { keyPattern, parse } from "../keys.ts"
import { namesPerScan } from "../limits.ts"
import type { Asking } from "../scripts/asking.ts"

/** The place in a walk: the master's address, a space, the cursor there. */
interface Place {
  readonly address: string
  readonly cursor: string
}

const placeOf = (after: string): Place => {
  const space = after.indexOf(" ")
  return { address: after.slice(0, space), cursor: after.slice(space + 1) }
}

const sorted = (masters: ReadonlyArray<Redis>): ReadonlyArray<readonly [string, Redis]> =>
  masters
    .map((node) => [addressOf(node), node] as const)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))

/**
 * Each page is one step of a SCAN. A walk ends with an error where the master that it is on has gone:
 * another one may have its keys by now, also one that was walked before.
 */
export const keysWith =
  (
    redis: Client,
    asking: Asking,
    prefix: string,
    larder: string,
  ): NonNullable<Tier.ByteStore["keys"]> =>
  (keyPrefix, after) =>
    Effect.gen(function* () {
      const failed = (cause: Error) => asking.fail("keys", cause)
      const masters = sorted(yield* Effect.mapError(mastersOf(redis), failed))
      const place = after === undefined ? { address: masters[0]![0], cursor: "0" } : placeOf(after)
      const at = masters.findIndex(([address]) => address === place.address)
      const [, node] = masters[at] ?? []
      if (node === undefined) {
        return yield* failed(new Error(`the master ${place.address} has gone`))
      }
      const pattern = keyPattern(prefix, larder, keyPrefix)
      const [cursor, names] = yield* Effect.mapError(
        redis.use(() => node.scan(place.cursor, "MATCH", pattern, "COUNT", namesPerScan)),
        failed,
      )
      const keys = new Set<string>()
      for (const name of names) {
        const named = parse(prefix, name)
        const isKey = named?._tag === "Entry" || named?._tag === "Lease"
        if (isKey && named.larder === larder && named.key.startsWith(keyPrefix)) keys.add(named.key)
      }
      if (cursor !== "0") return { keys: [...keys], next: `${place.address} ${cursor}` }
      const following = masters[at + 1]?.[0]
      return { keys: [...keys], next: following === undefined ? undefined : `${following} 0` }
    })
