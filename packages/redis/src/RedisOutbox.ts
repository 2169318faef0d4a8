/**
 * Outboxes in Redis, shared by all processes: what one process has put, another one may write to the
 * source.
 *
 * @module
 * @category writing
 * @since 0.1.0
 */
import { InvalidOptions, OutboxStore } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { prefixMust } from "./internal/keys.ts"
import { storeOf } from "./internal/outbox/store.ts"
import { RedisClient } from "./RedisClient.ts"

/**
 * Options of {@link layer}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * The prefix of all names in Redis. Applications that share a server need different prefixes.
   * Default `"larder"`.
   */
  readonly prefix?: string | undefined
  /** The name of the store in errors. Default `"redis"`. */
  readonly name?: string | undefined
}

const names: Record<keyof Options, true> = { prefix: true, name: true }

const mistakeIn = (options: Options): InvalidOptions | undefined => {
  const mistake = InvalidOptions.ofNames({ module: "RedisOutbox", names, got: options })
  if (mistake !== undefined) return mistake
  const { name = "redis", prefix = "larder" } = options
  const unless = (field: string, must: string, got: unknown) =>
    InvalidOptions.of({ module: "RedisOutbox", field, must, got })
  const must = prefixMust(prefix)
  if (must !== undefined) return unless("prefix", must, prefix)
  return typeof name === "string" && name.trim() !== ""
    ? undefined
    : unless("name", 'be a non-blank string, such as "redis"', name)
}

/**
 * Stores outboxes in Redis.
 *
 * **When to use**
 *
 * Where several processes put and flush, and what the server's persistence may lose is bearable. For
 * writes that must not be lost use `SqlOutbox` of `@larder/sql`.
 *
 * **Details**
 *
 * - A step is one script, and all names of an outbox are in one slot: it runs on a single server, behind
 *   Sentinel and on a Cluster. Times are those of the server.
 * - An acknowledged write is as durable as the server makes it. With `appendfsync everysec`, the default
 *   of `appendonly yes`, a server that is killed loses nothing, and a machine that loses its power up to
 *   about a second of writes; with `always` neither loses any. Without an append-only file a killed server
 *   loses all since its last snapshot. Replication is asynchronous: a master that fails over may lose the
 *   last writes it acknowledged.
 * - Nothing of an outbox expires. A `maxmemory-policy` of the `allkeys-` kind may evict a whole outbox:
 *   use a server with `noeviction`, or one of the `volatile-` policies.
 * - Flushers of all processes hear of each offer on a channel.
 *
 * The user needs the rights of docs/redis.md, on the keys and the channels `prefix:o:*`. The layer
 * dies with `InvalidOptions` when an option is invalid.
 *
 * **Example**
 *
 * ```ts
 * import { OutboxStore } from "@larder/core"
 * import { RedisClient, RedisOutbox } from "@larder/redis"
 * import * as RedisServer from "@larder/testing/RedisServer"
 * import { Effect, Layer } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const { open } = yield* OutboxStore.OutboxStore
 *   const store = yield* open({ outbox: "prices", maxPending: 10, merges: false })
 *   yield* store.offer([{ key: "milk", version: 1, payload: "2", merged: [] }])
 *   return yield* store.depth
 * })
 *
 * // A server for this example alone; an application gives the URL of its own.
 * const example = Effect.gen(function* () {
 *   const { url } = yield* RedisServer.start()
 *   const client = RedisClient.layer({ url, commandTimeout: "5 seconds" })
 *   const layer = RedisOutbox.layer({ prefix: "shop" }).pipe(Layer.provide(client))
 *   return yield* program.pipe(Effect.scoped, Effect.provide(layer))
 * })
 * const depth = await Effect.runPromise(Effect.scoped(example))
 * assert.strictEqual(depth.waiting, 1)
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options = {},
): Layer.Layer<OutboxStore.OutboxStore, never, RedisClient> =>
  Layer.effect(
    OutboxStore.OutboxStore,
    Effect.gen(function* () {
      const mistake = mistakeIn(options)
      if (mistake !== undefined) return yield* Effect.die(mistake)
      const { name = "redis", prefix = "larder" } = options
      const redis = yield* RedisClient
      return OutboxStore.OutboxStore.of({
        name,
        durability: "shared",
        hears: "all",
        open: (opened) => Effect.succeed(storeOf(redis, { ...opened, name, prefix })),
      })
    }),
  )
