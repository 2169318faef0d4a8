/** On a real Redis: what one write costs with so many nodes that listen, and what idle nodes cost. */
import type { RedisServer } from "@larder/testing/RedisServer"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { worked } from "../clock.ts"
import { openNode, redisTier } from "./shared.ts"

type Calls = ReadonlyMap<string, number>

/** The bytes that the server has sent since it began. */
const bytesSent = (server: RedisServer) =>
  Effect.map(server.info("stats"), (stats) => Number(stats.get("total_net_output_bytes")))

/** The processor time of the server since it began, in microseconds. */
const cpuOf = (server: RedisServer) =>
  Effect.map(
    server.info("cpu"),
    (cpu) => 1e6 * (Number(cpu.get("used_cpu_user")) + Number(cpu.get("used_cpu_sys"))),
  )

const callsBetween = (before: Calls, after: Calls, names: ReadonlyArray<string>): number =>
  names.reduce((sum, name) => sum + (after.get(name) ?? 0) - (before.get(name) ?? 0), 0)

interface Listeners {
  readonly nodes: number
  readonly larders: number
  readonly heartbeat?: Duration.Input | undefined
  /** Values up to this size travel with their message; 0 for none. */
  readonly pushBytes?: number | undefined
}

const open = (server: RedisServer, { larders, nodes, ...options }: Listeners) =>
  Effect.forEach(
    Array.from({ length: nodes }),
    () =>
      Effect.gen(function* () {
        // One tier, and so one client, for all larders of a node.
        const tier = yield* Layer.build(
          Layer.fresh(redisTier(server.url, { prefix: "growth", ...options })),
        )
        const shared = Layer.succeedContext(tier)
        const names = Array.from({ length: larders }, (_, i) => `larder${i}`)
        return yield* Effect.forEach(names, (name) =>
          openNode({ name, shared, lookup: (key) => Effect.succeed(key) }),
        )
      }),
    { concurrency: 10 },
  )

/** Waits until so many nodes are subscribed. */
const subscribed = (server: RedisServer, nodes: number) =>
  Effect.gen(function* () {
    const count = Effect.map(
      server.cli("CLIENT", "LIST", "TYPE", "pubsub"),
      (list) =>
        String(list)
          .split("\n")
          .filter((line) => line !== "").length,
    )
    while ((yield* count) < nodes) yield* Effect.sleep(20)
  })

/** Time for what a node does once after it has opened. */
const settling = Effect.sleep(1_000)

/** What one change costs, with what comes after it. */
interface Cost {
  /** Bytes that the server sent, the reply to the writer included. */
  readonly bytes: number
  /** Processor time of the server, in microseconds. */
  readonly serverMicros: number
  /** Processor time of all nodes, in microseconds: they share this process. */
  readonly nodesMicros: number
}

/** Measures `count` changes, and counts the commands that the server executed for each. */
const measured = (
  server: RedisServer,
  count: number,
  commands: ReadonlyArray<string>,
  changes: Effect.Effect<void, unknown>,
) =>
  Effect.gen(function* () {
    const calls = yield* server.calls
    const cpu = yield* cpuOf(server)
    const first = yield* bytesSent(server)
    const bytes = yield* bytesSent(server)
    // Of the measurement itself: the server counts its answer after it has made it.
    const answer = bytes - first
    const began = worked()
    yield* changes
    const nodesMillis = worked() - began
    const sent = (yield* bytesSent(server)) - bytes - answer
    const serverMicros = (yield* cpuOf(server)) - cpu
    const executed = callsBetween(calls, yield* server.calls, commands)
    const cost: Cost = {
      bytes: sent / count,
      serverMicros: serverMicros / count,
      nodesMicros: (1_000 * nodesMillis) / count,
    }
    return { executed: executed / count, cost }
  })

export interface WriteCost extends Cost {
  /** Messages that the server was told to send for a write. */
  readonly published: number
}

const value = "x".repeat(100)
/** As long as the key of a product may be. */
const keyOf = (i: number): string => `product:${String(i % 20).padStart(8, "0")}`

/** What one `set` costs while so many nodes listen. Their heartbeats are left out. */
export const writeCost = (server: RedisServer, nodes: number, writes: number) =>
  Effect.gen(function* () {
    const larders = yield* open(server, { nodes, larders: 1, heartbeat: "1 hour" })
    const writer = larders[0]![0]!
    yield* Effect.forEach(Array.from({ length: 20 }), (_, i) => writer.set(keyOf(i), value))
    yield* subscribed(server, nodes)
    const written = Effect.gen(function* () {
      for (let i = 0; i < writes; i++) yield* writer.set(keyOf(i), value)
    })
    const messages = ["publish", "spublish"]
    const { cost, executed } = yield* measured(server, writes, messages, written)
    return { ...cost, published: executed } satisfies WriteCost
  }).pipe(Effect.scoped)

export interface Readers {
  readonly nodes: number
  /** How many other nodes than the writer read the key after each change. */
  readonly readers: number
  /** The size of the value, bytes. */
  readonly size: number
  readonly isPushed: boolean
}

export interface ReadCost extends Cost {
  /** Reads of the value that the server answered for a change. */
  readonly reads: number
}

/** What a change costs when all nodes have the key, and some read it after the change. */
export const readCost = (server: RedisServer, { isPushed, nodes, readers, size }: Readers) =>
  Effect.gen(function* () {
    const pushBytes = isPushed ? 1_048_576 : 0
    const opened = yield* open(server, { nodes, larders: 1, heartbeat: "1 hour", pushBytes })
    const larders = opened.flat()
    const writer = larders[0]!
    const key = keyOf(0)
    const valueOf = (i: number): string => String(i).padStart(size, "x")
    yield* writer.set(key, valueOf(0))
    yield* Effect.forEach(larders, (larder) => larder.get(key))
    yield* subscribed(server, nodes)
    const heard = (i: number) =>
      Effect.forEach(larders.slice(1, 1 + readers), (larder) =>
        Effect.gen(function* () {
          while ((yield* larder.get(key)) !== valueOf(i)) yield* Effect.sleep(1)
        }),
      )
    const changed = (from: number, count: number) =>
      Effect.gen(function* () {
        for (let i = from; i < from + count; i++) {
          yield* writer.set(key, valueOf(i))
          yield* heard(i)
        }
      })
    // The first changes run code that is not compiled yet.
    yield* changed(1, warmups)
    const all = changed(1 + warmups, changes)
    const { cost, executed } = yield* measured(server, changes, ["get", "mget"], all)
    return { ...cost, reads: executed } satisfies ReadCost
  }).pipe(Effect.scoped)

const warmups = 50
const changes = 300

export interface Idle {
  readonly nodes: number
  readonly larders: number
  readonly seconds: number
}

/** The commands a second, by name, that each node sends while its larders are idle. */
export const idleCommands = (server: RedisServer, { seconds, ...listeners }: Idle) =>
  Effect.gen(function* () {
    yield* open(server, listeners)
    yield* subscribed(server, listeners.nodes)
    yield* settling
    const before = yield* server.calls
    yield* Effect.sleep(seconds * 1_000)
    const after = yield* server.calls
    const rates = [...after.keys()]
      // The measurement itself asks for these.
      .filter((name) => name !== "info")
      .map((name): [string, number] => [
        name,
        callsBetween(before, after, [name]) / seconds / listeners.nodes,
      ])
    return new Map(rates.filter(([, rate]) => rate > 0))
  }).pipe(Effect.scoped)
