/** Faults of servers. */
import type { RedisReplicated, RedisServer } from "@larder/testing/RedisServer"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { Redis } from "ioredis"
import { failoverKind } from "../history/History.ts"
import * as keys from "../keys.ts"
import { larders } from "../worker/Config.ts"
import type { Fault, World } from "./Fault.ts"

/** A server that does not answer, or loses its data, makes the Sentinel fail over: a fault of its own. */
const isAlone = (stack: string): boolean => !stack.includes("sentinel")
const isCluster = (stack: string): boolean => stack.includes("cluster")

const pick = ({ backend, random }: World): RedisServer => random.pick(backend.servers)

const freeze: Fault = {
  kind: "freeze",
  at: "servers",
  suits: isAlone,
  run: (world) =>
    Effect.suspend(() => {
      const server = pick(world)
      const millis = world.random.between(200, 2_500)
      return Effect.andThen(server.freeze, Effect.sleep(millis)).pipe(
        Effect.ensuring(server.thaw),
        Effect.as({ detail: `${server.port} for ${millis} ms` }),
      )
    }),
}

const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}

/** Stops the server with everything it has acknowledged on disk. */
const shutDown = (server: RedisServer) =>
  Effect.gen(function* () {
    const pid = yield* server.pid
    yield* Effect.ignore(server.cli("SHUTDOWN", "SAVE"))
    for (let i = 0; i < 200 && !isGone(pid); i += 1) yield* Effect.sleep(20)
  })

const restart: Fault = {
  kind: "restart",
  at: "servers",
  suits: isAlone,
  run: (world) =>
    Effect.gen(function* () {
      const server = pick(world)
      const keepData = world.random.chance(0.5)
      if (keepData) yield* shutDown(server)
      yield* server.restart({ keepData })
      return { detail: `${server.port} ${keepData ? "with" : "without"} data`, loses: !keepData }
    }),
}

const flush: Fault = {
  kind: "flush",
  at: "servers",
  suits: isAlone,
  run: (world) =>
    Effect.gen(function* () {
      const server = pick(world)
      yield* server.cli("FLUSHALL")
      return { detail: String(server.port), loses: true }
    }),
}

/** The server refuses values; tombstones replace the old ones. */
const full: Fault = {
  kind: "full",
  at: "servers",
  suits: isAlone,
  run: (world) =>
    Effect.gen(function* () {
      const server = pick(world)
      const millis = world.random.between(300, 2_000)
      yield* server.cli("CONFIG", "SET", "maxmemory", "1")
      yield* Effect.sleep(millis).pipe(
        Effect.ensuring(Effect.ignore(server.cli("CONFIG", "SET", "maxmemory", "0"))),
      )
      return { detail: `${server.port} for ${millis} ms`, loses: true }
    }),
}

/** `cli` has no password and cannot remove one. */
const takeBack = (server: RedisServer, password: string) =>
  Effect.promise(async () => {
    const client = new Redis({ host: server.host, port: server.port, password, lazyConnect: true })
    client.on("error", () => undefined)
    try {
      await client.connect()
      await client.config("SET", "requirepass", "")
    } finally {
      client.disconnect()
    }
  }).pipe(Effect.ignore)

const password: Fault = {
  kind: "password",
  at: "servers",
  suits: isAlone,
  run: (world) =>
    Effect.gen(function* () {
      const server = pick(world)
      const millis = world.random.between(300, 2_000)
      yield* server.cli("CONFIG", "SET", "requirepass", "changed")
      // Open connections keep their rights: make them reconnect.
      const hangUp = Effect.promise(async () => {
        const client = new Redis({ host: server.host, port: server.port, password: "changed" })
        client.on("error", () => undefined)
        await client.call("CLIENT", "KILL", "TYPE", "normal")
        client.disconnect()
      }).pipe(Effect.timeoutOption(1_000), Effect.ignore)
      yield* Effect.andThen(hangUp, Effect.sleep(millis)).pipe(
        Effect.ensuring(takeBack(server, "changed")),
      )
      return { detail: `${server.port} for ${millis} ms` }
    }),
}

/** The keys of `setOnly`, which no lookup fills, that are on other servers. */
const keysElsewhere = ({ backend: { cluster } }: World, server: RedisServer) =>
  Effect.gen(function* () {
    if (cluster === undefined) return []
    const ownerOf = (name: string) => Effect.flatMap(cluster.slotOf(name), cluster.ownerOf)
    // A larder without its marks cannot judge any of its values.
    const marks = yield* Effect.forEach(larders, ownerOf)
    if (marks.includes(server)) return []
    const owners = yield* Effect.forEach(keys.setOnly, ownerOf)
    return keys.setOnly.filter((_, i) => owners[i] !== server)
  })

const away: Fault = {
  kind: "away",
  at: "servers",
  suits: isCluster,
  run: (world) =>
    Effect.gen(function* () {
      const server = pick(world)
      const unharmed = yield* keysElsewhere(world, server)
      const millis = world.random.between(2_500, 5_000)
      const lasting = Effect.andThen(shutDown(server), Effect.sleep(millis))
      yield* lasting.pipe(Effect.ensuring(Effect.ignore(server.restart({ keepData: true }))))
      return { detail: `${server.port} for ${millis} ms`, unharmed }
    }),
}

const slot: Fault = {
  kind: "slot",
  at: "servers",
  suits: isCluster,
  run: (world) =>
    Effect.gen(function* () {
      const { backend, random } = world
      if (backend.cluster === undefined) return { detail: "" }
      const key = random.pick([...keys.hot, ...keys.setOnly, ...larders])
      const number = yield* backend.cluster.slotOf(key)
      const to = random.pick(backend.servers)
      yield* backend.cluster.migrateSlot(number, to)
      return { detail: `${number} of ${key} to ${to.port}` }
    }),
}

/** How long a Sentinel may take to find the master dead and to promote its replica. */
const promotionMillis = 20_000

/** The Sentinel has promoted no replica in time. */
class NotPromoted extends Data.TaggedError("NotPromoted") {}

const untilPromoted = ({ master }: RedisReplicated, dead: RedisServer) =>
  Effect.gen(function* () {
    for (let waited = 0; waited < promotionMillis; waited += 50) {
      const now = yield* Effect.orElseSucceed(master, () => dead)
      if (now !== dead) return now
      yield* Effect.sleep(50)
    }
    return yield* new NotPromoted()
  })

/** The master dies with what it had not replicated yet; later it comes back as a replica. */
const failover: Fault = {
  kind: failoverKind,
  at: "servers",
  suits: (stack) => !isAlone(stack),
  run: ({ backend: { replicated } }) =>
    Effect.gen(function* () {
      if (replicated === undefined) return { detail: "" }
      const dead = yield* replicated.master
      yield* dead.kill()
      const promoted = yield* untilPromoted(replicated, dead).pipe(
        Effect.ensuring(Effect.ignore(dead.restart())),
      )
      yield* dead.cli("REPLICAOF", promoted.host, String(promoted.port))
      return { detail: `${dead.port} died, ${promoted.port} is the master`, loses: true }
    }),
}

export const ofServers: ReadonlyArray<Fault> = [
  freeze,
  restart,
  flush,
  full,
  password,
  away,
  slot,
  failover,
]
