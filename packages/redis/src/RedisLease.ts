/**
 * A lease without a cached value, over a Redis client: an effect runs on one node at a time. It is
 * `Lease.withLease` of `@larder/core` for programs that have a `RedisClient` and no tier.
 *
 * @module
 * @category building blocks
 * @since 0.1.0
 */
import { InvalidOptions, Lease, type Tier } from "@larder/core"
import * as Effect from "effect/Effect"
import { prefixMust } from "./internal/keys.ts"
import { lessorOf } from "./internal/tier/lessor.ts"
import { RedisClient } from "./RedisClient.ts"

/**
 * Options of {@link withLease}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends Lease.Options {
  /**
   * The prefix of the names in Redis. With the prefix of a `RedisTier`, the leases are those of
   * `Lease.withLease` over that tier. Default `"larder"`.
   */
  readonly prefix?: string | undefined
}

const names: Record<keyof Options, true> = { lease: true, wait: true, prefix: true }

const checkedPrefix = (options: Options): Effect.Effect<string> => {
  const mistake = InvalidOptions.ofNames({ module: "RedisLease", names, got: options })
  if (mistake !== undefined) return Effect.die(mistake)
  const { prefix = "larder" } = options
  const must = prefixMust(prefix)
  if (must === undefined) return Effect.succeed(prefix)
  return Effect.die(InvalidOptions.of({ module: "RedisLease", field: "prefix", must, got: prefix }))
}

/**
 * Runs an effect while this caller holds the lease of `key` in Redis. The effect gets the token of the
 * lease, a number that rises with each holder.
 *
 * **When to use**
 *
 * Use for work that one node at a time should do, so that others need not.
 *
 * **Details**
 *
 * As `Lease.withLease`, in names of Redis `prefix:l:~lease:{key}`. The record of a lease stays for a
 * minute after its end, so that tokens rise even when the clock of the server is set back. While
 * callers wait, the client has one more connection to each server, on which a returned lease is told
 * of at once.
 *
 * **Gotchas**
 *
 * A server that loses its data, or a replica that takes over without the last writes, may grant a
 * lease that another still holds; the holder learns of it with its next renewal. `RedisTier.removeAll`
 * of the prefix ends leases. Dies with `InvalidOptions` when an option is invalid.
 *
 * **Example**
 *
 * ```ts
 * import { RedisClient, RedisLease } from "@larder/redis"
 * import * as RedisServer from "@larder/testing/RedisServer"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const report = RedisLease.withLease("nightly-report", { lease: "30 seconds" })((token) =>
 *   Effect.succeed(`written under token ${token}`),
 * )
 *
 * // A server for this example alone; an application gives the URL of its own.
 * const program = Effect.gen(function* () {
 *   const { url } = yield* RedisServer.start()
 *   const client = RedisClient.layer({ url, commandTimeout: "5 seconds" })
 *   return yield* Effect.provide(report, client)
 * })
 * assert.match(await Effect.runPromise(Effect.scoped(program)), /^written under token \d+$/)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withLease =
  (key: string, options: Options) =>
  <A, E, R>(
    effect: (token: number) => Effect.Effect<A, E, R>,
  ): Effect.Effect<
    A,
    E | Lease.LeaseNotAcquired | Lease.LeaseLost | Tier.TierError,
    R | RedisClient
  > =>
    Effect.flatMap(checkedPrefix(options), (prefix) =>
      Effect.flatMap(RedisClient, (redis) => {
        const { lease, wait } = options
        return Lease.withLeaseOf(lessorOf(redis, prefix), key, { lease, wait })(effect)
      }),
    )
