/**
 * Redis as a tier that all nodes share, and as the arbiter that orders what they
 * write: it gives versions and leases, keeps the marks of invalidations, has the
 * clock, and tells every node of each change.
 *
 * A hit is one plain GET, and every other operation one script. All names of one
 * key are in one slot, and all marks of one larder, so that it runs on a single
 * server, behind Sentinel and on a Cluster alike.
 *
 * It needs Redis 6.2 or Valkey, and a user with the rights that docs/redis.md lists:
 * when it starts it tries each of them, and logs what is missing with the line that
 * gives it.
 */
import { Tier, type Wire } from "@larder/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as admin from "./internal/tier/admin.ts"
import { Asking } from "./internal/scripts/asking.ts"
import { Clocks } from "./internal/scripts/clocks.ts"
import { check } from "./internal/tier/check.ts"
import { invalidPrefix, keysOf } from "./internal/keys.ts"
import { messages } from "./internal/marks/listening.ts"
import { defaultBounds, Marks } from "./internal/marks/marks.ts"
import { mastersOf, ownerOf } from "./internal/client/masters.ts"
import * as scripts from "./internal/scripts/run.ts"
import { Store } from "./internal/tier/store.ts"
import { type Client, RedisClient } from "./RedisClient.ts"

/** An option that cannot be meant. `field` is the option, `reason` says what would do. */
export class InvalidRedisTier extends Schema.TaggedError<InvalidRedisTier>()("InvalidRedisTier", {
  field: Schema.String,
  reason: Schema.String,
}) {
  override get message(): string {
    return `RedisTier ${this.field}: ${this.reason}`
  }
}

export interface Options {
  /**
   * What all names in Redis begin with. Applications that share a server have
   * different ones. Default `"larder"`.
   */
  readonly prefix?: string | undefined
  /** What errors, events and metrics call the tier. Default `"redis"`. */
  readonly name?: string | undefined
  /** How values are written. Default `Wire.json`. */
  readonly wire?: Wire.Wire | undefined
}

const defaultPrefix = "larder"

const checkedPrefix = (prefix: string = defaultPrefix): Effect.Effect<string, InvalidRedisTier> => {
  const reason = invalidPrefix(prefix)
  return reason === undefined
    ? Effect.succeed(prefix)
    : Effect.fail(
        new InvalidRedisTier({
          field: "prefix",
          reason: `${JSON.stringify(prefix)} cannot be one: ${reason}`,
        }),
      )
}

const checkedName = (name: string = "redis"): Effect.Effect<string, InvalidRedisTier> =>
  typeof name === "string" && name.trim() !== ""
    ? Effect.succeed(name)
    : Effect.fail(
        new InvalidRedisTier({
          field: "name",
          reason: `${JSON.stringify(name)} is no name; give a text such as "redis"`,
        }),
      )

/** Where it is not allowed, or comes too late, a script is sent with its first run. */
const loadScripts = (redis: Client): Effect.Effect<void> =>
  Effect.flatMap(mastersOf(redis), (masters) =>
    redis.use(() => Promise.all(masters.map(scripts.load))),
  ).pipe(Effect.ignore)

/** What the check says, in the log once, and to each larder. */
class Told {
  readonly #all: Array<string> = []
  readonly #larders = new Set<(notice: Tier.Notice) => void>()

  readonly tell = (message: string): void => {
    this.#all.push(message)
    for (const notify of this.#larders) notify({ _tag: "Warning", message })
  }

  /** Also what was said before. Until the scope closes. */
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

/** Begun with the tier, and awaited by nobody. */
const startCheck = (name: string, prefix: string, redis: Client) => {
  const told = new Told()
  const warn = (warning: string) =>
    Effect.andThen(
      Effect.logWarning(`Tier ${name}: ${warning}`),
      Effect.sync(() => told.tell(warning)),
    )
  return Effect.as(Effect.forkScoped(check(redis, prefix, warn)), told)
}

const make = (options: Options) =>
  Effect.gen(function* () {
    const prefix = yield* checkedPrefix(options.prefix)
    const name = yield* checkedName(options.name)
    const redis = yield* RedisClient
    const told = yield* startCheck(name, prefix, redis)
    yield* Effect.forkScoped(loadScripts(redis))
    const clocks = new Clocks(redis)
    yield* redis.whenConnected(() => clocks.forget())
    const open: Tier.ByteTier["open"] = ({ larder, notify, stepMillis }) =>
      Effect.gen(function* () {
        const asking = new Asking(name, redis, clocks, stepMillis)
        const keys = keysOf(prefix, larder)
        const marks = new Marks(asking, keys, defaultBounds)
        const store = new Store(asking, keys, marks, notify)
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
          arbiter: store.arbiter(messages(asking, keys.channel)),
        }
      })
    return Tier.Tier.of({
      kind: "bytes",
      name,
      scope: "shared",
      abilities: { versions: true, lease: true, marks: true, clock: true, notifies: true },
      wire: options.wire,
      namespace: prefix,
      open,
    })
  })

/**
 * A shared tier in Redis, with all abilities of an arbiter.
 *
 * **When to use**
 *
 * As the farthest tier of a stack, where several nodes serve the same values.
 *
 * **Details**
 *
 * An entry is kept for as long as it can be of use, and Redis removes it. A
 * removal leaves a tombstone for 120 seconds; the record of a lease stays for 60
 * seconds at least. Marks are kept for 7 days, and 100,000 of them per larder;
 * their floors have no end. All times are those of the server.
 *
 * When memory is full and nothing may be evicted, Redis refuses new values. The
 * value that one would have replaced becomes a tombstone, the larder hears of it
 * as an eviction with cause `refused`, and what upstream said is still kept by
 * nearer tiers. Leases, tombstones and marks are so small that they are written
 * also then. What loses leases, marks or floors (eviction, a flush, a restart
 * without data) costs lookups; nothing that was invalidated comes back. A
 * master that fails may take with it the last writes it acknowledged, as
 * replication is asynchronous.
 *
 * What was on its way to Redis for longer than the larder waits for a step, by the
 * clock of Redis, has been given up, and overtakes nothing that came after it: a change of a
 * key is made only where nothing newer is there, and not at all half a second later; a
 * mark is not set, and a lease not granted.
 *
 * Soon after the layer is built, the version and `maxmemory-policy` of the
 * servers are looked at, and the rights of the user: what they mean is logged as a
 * warning, and told to each larder. Marks and floors never expire, so with one of the `volatile-` policies
 * they are never evicted; neither are entries that live for ever.
 *
 * `messages` of its arbiter resume after a lost connection; what was published
 * meanwhile is missed.
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
 */
export const layer = (
  options: Options = {},
): Layer.Layer<Tier.Tier, InvalidRedisTier, RedisClient> => Layer.effect(Tier.Tier, make(options))

/** Which entries an administrator means: all under a prefix, or those of one larder. */
export interface Selection {
  /** As given to {@link layer}. Default `"larder"`. */
  readonly prefix?: string | undefined
  /** The name of one larder. Default: all of them. */
  readonly larder?: string | undefined
}

/**
 * The keys that have an entry in Redis, a value or a tombstone.
 *
 * **When to use**
 *
 * To look into a running system; not in an application's own paths, since it
 * walks through *all* names of the server, whatever their prefix.
 *
 * **Details**
 *
 * By SCAN, in steps of about 500 names, on one master after the other: no step
 * holds the server up. What is written or removed meanwhile may be among them or
 * not, and a key may come twice.
 *
 * ```ts no-run
 * import { RedisClient, RedisTier } from "@larder/redis"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const print = RedisTier.keys({ larder: "products" }).pipe(
 *   Stream.runForEach(({ key }) => Effect.log(key)),
 *   Effect.provide(RedisClient.layer({ url: "redis://localhost:6379" })),
 * )
 * ```
 */
export const keys = (
  selection: Selection = {},
): Stream.Stream<admin.Entry, Tier.TierError | InvalidRedisTier, RedisClient> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const prefix = yield* checkedPrefix(selection.prefix)
      return admin.entries(yield* RedisClient, prefix, selection.larder)
    }),
  )

/**
 * Removes everything the tier keeps under a prefix, or for one larder: entries,
 * leases, marks and floors. Gives the number of names removed.
 *
 * **When to use**
 *
 * To clean up after an application, or before another one takes its prefix. To
 * empty a larder that is in use, use its `clear`, which is one small write.
 *
 * **Details**
 *
 * By SCAN, as {@link keys}, and UNLINK. Nodes that run meanwhile are not told:
 * each finds the new floors within seconds, and then looks up again what it
 * has. A lookup that runs is not stored. Nothing that was invalidated comes back.
 *
 * ```ts no-run
 * import { RedisClient, RedisTier } from "@larder/redis"
 * import * as Effect from "effect/Effect"
 *
 * const removed = RedisTier.removeAll({ prefix: "shop", larder: "products" }).pipe(
 *   Effect.provide(RedisClient.layer({ url: "redis://localhost:6379" })),
 * )
 * ```
 */
export const removeAll = (
  selection: Selection = {},
): Effect.Effect<number, Tier.TierError | InvalidRedisTier, RedisClient> =>
  Effect.gen(function* () {
    const prefix = yield* checkedPrefix(selection.prefix)
    return yield* admin.removeAll(yield* RedisClient, prefix, selection.larder)
  })
