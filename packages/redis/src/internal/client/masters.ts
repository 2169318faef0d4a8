import type { Cluster, Redis } from "ioredis"
import * as Effect from "effect/Effect"
import { blockOf, type LarderKeys, slotsOfBlocks } from "../keys.ts"
import type { Client } from "../../RedisClient.ts"
import { RedisClientError } from "./errors.ts"

/** The address of the master of a slot, as far as the client knows; else the empty string. */
export const ownerOf = (cluster: Cluster, slot: number): string => cluster.slots[slot]?.[0] ?? ""

/** The address of a node of a Cluster, as the table of slots has it. */
export const addressOf = ({ options: { host = "", port = 0 } }: Redis): string => `${host}:${port}`

/** The address of the master of each slot; empty while the client knows no slots. */
export const ownersOf = (cluster: Cluster): ReadonlyArray<string> =>
  Array.from({ length: cluster.slots.length }, (_, slot) => ownerOf(cluster, slot))

/**
 * The sharded channel, of those of each block, for messages about a key, or about marks: that of its
 * slot's block, or another one on the same master. Empty outside a Cluster.
 */
export const shardFor = (
  client: Redis | Cluster,
  { shards, slot: slotOf }: Pick<LarderKeys, "shards" | "slot">,
  key: string | undefined,
): string => {
  if (!("slots" in client)) return ""
  const slot = slotOf(key)
  const owner = ownerOf(client, slot)
  const isOn = (of: number) => ownerOf(client, of) === owner
  const own = blockOf(slot)
  const block = isOn(slotsOfBlocks[own]!) ? own : slotsOfBlocks.findIndex(isOn)
  return shards[block] ?? ""
}

/** The connection to the master at an address; outside a Cluster, to the server. */
export const masterAt = (client: Redis | Cluster, address: string | undefined): Redis | undefined =>
  "slots" in client ? client.nodes("master").find((node) => addressOf(node) === address) : client

/** The connections to all masters, once there are any: an unknown Cluster is not an empty one. */
export const mastersOf = (redis: Client): Effect.Effect<ReadonlyArray<Redis>, RedisClientError> =>
  redis
    // Wait until the first attempt to connect has ended.
    .use((client) => client.ping())
    .pipe(
      Effect.andThen(redis.masters),
      Effect.filterOrFail(
        (masters) => masters.length > 0,
        () =>
          new RedisClientError({
            reason: "Unavailable",
            code: "",
            detail: "no master is known yet",
          }),
      ),
    )
