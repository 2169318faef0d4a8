/**
 * A Redis client as a Layer: ioredis, for one server, a Sentinel or a Cluster, over TCP, TLS or a
 * unix socket. Its defaults suit a cache, where a late answer is worth less than none:
 *
 * - The Layer builds at once, even while Redis is down, and reconnects in the background without
 *   limit. Commands wait only for the first attempt.
 * - Without a connection a command fails at once; with one, after `commandTimeout`. The client
 *   queues no command and sends none twice.
 * - The client drops a connection that stays silent while a reply is due, and pings idle
 *   connections at intervals.
 * - Closing takes at most half a second, whatever the server does.
 * - A client that is never closed keeps no process alive. Commands under way in `use` do, and so do
 *   subscriptions.
 *
 * The Layer also provides the `Redis` service of effect/persistence, so that Effect's own
 * `Persistence`, `PersistedQueue`, `RateLimiter` and `CircuitBreaker` run on the same connection.
 *
 * @module
 * @category tiers
 * @since 0.1.0
 */
import { type InvalidOptions, ProcessLife } from "@larder/core"
import type { Cluster, Redis as IORedis } from "ioredis"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Redis from "effect/persistence/Redis"
import type * as Scope from "effect/Scope"
import { type Deadlines, make as makeDeadlines, Waiting } from "./internal/client/deadlines.ts"
import * as batching from "./internal/client/batching.ts"
import * as connection from "./internal/client/connection.ts"
import {
  closed,
  fromRejection,
  notConnected,
  type RedisClientError,
  tooLate,
} from "./internal/client/errors.ts"
import { heartbeat, type Life, open, type State } from "./internal/client/life.ts"
import { type Options, settings, type Settings } from "./internal/client/options.ts"
import { type Line, noObserver, type Observer, ReconnectingLine } from "./internal/client/line.ts"
import * as persistence from "./internal/client/persistence.ts"
import * as subscriber from "./internal/client/subscriber.ts"

export { RedisClientError } from "./internal/client/errors.ts"
export type { Channel, Line, Listener, Observer } from "./internal/client/line.ts"
export type { State } from "./internal/client/life.ts"
export type {
  Address,
  ClusterOptions,
  CommonOptions,
  HostOptions,
  NatMap,
  Options,
  PathOptions,
  Secret,
  SentinelOptions,
  UrlOptions,
} from "./internal/client/options.ts"
export type {
  SubscribeOptions,
  Subscription,
  SubscriptionEvent,
} from "./internal/client/subscriber.ts"

/**
 * The client, as the service {@link RedisClient} provides it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Client {
  /**
   * The ioredis client itself. Its own commands have no time limit except the silence limit of the
   * connection. Its promises reject with errors of ioredis, which carry the arguments of the
   * command. Outside `use` they do not keep the process alive. The Layer closes the client: do not
   * disconnect it, subscribe on it or send blocking commands.
   */
  readonly client: IORedis | Cluster
  /** Whether the client is connected to a Cluster. */
  readonly isCluster: boolean
  /** The connections to the masters known now: several in a Cluster, else the client itself. */
  readonly masters: Effect.Effect<ReadonlyArray<IORedis>>
  /**
   * Runs `f`. A rejection becomes a {@link RedisClientError}; so does taking longer than
   * `commandTimeout` as a whole. An interruption or the timeout stops the waiting, not the commands
   * already sent. The process stays alive while it waits.
   */
  readonly use: <A>(
    f: (client: IORedis | Cluster) => Promise<A>,
  ) => Effect.Effect<A, RedisClientError>
  /**
   * Listens to a channel until the scope closes, across reconnects: the queue marks where messages
   * may be missing. The queue holds 10,000 events. It fails when the server refuses the channel,
   * and with reason `Closed` when the client's own scope closes. All subscriptions share one
   * connection. The process stays alive until the scope closes or the queue fails; give
   * `keepsAlive: false` for work in the background.
   */
  readonly subscribe: (
    channel: string,
    options?: subscriber.SubscribeOptions,
  ) => Effect.Effect<subscriber.Subscription, never, Scope.Scope>
  /**
   * A connection of its own for subscriptions: to the master of a Cluster at this address,
   * `host:port`, or to the server; in a Cluster without an address, to any node. It connects while
   * its `run` runs, and again whenever it is lost. It does not keep the process alive.
   */
  readonly openLine: (address: string | undefined, observer: Observer) => Line
  /** Asks a Cluster for its masters and slots again, in the background. */
  readonly learnMasters: Effect.Effect<void>
  /**
   * Calls `listener` whenever a connection to a server is ready, the first time and after each
   * reconnect; in a Cluster, for each master. Ends with the scope.
   */
  readonly whenConnected: (listener: () => void) => Effect.Effect<void, never, Scope.Scope>
  /** The state of the connection; `connecting` only until the first attempt ends. */
  readonly state: Effect.Effect<State>
}

/**
 * The service of the client; {@link layer} provides it.
 *
 * **Example**
 *
 * ```ts
 * import { RedisClient } from "@larder/redis"
 * import * as RedisServer from "@larder/testing/RedisServer"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const greet = Effect.gen(function* () {
 *   const redis = yield* RedisClient.RedisClient
 *   yield* redis.use((client) => client.set("greeting", "hello"))
 *   return yield* redis.use((client) => client.get("greeting"))
 * })
 *
 * // A server for this example alone; an application gives the URL of its own.
 * const program = Effect.gen(function* () {
 *   const { url } = yield* RedisServer.start()
 *   const client = RedisClient.layer({ url, commandTimeout: "5 seconds" })
 *   return yield* Effect.provide(greet, client)
 * })
 * assert.strictEqual(await Effect.runPromise(Effect.scoped(program)), "hello")
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class RedisClient extends Context.Service<RedisClient, Client>()(
  "@larder/redis/RedisClient",
) {}

/** The commands under way. */
interface Commands {
  readonly life: Life
  readonly deadlines: Deadlines
  count: number
}

/** One command under way. An object instead of functions: each read of a tier makes one. */
class Command<A> extends Waiting {
  readonly #commands: Commands
  readonly #resume: (exit: Exit.Exit<A, RedisClientError>) => void
  #isWaiting = true

  constructor(commands: Commands, resume: (exit: Exit.Exit<A, RedisClientError>) => void) {
    super()
    this.#commands = commands
    this.#resume = resume
    commands.count += 1
    commands.deadlines.add(this)
    ProcessLife.hold()
  }

  send(client: IORedis | Cluster, f: (client: IORedis | Cluster) => Promise<A>): void {
    try {
      f(client).then(this.#succeed, this.#fail)
    } catch (cause) {
      this.#fail(cause)
    }
  }

  expire(): void {
    this.#isWaiting = false
    ProcessLife.release()
    this.#resume(Exit.fail(tooLate()))
  }

  readonly #succeed = (value: A): void => {
    this.#end()
    this.#resume(Exit.succeed(value))
  }

  readonly #fail = (cause: unknown): void => {
    this.#end()
    const { life } = this.#commands
    this.#resume(Exit.fail(life.isClosed ? closed() : fromRejection(cause, life.connectionError)))
  }

  #end(): void {
    this.#commands.count -= 1
    if (!this.#isWaiting) return
    this.#isWaiting = false
    this.#commands.deadlines.remove(this)
    ProcessLife.release()
  }
}

const useWith = (
  life: Life,
  deadlines: Deadlines,
  fork: (effect: Effect.Effect<void>) => void,
): Client["use"] => {
  const { client } = life
  const hold = batching.make(client, fork)
  const commands: Commands = { life, deadlines, count: 0 }
  let isTold = false
  // A larder hides a failed tier: it continues with memory and upstream.
  const afterTheEnd = () => {
    const error = closed()
    if (!isTold) life.log.write({ level: "Warn", message: error.detail })
    isTold = true
    return Exit.fail(error)
  }
  const use = <A>(
    f: (client: IORedis | Cluster) => Promise<A>,
  ): Effect.Effect<A, RedisClientError> =>
    Effect.callback((resume) => {
      if (life.isStarting) {
        return resume(Effect.andThen(ProcessLife.during(Latch.await(life.started)), use(f)))
      }
      if (life.isClosed) return resume(afterTheEnd())
      // Between two attempts, as while ioredis reconnects. ioredis would say that the connection is lost.
      if (client.status === "end") return resume(Exit.fail(notConnected(life.connectionError)))
      // A single command gains nothing from batching.
      if (commands.count > 0) hold()
      new Command<A>(commands, resume).send(client, f)
    })
  return use
}

const make = (checked: Settings) =>
  Effect.gen(function* () {
    const random = yield* Random.Random
    const scope = yield* Effect.scope
    const draw = () => random.nextDoubleUnsafe()
    const retry = connection.backoff(checked, draw)
    const life = yield* open(checked, retry)
    const { client } = life
    const lines = new Set<Line>()
    const openLine: Client["openLine"] = (address, observer) => {
      const open = () =>
        address === undefined
          ? connection.single(checked, client, draw)
          : connection.toMaster(checked, client, address)
      return new ReconnectingLine({ open, retry, observer, lines })
    }
    const channels = subscriber.make(openLine(undefined, noObserver), scope)
    yield* heartbeat(checked, life, lines)
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    const use = useWith(life, yield* makeDeadlines(checked.commandTimeout), fork)
    const redis = yield* persistence.make({ settings: checked, use, subscribe: channels.subscribe })
    return Context.make(RedisClient, {
      client,
      isCluster: checked.place._tag === "Cluster",
      masters: Effect.sync(() => connection.masters(client)),
      use,
      subscribe: channels.subscribe,
      openLine,
      learnMasters: Effect.sync(() => connection.learnNodes(client)),
      whenConnected: life.whenConnected,
      state: Effect.sync(() => life.state),
    }).pipe(Context.add(Redis.Redis, redis))
  }).pipe(ProcessLife.inBackground)

/**
 * A client for the Redis that `options` names, closed with the Layer's scope. Dies with
 * `InvalidOptions` when an option is invalid; {@link layerConfig} fails with it. When Redis is down or
 * refuses the password, the Layer still builds: each command fails, and its error names the cause.
 *
 * **Example**
 *
 * ```ts
 * import { RedisClient } from "@larder/redis"
 *
 * export const redis = RedisClient.layer({
 *   host: "cache.internal",
 *   commandTimeout: "500 millis",
 * })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<RedisClient | Redis.Redis> =>
  Layer.effectContext(
    Effect.flatMap(Effect.orDie(Effect.suspend(() => Effect.fromResult(settings(options)))), make),
  )

/**
 * {@link layer} with options from Config. An option that Config gives and that is invalid is a typed
 * error, `InvalidOptions`.
 *
 * ```ts
 * import { RedisClient } from "@larder/redis"
 * import * as Config from "effect/Config"
 *
 * export const fromEnvironment = RedisClient.layerConfig({
 *   url: Config.Redacted("REDIS_URL"),
 *   commandTimeout: Config.Duration("REDIS_TIMEOUT").pipe(Config.withDefault("500 millis")),
 * })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Config.Wrap<Options>,
): Layer.Layer<RedisClient | Redis.Redis, InvalidOptions | Config.ConfigError> =>
  Layer.effectContext(
    Config.unwrap(options).pipe(
      Effect.flatMap((given) => Effect.fromResult(settings(given))),
      Effect.flatMap(make),
    ),
  )
