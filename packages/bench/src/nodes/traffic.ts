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

/** A sample of the server's figures, and the bytes that taking it sends. */
const sampled = (server: RedisServer) =>
  Effect.gen(function* () {
    const calls = yield* server.calls
    const cpu = yield* cpuOf(server)
    const first = yield* bytesSent(server)
    const bytes = yield* bytesSent(server)
    // The server counts its answer after it has made it.
    return { calls, cpu, bytes, answer: bytes - first }
  })

export interface WriteCost {
  /** Messages that the server was told to send for a write. */
  readonly published: number
  /** Bytes that the server sent for a write, the reply to the writer included. */
  readonly bytes: number
  /** Processor time of the server for a write, in microseconds. */
  readonly serverMicros: number
  /** Processor time of all nodes for a write, in microseconds: they share this process. */
  readonly nodesMicros: number
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
    const before = yield* sampled(server)
    const began = worked()
    for (let i = 0; i < writes; i++) yield* writer.set(keyOf(i), value)
    const nodesMillis = worked() - began
    const sent = (yield* bytesSent(server)) - before.bytes - before.answer
    const serverMicros = (yield* cpuOf(server)) - before.cpu
    const published = callsBetween(before.calls, yield* server.calls, ["publish", "spublish"])
    return {
      published: published / writes,
      bytes: sent / writes,
      serverMicros: serverMicros / writes,
      nodesMicros: (1_000 * nodesMillis) / writes,
    } satisfies WriteCost
  }).pipe(Effect.scoped)

export interface Readers {
  readonly nodes: number
  /** How many other nodes than the writer read the key after each change. */
  readonly readers: number
  /** The size of the value, bytes. */
  readonly size: number
  readonly isPushed: boolean
}

export interface ReadCost {
  /** Reads of the value that the server answered for a change. */
  readonly reads: number
  /** Bytes that the server sent for a change and the reads after it. */
  readonly bytes: number
  /** Processor time of the server for them, in microseconds. */
  readonly serverMicros: number
  /** Processor time of all nodes for them, in microseconds. */
  readonly nodesMicros: number
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
    // The first changes run code that is not compiled yet.
    for (let i = 1; i <= warmups; i++) yield* Effect.andThen(writer.set(key, valueOf(i)), heard(i))
    const before = yield* sampled(server)
    const began = worked()
    for (let i = warmups + 1; i <= warmups + changes; i++) {
      yield* writer.set(key, valueOf(i))
      yield* heard(i)
    }
    const nodesMillis = worked() - began
    const sent = (yield* bytesSent(server)) - before.bytes - before.answer
    const serverMicros = (yield* cpuOf(server)) - before.cpu
    const reads = callsBetween(before.calls, yield* server.calls, ["get", "mget"])
    return {
      reads: reads / changes,
      bytes: sent / changes,
      serverMicros: serverMicros / changes,
      nodesMicros: (1_000 * nodesMillis) / changes,
    } satisfies ReadCost
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
