/** A Redis Cluster of processes on loopback ports. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { eventually, inRealTime } from "./realTime.ts"
import { RedisServerError } from "./redisError.ts"
import { type Options, type RedisServer, start } from "./redisNode.ts"
import type { Reply } from "./reply.ts"

/**
 * Options of {@link startCluster}.
 *
 * @category options
 * @since 0.1.0
 */
export interface ClusterOptions {
  /** The number of masters. Default 3, the fewest that Redis accepts. */
  readonly masters?: number | undefined
  /** The number of replicas of each master. Default 0. */
  readonly replicas?: number | undefined
  /** The program of every node; see {@link Options}. */
  readonly program?: Options["program"]
  /** The configuration of every node; see {@link Options}. */
  readonly config?: Options["config"]
}

/**
 * A running cluster that covers all slots.
 *
 * @category models
 * @since 0.1.0
 */
export interface RedisCluster {
  /** The first master of each range of slots, in the order of the ranges. */
  readonly masters: ReadonlyArray<RedisServer>
  /** The replicas, in the order of their masters. */
  readonly replicas: ReadonlyArray<RedisServer>
  /** All nodes, the masters first. */
  readonly nodes: ReadonlyArray<RedisServer>
  /** The slot of a key, from 0 to 16,383. */
  readonly slotOf: (key: string) => Effect.Effect<number, RedisServerError>
  /** The master that serves the slot now, as the nodes see it. */
  readonly ownerOf: (slot: number) => Effect.Effect<RedisServer, RedisServerError>
  /**
   * Moves a slot and its keys to another master while the cluster is in use. `midway` runs once,
   * when half of the keys have moved; clients get ASK then.
   */
  readonly migrateSlot: <E = never, R = never>(
    slot: number,
    to: RedisServer,
    options?: { readonly midway?: Effect.Effect<unknown, E, R> | undefined },
  ) => Effect.Effect<void, RedisServerError | E, R>
  /** Makes a replica the master of its slots, in agreement with the old master if that is alive. */
  readonly failover: (replica: RedisServer) => Effect.Effect<void, RedisServerError>
}

const slots = 16_384

const ranges = (masters: number): ReadonlyArray<ReadonlyArray<string>> =>
  Array.from({ length: masters }, (_, i) => {
    const from = Math.floor((i * slots) / masters)
    const to = Math.floor(((i + 1) * slots) / masters)
    return Array.from({ length: to - from }, (_, j) => String(from + j))
  })

const idOf = (node: RedisServer) => Effect.map(node.cli("CLUSTER", "MYID"), String)

const clusterInfo = (node: RedisServer) => Effect.map(node.cli("CLUSTER", "INFO"), String)

const seesAll = (nodes: ReadonlyArray<RedisServer>) => (node: RedisServer) =>
  Effect.map(
    clusterInfo(node),
    (info) =>
      info.includes("cluster_state:ok") &&
      info.includes(`cluster_slots_ok:${slots}`) &&
      info.includes(`cluster_known_nodes:${nodes.length}`),
  )

const allOf = <R>(
  nodes: ReadonlyArray<RedisServer>,
  ask: (node: RedisServer) => Effect.Effect<boolean, RedisServerError, R>,
) => Effect.map(Effect.forEach(nodes, ask), (answers) => answers.every(Boolean))

const isMaster = (node: RedisServer) =>
  Effect.map(node.info("replication"), (info) => info.get("role") === "master")

const linked = (replica: RedisServer) =>
  Effect.map(replica.info("replication"), (info) => info.get("master_link_status") === "up")

/**
 * Gives each node an epoch of its own: otherwise the nodes must settle conflicting slot owners one
 * by one.
 */
const introduce = (nodes: ReadonlyArray<RedisServer>) =>
  Effect.gen(function* () {
    const [first, ...others] = nodes
    if (first === undefined) return
    for (const [i, node] of nodes.entries()) {
      yield* node.cli("CLUSTER", "SET-CONFIG-EPOCH", String(i + 1))
    }
    for (const other of others) {
      yield* first.cli("CLUSTER", "MEET", other.host, String(other.port))
    }
    yield* eventually(
      "the nodes of the cluster know each other",
      allOf(nodes, (node) =>
        Effect.map(clusterInfo(node), (info) =>
          info.includes(`cluster_known_nodes:${nodes.length}`),
        ),
      ),
    )
  })

const attach = (masters: ReadonlyArray<RedisServer>, replicas: ReadonlyArray<RedisServer>) =>
  Effect.gen(function* () {
    for (const [i, replica] of replicas.entries()) {
      const master = masters[i % masters.length]
      if (master === undefined) continue
      const id = yield* idOf(master)
      yield* eventually(
        `the replica ${replica.port} takes its master`,
        Effect.as(replica.cli("CLUSTER", "REPLICATE", id), true),
      )
    }
    yield* eventually("the replicas of the cluster are in step", allOf(replicas, linked))
  })

const moveKeys = (slot: number, from: RedisServer, to: RedisServer, most: number) =>
  Effect.gen(function* () {
    const keys = (yield* from.cli(
      "CLUSTER",
      "GETKEYSINSLOT",
      String(slot),
      String(most),
    )) as ReadonlyArray<string>
    if (keys.length === 0) return false
    yield* from.cli("MIGRATE", to.host, String(to.port), "", "0", "5000", "KEYS", ...keys)
    return true
  })

const ports = (reply: Reply, slot: number): number | undefined => {
  const rows = reply as ReadonlyArray<readonly [number, number, readonly [string, number]]>
  return rows.find(([from, to]) => from <= slot && slot <= to)?.[2][1]
}

const ownerAsSeenBy = (nodes: ReadonlyArray<RedisServer>) => (seer: RedisServer, slot: number) =>
  Effect.flatMap(seer.cli("CLUSTER", "SLOTS"), (reply) => {
    const owner = nodes.find((node) => node.port === ports(reply, slot))
    return owner === undefined
      ? Effect.fail(
          new RedisServerError({
            reason: "Refused",
            detail: `the node on port ${seer.port} knows no owner of slot ${slot}`,
            log: "",
          }),
        )
      : Effect.succeed(owner)
  })

const migrate = Effect.fnUntraced(function* <E, R>(
  masters: ReadonlyArray<RedisServer>,
  slot: number,
  from: RedisServer,
  to: RedisServer,
  midway: Effect.Effect<unknown, E, R>,
) {
  const [fromId, toId] = [yield* idOf(from), yield* idOf(to)]
  const name = String(slot)
  yield* to.cli("CLUSTER", "SETSLOT", name, "IMPORTING", fromId)
  yield* from.cli("CLUSTER", "SETSLOT", name, "MIGRATING", toId)
  const count = Number(yield* from.cli("CLUSTER", "COUNTKEYSINSLOT", name))
  if (count > 0) yield* moveKeys(slot, from, to, Math.ceil(count / 2))
  yield* midway
  while (yield* moveKeys(slot, from, to, 100)) {
    // until none is left
  }
  // Tell the new owner first: telling the old one first would leave the slot without an owner for a
  // moment.
  const others = masters.filter((node) => node !== to)
  for (const node of [to, ...others]) yield* node.cli("CLUSTER", "SETSLOT", name, "NODE", toId)
})

/** Redis gives up a manual failover after 5 seconds, for example on a busy machine: it has to be asked again. */
const failoverSeconds = 6

const clusterOf = (
  masters: ReadonlyArray<RedisServer>,
  replicas: ReadonlyArray<RedisServer>,
): RedisCluster => {
  const nodes = [...masters, ...replicas]
  const seen = ownerAsSeenBy(nodes)
  const anyNode = <A>(ask: (node: RedisServer) => Effect.Effect<A, RedisServerError>) =>
    Effect.firstSuccessOf(nodes.map(ask))
  const ownerOf = (slot: number) => anyNode((node) => seen(node, slot))
  return {
    masters,
    replicas,
    nodes,
    slotOf: (key) => anyNode((node) => Effect.map(node.cli("CLUSTER", "KEYSLOT", key), Number)),
    ownerOf,
    migrateSlot: (slot, to, options) =>
      Effect.gen(function* () {
        const from = yield* ownerOf(slot)
        if (from === to) return
        yield* migrate(masters, slot, from, to, options?.midway ?? Effect.void)
      }),
    failover: (replica) => {
      const becomesMaster = eventually(
        `${replica.port} is a master`,
        isMaster(replica),
        failoverSeconds,
      )
      const asked = Effect.andThen(replica.cli("CLUSTER", "FAILOVER"), becomesMaster)
      return Effect.flatMap(isMaster(replica), (is) => (is ? Effect.void : asked)).pipe(
        Effect.retry({ times: 3 }),
        inRealTime,
      )
    },
  }
}

/**
 * Starts a cluster of servers of its own, as {@link start} does, with all slots shared out evenly,
 * and waits until every node agrees.
 *
 * **Example**
 *
 * ```ts
 * import * as RedisServer from "@larder/testing/RedisServer"
 * import { Effect } from "effect"
 * import * as assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const cluster = yield* RedisServer.startCluster()
 *   const owner = yield* cluster.ownerOf(yield* cluster.slotOf("milk"))
 *   return cluster.masters.includes(owner)
 * })
 * assert.ok(await Effect.runPromise(Effect.scoped(program)))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const startCluster = (
  options: ClusterOptions = {},
): Effect.Effect<RedisCluster, RedisServerError, Scope.Scope> =>
  Effect.gen(function* () {
    const count = options.masters ?? 3
    const node = start({
      program: options.program,
      config: {
        "cluster-enabled": "yes",
        "cluster-node-timeout": "1500",
        "cluster-replica-validity-factor": "0",
        ...options.config,
      },
    })
    const all = yield* Effect.all(
      Array.from({ length: count * (1 + (options.replicas ?? 0)) }, () => node),
      { concurrency: "unbounded" },
    )
    const [masters, replicas] = [all.slice(0, count), all.slice(count)]
    const shares = ranges(count)
    for (const [i, master] of masters.entries()) {
      yield* master.cli("CLUSTER", "ADDSLOTS", ...(shares[i] ?? []))
    }
    yield* introduce(all)
    yield* attach(masters, replicas)
    yield* eventually("the cluster covers all slots", allOf(all, seesAll(all)))
    return clusterOf(masters, replicas)
  }).pipe(inRealTime)
