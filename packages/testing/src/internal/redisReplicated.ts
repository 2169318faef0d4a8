/** A master, a replica, and the Sentinels that watch them. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { eventually, inRealTime } from "./realTime.ts"
import type { RedisServerError } from "./redisError.ts"
import { type Options, type RedisServer, start, startSentinel } from "./redisNode.ts"

/**
 * Options of {@link startReplicated}.
 *
 * @category options
 * @since 0.1.0
 */
export interface ReplicatedOptions {
  /** The Sentinels' name for the master. Default `"larder"`. */
  readonly name?: string | undefined
  /**
   * How many Sentinels; more than half of them decide. Default 1; 0 for a pair without Sentinels.
   */
  readonly sentinels?: number | undefined
  /** A master that does not answer for this long is down, in ms. Default 500. */
  readonly downAfter?: number | undefined
  /** The program of both servers and the Sentinels; see {@link Options}. */
  readonly program?: Options["program"]
  /** The configuration of both servers; see {@link Options}. */
  readonly config?: Options["config"]
  /** The password of both servers. The Sentinels need none. */
  readonly password?: string | undefined
}

/**
 * A running master and its replica, under the Sentinels that watch them.
 *
 * @category models
 * @since 0.1.0
 */
export interface RedisReplicated {
  /** The Sentinels' name for the master. */
  readonly name: string
  /** Both servers: the initial master first. */
  readonly nodes: readonly [RedisServer, RedisServer]
  /** The Sentinels; none for a pair without. */
  readonly sentinels: ReadonlyArray<RedisServer>
  /** The current master: as the Sentinels report it, or without Sentinels as the servers do. */
  readonly master: Effect.Effect<RedisServer, RedisServerError>
  /** The other server. */
  readonly replica: Effect.Effect<RedisServer, RedisServerError>
  /**
   * Makes the replica the master, and returns the new master. With Sentinels, they do it; the old
   * master stays a master for some 8 s, until they make it a replica. Without, the old one becomes
   * a replica at once.
   */
  readonly failover: Effect.Effect<RedisServer, RedisServerError>
}

const inStep = (replica: RedisServer) =>
  eventually(
    `the replica ${replica.port} is in step`,
    Effect.map(
      replica.info("replication"),
      (info) => info.get("role") === "slave" && info.get("master_link_status") === "up",
    ),
  )

const sentinelLines = (options: ReplicatedOptions, master: RedisServer) => {
  const name = options.name ?? "larder"
  const quorum = Math.floor((options.sentinels ?? 1) / 2) + 1
  return {
    sentinel: [
      `monitor ${name} 127.0.0.1 ${master.port} ${quorum}`,
      `down-after-milliseconds ${name} ${options.downAfter ?? 500}`,
      `failover-timeout ${name} 1000`,
      ...(options.password === undefined ? [] : [`auth-pass ${name} ${options.password}`]),
    ],
  }
}

/** The fields of `SENTINEL MASTER`, which are listed as name, value, name, value. */
const watched = (sentinel: RedisServer, name: string) =>
  Effect.map(sentinel.cli("SENTINEL", "MASTER", name), (reply) => {
    const words = reply as ReadonlyArray<string>
    return new Map(
      words.flatMap((word, i) => (i % 2 === 0 ? [[word, words[i + 1] ?? ""] as const] : [])),
    )
  })

const watching = (sentinels: ReadonlyArray<RedisServer>, name: string) =>
  Effect.forEach(
    sentinels,
    (sentinel) =>
      eventually(
        `the Sentinel ${sentinel.port} knows them all`,
        Effect.map(
          watched(sentinel, name),
          (fields) =>
            fields.get("num-slaves") === "1" &&
            fields.get("num-other-sentinels") === String(sentinels.length - 1),
        ),
        30,
      ),
    { concurrency: "unbounded", discard: true },
  )

const masterPort = (sentinel: RedisServer, name: string) =>
  Effect.map(sentinel.cli("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name), (reply) =>
    Number((reply as ReadonlyArray<string>)[1]),
  )

const isMaster = (node: RedisServer) =>
  Effect.map(node.info("replication"), (info) => info.get("role") === "master")

const replicatedOf = (
  name: string,
  nodes: readonly [RedisServer, RedisServer],
  sentinels: ReadonlyArray<RedisServer>,
): RedisReplicated => {
  const [a, b] = nodes
  const [sentinel] = sentinels
  const master =
    sentinel === undefined
      ? Effect.map(
          Effect.orElseSucceed(isMaster(a), () => false),
          (yes) => (yes ? a : b),
        )
      : Effect.map(masterPort(sentinel, name), (port) => (port === a.port ? a : b))
  const replica = Effect.map(master, (node) => (node === a ? b : a))
  const promote = (from: RedisServer, to: RedisServer) =>
    sentinel === undefined
      ? to
          .cli("REPLICAOF", "NO", "ONE")
          .pipe(Effect.andThen(Effect.ignore(from.cli("REPLICAOF", to.host, String(to.port)))))
      : eventually(
          "a Sentinel starts the failover",
          Effect.as(sentinel.cli("SENTINEL", "FAILOVER", name), true),
        )
  const isNow = (to: RedisServer) =>
    Effect.gen(function* () {
      for (const each of sentinels) {
        if ((yield* masterPort(each, name)) !== to.port) return false
      }
      return yield* isMaster(to)
    })
  return {
    name,
    nodes,
    sentinels,
    master,
    replica,
    failover: Effect.gen(function* () {
      const [from, to] = [yield* master, yield* replica]
      const isDone = Effect.orElseSucceed(isNow(to), () => false)
      const asked = Effect.flatMap(isDone, (done) => (done ? Effect.void : promote(from, to)))
      const done = eventually(`${to.port} is the master`, isNow(to), 12)
      // A Sentinel gives up a failover that takes longer than its failover-timeout, as on a busy
      // machine.
      yield* Effect.retry(Effect.andThen(asked, done), { times: 3 })
      return to
    }).pipe(inRealTime),
  }
}

/**
 * Starts a master, its replica, and Sentinels, as {@link start} does, and waits until they know
 * each other.
 *
 * **Example**
 *
 * ```ts
 * import * as RedisServer from "@larder/testing/RedisServer"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const pair = yield* RedisServer.startReplicated({ sentinels: 0 })
 *   const before = yield* pair.master
 *   const after = yield* pair.failover
 *   return before.port !== after.port
 * })
 * assert.ok(await Effect.runPromise(Effect.scoped(program)))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const startReplicated = (
  options: ReplicatedOptions = {},
): Effect.Effect<RedisReplicated, RedisServerError, Scope.Scope> =>
  Effect.gen(function* () {
    const { config, password, program } = options
    const name = options.name ?? "larder"
    const server = start({ program, config, password })
    const [a, b] = yield* Effect.all([server, server], { concurrency: 2 })
    yield* b.cli("REPLICAOF", a.host, String(a.port))
    yield* inStep(b)
    const sentinels = yield* Effect.all(
      Array.from({ length: options.sentinels ?? 1 }, () =>
        startSentinel(sentinelLines(options, a), program),
      ),
      { concurrency: "unbounded" },
    )
    yield* watching(sentinels, name)
    return replicatedOf(name, [a, b], sentinels)
  }).pipe(inRealTime)
