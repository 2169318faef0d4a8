/** Lists the keys of a larder that begin with a prefix, by SCAN, master by master. */
import type { Tier } from "@larder/core"
import type { Redis } from "ioredis"
import * as Effect from "effect/Effect"
import type { Client } from "../../RedisClient.ts"
import { addressOf, mastersOf } from "../client/masters.ts"
import { keyPattern, parse } from "../keys.ts"
import { namesPerScan } from "../limits.ts"
import type { Asking } from "../scripts/asking.ts"

/** What a walk looks for, in this order. */
const kinds = ["Lease", "Entry"] as const

/** The place in a walk: what it looks for, the master's address, and the cursor there. */
interface Place {
  readonly kind: (typeof kinds)[number]
  readonly address: string
  readonly cursor: string
}

const placeOf = (after: string): Place => {
  const [kind, address = "", cursor = ""] = after.split(" ")
  return { kind: kind === "Entry" ? kind : "Lease", address, cursor }
}

const textOf = ({ address, cursor, kind }: Place): string => `${kind} ${address} ${cursor}`

const sorted = (masters: ReadonlyArray<Redis>): ReadonlyArray<readonly [string, Redis]> =>
  masters
    .map((node) => [addressOf(node), node] as const)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))

/**
 * Each page is one step of a SCAN: on every master first for leases, then for entries. Race: a lookup stores
 * its value, which ends its lease, while one SCAN for both goes on, and the SCAN gives neither. A walk ends
 * with an error where the master that it is on has gone: another one may have its keys by now, also one that
 * was walked before.
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
      const [first] = masters[0]!
      const place: Place =
        after === undefined ? { kind: "Lease", address: first, cursor: "0" } : placeOf(after)
      const at = masters.findIndex(([address]) => address === place.address)
      const [, node] = masters[at] ?? []
      if (node === undefined) {
        return yield* failed(new Error(`the master ${place.address} has gone`))
      }
      const pattern = keyPattern(prefix, larder, keyPrefix, place.kind)
      const [cursor, names] = yield* Effect.mapError(
        redis.use(() => node.scan(place.cursor, "MATCH", pattern, "COUNT", namesPerScan)),
        failed,
      )
      const keys = new Set<string>()
      for (const name of names) {
        const named = parse(prefix, name)
        const isKey = named?._tag === place.kind
        if (isKey && named.larder === larder && named.key.startsWith(keyPrefix)) keys.add(named.key)
      }
      const next = following(place, cursor, masters[at + 1]?.[0], first)
      return { keys: [...keys], next: next && textOf(next) }
    })

/** The place after a step that gave this cursor; `undefined` at the end of the walk. */
const following = (
  place: Place,
  cursor: string,
  nextMaster: string | undefined,
  firstMaster: string,
): Place | undefined => {
  if (cursor !== "0") return { ...place, cursor }
  if (nextMaster !== undefined) return { ...place, address: nextMaster, cursor }
  return place.kind === "Lease" ? { kind: "Entry", address: firstMaster, cursor } : undefined
}
