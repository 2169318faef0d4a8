/**
 * Redis as a shared cache tier (L2), and as the arbiter that orders the writes of all nodes: it
 * issues versions and leases, stores the marks of invalidations, supplies the clock, and publishes
 * each change to every node.
 *
 * A hit is one plain GET; every other operation is one script. All names of one key are in one
 * slot, and so are all marks of one larder. The tier therefore runs on a single server, behind
 * Sentinel and on a Cluster.
 *
 * The tier needs Redis 6.2 or Valkey, and a user with the rights listed in docs/redis.md. At
 * startup it tries each right, and logs the missing ones with the line that grants them.
 *
 * @module
 * @category tiers
 * @since 0.1.0
 */
import { InvalidOptions, ProcessLife, Tier, TierLog, Wire } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as admin from "./internal/tier/admin.ts"
import { Asking } from "./internal/scripts/asking.ts"
import { Clocks } from "./internal/scripts/clocks.ts"
import { check } from "./internal/tier/check.ts"
import { keysOf, prefixMust } from "./internal/keys.ts"
import { Listening } from "./internal/marks/listening.ts"
import { defaultBounds, Marks } from "./internal/marks/marks.ts"
import { mastersOf, ownerOf } from "./internal/client/masters.ts"
import * as scripts from "./internal/scripts/run.ts"
import { keysWith } from "./internal/tier/keysWith.ts"
import { Store } from "./internal/tier/store.ts"
import { type Client, RedisClient } from "./RedisClient.ts"

/**
 * Options of {@link layer}.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends Tier.LimitOptions {
  /**
   * The prefix of all names in Redis. Applications that share a server need different prefixes.
   * Default `"larder"`.
   */
  readonly prefix?: string | undefined
  /** The name of the tier in errors, events and metrics. Default `"redis"`. */
  readonly name?: string | undefined
  /** The encoding of values. Default `Wire.json`. */
  readonly wire?: Wire.Wire | undefined
}

const ownNames: Record<Exclude<keyof Options, keyof Tier.LimitOptions>, true> = {
  prefix: true,
  name: true,
  wire: true,
}

const defaultPrefix = "larder"

const invalid = (field: string, must: string, got: unknown): Effect.Effect<never> =>
  Effect.die(InvalidOptions.of({ module: "RedisTier", field, must, got }))

const checkedPrefix = (prefix: string = defaultPrefix): Effect.Effect<string> => {
  const must = prefixMust(prefix)
  return must === undefined ? Effect.succeed(prefix) : invalid("prefix", must, prefix)
}

const checkedName = (name: string = "redis"): Effect.Effect<string> =>
  typeof name === "string" && name.trim() !== ""
    ? Effect.succeed(name)
    : invalid("name", 'be a non-blank string, such as "redis"', name)

const checkedLimits = (options: Options): Effect.Effect<Tier.Limits> =>
  Effect.orDie(Effect.fromResult(Tier.checkLimits("RedisTier", options, ownNames)))

/** When the preload is forbidden or comes too late, the first run of a script sends its text. */
const loadScripts = (redis: Client): Effect.Effect<void> =>
  Effect.flatMap(mastersOf(redis), (masters) =>
    redis.use(() => Promise.all(masters.map(scripts.load))),
  ).pipe(Effect.ignore)

/** Passes each warning of the startup check to every larder. */
class Told {
  readonly #all: Array<string> = []
  readonly #larders = new Set<(notice: Tier.Notice) => void>()

  readonly tell = (message: string): void => {
    this.#all.push(message)
    for (const notify of this.#larders) notify({ _tag: "Warning", message })
  }

  /** Passes on earlier warnings as well, until the scope closes. */
  readonly passOn = (
    notify: (notice: Tier.Notice) => void,
  ): Effect.Effect<void, never, Scope.Scope> => {
    const begin = Effect.sync(() => {
      this.#larders.add(notify)
      for (const message of this.#all) notify({ _tag: "Warning", message })
    })
    return Effect.acquireRelease(begin, () => Effect.sync(() => void this.#larders.delete(notify)))
  }
}

/** Runs the check in the background: building the tier does not wait for it. */
const startCheck = (log: TierLog.TierLog, prefix: string, redis: Client) => {
  const told = new Told()
  const warn = (message: string) => {
    log.write({ level: "Warn", message })
    told.tell(message)
  }
  return Effect.as(Effect.forkScoped(check(redis, prefix, { warn, log })), told)
}

const make = (options: Options) =>
  Effect.gen(function* () {
    const limits = yield* checkedLimits(options)
    const prefix = yield* checkedPrefix(options.prefix)
    const name = yield* checkedName(options.name)
    if (options.wire !== undefined && !Wire.isWire(options.wire)) {
      return yield* invalid("wire", "be a wire, such as Wire.json", options.wire)
    }
    const redis = yield* RedisClient
    const log = yield* TierLog.make({ subject: `Tier ${name}`, annotations: { tier: name } })
    const told = yield* startCheck(log, prefix, redis)
    yield* Effect.forkScoped(loadScripts(redis))
    const clocks = new Clocks(redis)
    yield* redis.whenConnected(() => clocks.forget())
    const listening = yield* Listening.make({ redis, prefix, interval: limits.heartbeat, log })
    const open: Tier.ByteTier["open"] = ({ larder, notify, stepMillis }) =>
      Effect.gen(function* () {
        const asking = new Asking(name, redis, clocks, stepMillis)
        const keys = keysOf(prefix, larder)
        const marks = new Marks(asking, keys, defaultBounds)
        const store = new Store(asking, keys, marks, limits, notify)
        if (notify !== undefined) {
          yield* told.passOn(notify)
          yield* redis.whenConnected(() => notify({ _tag: "Connected" }))
        }
        const { client } = redis
        return {
          partOf: "slots" in client ? (key) => ownerOf(client, keys.slot(key)) : undefined,
          read: store.read,
          put: store.put,
          drop: store.drop,
          keys: keysWith(redis, asking, prefix, larder),
          arbiter: store.arbiter((receive) =>
            listening.listen(asking, keys, (message) => {
              marks.hear(message)
              receive(message)
            }),
          ),
        }
      })
    return Tier.Tier.of({
      kind: "bytes",
      name,
      scope: "shared",
      abilities: { notifies: true },
      wire: options.wire,
      namespace: prefix,
      limits,
      open,
    })
  })

/**
 * A shared tier in Redis, with an arbiter that tells every node of each change.
 *
 * **When to use**
 *
 * As the farthest tier of a stack, where several nodes serve the same values.
 *
 * **Details**
 *
 * Redis keeps an entry until it can no longer be served, then expires it. A removal leaves a
 * tombstone for 120 seconds, twice the `settleTime`; the record of a lease stays for at least 60
 * seconds, the `settleTime`. Marks stay for 7
 * days, up to 100,000 per larder; their floors never expire. All times are those of the server.
 *
 * When memory is full and the server may evict nothing, Redis refuses new values. A tombstone then
 * replaces the old value, the larder reports an eviction with cause `refused`, and nearer tiers
 * still store the new value. Leases, tombstones and marks are so small that they are written even
 * then. Losing leases, marks or floors (eviction, a flush, a restart without data) costs extra
 * lookups; an invalidated value never comes back. Replication is asynchronous: a master that fails
 * may lose the last writes it acknowledged.
 *
 * A request that reaches Redis after the larder's step has timed out, by the clock of Redis,
 * overtakes nothing that came after it. A late change of a key applies only when nothing newer is
 * stored, and not at all half a second after the timeout. A late mark is not set and a late lease
 * is not granted.
 *
 * The layer dies with `InvalidOptions` when an option is invalid. Soon after it is built, the tier
 * checks the version and `maxmemory-policy` of the servers and the rights of the user. It logs each
 * problem as a warning and passes it to each larder. Marks and floors never expire, so the
 * `volatile-` policies never evict them; neither do they evict entries without a TTL.
 *
 * A node hears each change within milliseconds, on one connection to each server for all of its
 * larders. A heartbeat (`heartbeat`, 1 second by default) shows that messages arrive: after a lost
 * connection, a silence of three heartbeats or a message of a newer release, a larder trusts its
 * memory no more until the arbiter has confirmed it. In a Cluster of Redis 7, messages go on sharded
 * channels.
 *
 * **Example**
 *
 * ```ts
 * import { MemoryTier, TierStack } from "@larder/core"
 * import { RedisClient, RedisTier } from "@larder/redis"
 * import * as Layer from "effect/Layer"
 *
 * export const stack = TierStack.layer(
 *   MemoryTier.layer(),
 *   RedisTier.layer({ prefix: "shop" }),
 * ).pipe(Layer.provide(RedisClient.layer({ url: "redis://localhost:6379" })))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<Tier.Tier, never, RedisClient> =>
  Layer.effect(Tier.Tier, ProcessLife.inBackground(make(options)))

/**
 * The entries that {@link keys} and {@link removeAll} work on: all under a prefix, or those of one
 * larder.
 *
 * @category options
 * @since 0.1.0
 */
export interface Selection {
  /** The prefix given to {@link layer}. Default `"larder"`. */
  readonly prefix?: string | undefined
  /** The name of one larder. Default: all of them. */
  readonly larder?: string | undefined
}

const selectionNames: Record<keyof Selection, true> = { prefix: true, larder: true }

const checkedSelection = (selection: Selection): Effect.Effect<Selection & { prefix: string }> => {
  const given = { module: "RedisTier", names: selectionNames, got: selection }
  const mistake = InvalidOptions.ofNames(given)
  if (mistake !== undefined) return Effect.die(mistake)
  const { larder } = selection
  if (larder !== undefined && typeof larder !== "string") {
    return invalid("larder", "be the name of a larder, or be left out", larder)
  }
  return Effect.map(checkedPrefix(selection.prefix), (prefix) => ({ prefix, larder }))
}

/**
 * The keys that have an entry in Redis, a value or a tombstone.
 *
 * **When to use**
 *
 * To inspect a running system. Keep it out of an application's own code paths: it walks through
 * *all* names of the server, whatever their prefix.
 *
 * **Details**
 *
 * Uses SCAN in steps of about 500 names, one master after the other: no step blocks the server for
 * long. A key written or removed during the scan may or may not appear, and a key may appear twice.
 * Dies with `InvalidOptions` when the prefix is invalid.
 *
 * **Example**
 *
 * ```ts
 * import { Larder, Policy, TierStack, Upstream } from "@larder/core"
 * import { RedisClient, RedisTier } from "@larder/redis"
 * import * as RedisServer from "@larder/testing/RedisServer"
 * import { Effect, Layer, Schema, Stream } from "effect"
 * import * as assert from "node:assert"
 *
 * const list = Effect.gen(function* () {
 *   const lengths = yield* Larder.make({
 *     name: "lengths",
 *     value: Schema.Finite,
 *     upstream: Upstream.make({ lookup: (word: string) => Effect.succeed(word.length) }),
 *     policy: Policy.make({ freshFor: "1 minute", tierTimeout: "5 seconds" }),
 *   })
 *   yield* lengths.get("milk")
 *   return yield* Stream.runCollect(RedisTier.keys({ larder: "lengths" }))
 * })
 *
 * // A server for this example alone; an application gives the URL of its own.
 * const program = Effect.gen(function* () {
 *   const { url } = yield* RedisServer.start()
 *   const client = RedisClient.layer({ url, commandTimeout: "5 seconds" })
 *   const stack = TierStack.layer(RedisTier.layer()).pipe(Layer.provideMerge(client))
 *   return yield* list.pipe(Effect.scoped, Effect.provide(stack))
 * })
 * const found = await Effect.runPromise(Effect.scoped(program))
 * assert.deepStrictEqual(found, [{ larder: "lengths", key: "milk" }])
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const keys = (
  selection: Selection = {},
): Stream.Stream<admin.Entry, Tier.TierError, RedisClient> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { larder, prefix } = yield* checkedSelection(selection)
      return admin.entries(yield* RedisClient, prefix, larder)
    }),
  )

/**
 * Removes everything the tier stores under a prefix, or for one larder: entries, leases, marks and
 * floors. Returns the number of names removed.
 *
 * **When to use**
 *
 * To clean up after an application, or before another one takes its prefix. To empty a larder that
 * is in use, call its `clear`, which is one small write.
 *
 * **Details**
 *
 * Uses SCAN, as {@link keys} does, and UNLINK. Running nodes get no message: each finds the new
 * floors within seconds, and then looks its entries up again. The result of a lookup that is
 * running is not stored. An invalidated value never comes back. Dies with `InvalidOptions` when the
 * prefix is invalid.
 *
 * **Example**
 *
 * ```ts
 * import { RedisClient, RedisTier } from "@larder/redis"
 * import * as RedisServer from "@larder/testing/RedisServer"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * // A server for this example alone; an application gives the URL of its own.
 * const program = Effect.gen(function* () {
 *   const { url } = yield* RedisServer.start()
 *   return yield* RedisTier.removeAll({ prefix: "shop", larder: "products" }).pipe(
 *     Effect.provide(RedisClient.layer({ url, commandTimeout: "5 seconds" })),
 *   )
 * })
 * assert.strictEqual(await Effect.runPromise(Effect.scoped(program)), 0)
 * ```
 *
 * @category resource management
 * @since 0.1.0
 */
export const removeAll = (
  selection: Selection = {},
): Effect.Effect<number, Tier.TierError, RedisClient> =>
  Effect.gen(function* () {
    const { larder, prefix } = yield* checkedSelection(selection)
    return yield* admin.removeAll(yield* RedisClient, prefix, larder)
  })
