import type { Cluster, Redis } from "ioredis"
import * as Effect from "effect/Effect"
import type { Client } from "../../RedisClient.ts"
import { RedisClientError } from "./errors.ts"

/** The address of the master of a slot, as far as the client knows; else the empty string. */
export const ownerOf = (cluster: Cluster, slot: number): string => cluster.slots[slot]?.[0] ?? ""

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
